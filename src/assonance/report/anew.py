"""Write the report of a finished comparison anew."""

from collections.abc import Sequence
from pathlib import Path

from assonance.claims.claim import Claim
from assonance.claims.verdict import evaluate_claims
from assonance.comparison.moments import Sound
from assonance.comparison.result import Comparison
from assonance.report import write_report
from assonance.report.summary import sentences
from assonance.tables import changes as change_tables

NAME = "report.html"


def write_anew(
    comparison: Comparison,
    path: Path,
    claims: Sequence[Claim] | None = None,
    sound: Sound | None = None,
) -> Path:
    """Write the report with its summary and the verdicts of claims.

    Parameters
    ----------
    comparison
        Scores to report.
    path
        File to write, or a folder for ``report.html``.
    claims
        Claims to evaluate; the bundled ones by default.
    sound
        Clips of the moments that excite neurons most; by default the page has no sound.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    AssonanceError
        The file cannot be written.
    """
    file = path / NAME if path.is_dir() else path
    verdicts = evaluate_claims(comparison, claims)
    found = [*sentences(comparison), *(each.sentence() for each in verdicts if each.tested)]
    write_report(comparison, found, file, change_tables.pairs(comparison), sound)
    return file

"""Write the report of a finished comparison anew."""

from collections.abc import Sequence
from pathlib import Path

from assonance.claims.claim import Claim
from assonance.claims.verdict import evaluate_claims
from assonance.comparison.moments import Sound
from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.report import write_report
from assonance.report.findings import summary

NAME = "report.html"


def write_anew(
    comparison: Comparison,
    path: Path,
    claims: Sequence[Claim] | None = None,
    *,
    pairs: Sequence[FineTuning] | None = None,
    sound: Sound | None = None,
    lead: str | None = None,
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
    pairs
        Models before and after fine-tuning, if the summary is of what that changed.
    sound
        Clips of the moments that excite neurons most; by default the page has no sound.
    lead
        The measure that leads the page; by default the one that overfitting cannot raise.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    AssonanceError
        `lead` was not taken, or the file cannot be written.
    """
    file = path / NAME if path.is_dir() else path
    verdicts = evaluate_claims(comparison, claims)
    found = [*summary(comparison, pairs, lead), *(e.sentence() for e in verdicts if e.tested)]
    write_report(comparison, found, file, pairs, sound, lead)
    return file

"""Write a comparison as one self-contained HTML file."""

from collections.abc import Sequence
from pathlib import Path

from assonance.comparison.moments import Sound
from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.utils.files import write_text


def write_report(
    comparison: Comparison,
    sentences: Sequence[str],
    path: Path,
    pairs: Sequence[FineTuning] | None = None,
    sound: Sound | None = None,
    lead: str | None = None,
) -> None:
    """Write the report: summary, figures with their tables, methods.

    The file loads nothing from outside. The same comparison gives the same bytes. The file is
    written atomically.

    Parameters
    ----------
    comparison
        Scores to report.
    sentences
        The summary at the top of the page, one list item each.
    path
        File to write; its folder is created if it does not exist.
    pairs
        Models before and after fine-tuning; by default those that `assonance.tables.changes.pairs`
        finds.
    sound
        Clips of the moments that excite neurons most; by default the page has no sound.
    lead
        The measure that leads the page; by default the one that overfitting cannot raise.

    Raises
    ------
    AssonanceError
        `lead` was not taken, or the file cannot be written.
    """
    from assonance.report.page import render  # which imports torch; summaries do not

    write_text(path, render(comparison, sentences, pairs, sound, lead))

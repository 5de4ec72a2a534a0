"""A comparison as one HTML file that needs nothing else."""

from collections.abc import Sequence
from pathlib import Path

from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.report.page import render
from assonance.utils.files import write_text


def write_report(
    comparison: Comparison,
    sentences: Sequence[str],
    path: Path,
    pairs: Sequence[FineTuning] | None = None,
) -> None:
    """Write a comparison as a page to read: the answer, figures with their tables, how it was run.

    The file loads nothing from outside, and the same comparison makes the same bytes. It is put
    in place in one step.

    Parameters
    ----------
    comparison
        What was found.
    sentences
        The answer, a claim each; they head the page.
    path
        Where to write; its folder is made where there is none.
    pairs
        Models before and after fine-tuning; those that `assonance.tables.changes.pairs` finds by
        default.

    Raises
    ------
    AssonanceError
        It cannot be written.
    """
    write_text(path, render(comparison, sentences, pairs))

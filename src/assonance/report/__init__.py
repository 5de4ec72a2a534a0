"""A comparison as one HTML file that needs nothing else."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from assonance.errors import AssonanceError
from assonance.outside import one_line, own_words
from assonance.report.page import render
from assonance.results import Comparison


def write_report(comparison: Comparison, sentences: Sequence[str], path: Path) -> None:
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

    Raises
    ------
    AssonanceError
        It cannot be written.
    """
    path = Path(path)
    # A name that no encoding can hold (undecodable bytes of a path in a note) costs no report.
    page = render(comparison, sentences).encode("utf-8", "backslashreplace")
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(page)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise AssonanceError(
            f"{one_line(path)}: cannot be written: {own_words(error)}; name another place"
        ) from error

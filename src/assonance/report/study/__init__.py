"""Repeat published studies: their settings, their figures, their findings."""

import difflib
from pathlib import Path

from assonance.errors import AssonanceError, printable
from assonance.utils.files import exists, write_together

_HERE = Path(__file__).parent


def bundled_study(name: str) -> Path:
    """Return the file of a bundled study.

    Raises
    ------
    AssonanceError
        No bundled study has this name.
    """
    studies = {each.stem: each for each in sorted(_HERE.glob("*.yaml"))}
    if name not in studies:
        near = difflib.get_close_matches(name, studies, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"bundled are: {', '.join(studies)}"
        raise AssonanceError(f"{printable(name)}: neither a study nor a file; {hint}")
    return studies[name]


def copy_study(study: Path, to: Path) -> None:
    """Copy the file of a study, to be read and changed.

    Raises
    ------
    AssonanceError
        There is a file of that name already, or it cannot be written.
    """
    if exists(to):
        raise AssonanceError(f"--copy {printable(to)}: is there already; name a new file")
    write_together({to: study.read_bytes()})

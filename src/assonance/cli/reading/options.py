"""Options that several commands on a finished run share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from assonance.errors import AssonanceError, printable

Run = Annotated[Path, typer.Argument(help="A run's folder, or its results.nc.", metavar="RUN")]
Measure = Annotated[
    str | None,
    typer.Option(
        "--measure",
        "-m",
        help="A measure that was taken; a standard one by default.",
        metavar="NAME",
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--models", help="A model to show; repeat for several. All by default.", metavar="MODEL"
    ),
]
Hear = Annotated[
    bool,
    typer.Option(
        "--sound",
        help="Let the report play the moments that excite neurons most. Parts of the speech, which "
        "may be personal data, are then in the page.",
    ),
]
Layers = Annotated[
    str | None,
    typer.Option(
        help="Layers to show, by label or number: 0,3,6 or 0-6. All by default.", metavar="LAYERS"
    ),
]


@dataclass(frozen=True)
class Shown:
    """Options for what a figure shows."""

    measure: Measure = None
    models: Models = None
    layers: Layers = None


def refuse_missing(run: Path) -> None:
    """Refuse a run that is not there, before anything that takes seconds is imported."""
    if not run.exists():
        from assonance.comparison.lookup import open_run  # which has the nearest name

        open_run(run)


def parse_layers(text: str | None) -> list[str | int] | None:
    """Return the layers that a text lists.

    Raises
    ------
    AssonanceError
        A range is not of the form 0-6.
    """
    if text is None:
        return None
    found: list[str | int] = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        first, dash, last = part.partition("-")
        if dash and first.isdecimal() and last.isdecimal():
            if int(last) < int(first):
                raise AssonanceError(f"--layers {printable(part)}: write the lower number first")
            found += range(int(first), int(last) + 1)
        else:
            found.append(part)
    if not found:
        raise AssonanceError("--layers: names none; write 0,3,6 or 0-6")
    return found


def listed(names: Sequence[str] | None) -> list[str] | None:
    """Return names that are given one by one or with commas between them, or None."""
    if not names:
        return None
    return [each.strip() for name in names for each in name.split(",") if each.strip()]

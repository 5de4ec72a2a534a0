"""Options that several commands take, and what they may be.

Those that belong together make a group; a command takes it whole (`option_groups`) and, where it
does not offer the choice, takes the defaults.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from assonance.corpus.formats.detection import supported_formats
from assonance.errors import AssonanceError
from assonance.utils.memory import MEMORY, parse_bytes


class Remedy(StrEnum):
    """What to do about an utterance that cannot be used."""

    SKIP = "skip"
    STOP = "stop"


class Pool(StrEnum):
    """What a row of the neuron and layer measures is."""

    FRAME = "frame"
    PHONE = "phone"
    WORD = "word"
    UTTERANCE = "utterance"


class By(StrEnum):
    """What stands for a phone, word or utterance."""

    MEAN = "mean"
    CENTRE = "centre"


def _amount(text: str) -> str:
    try:
        parse_bytes(text)
    except AssonanceError as error:
        raise typer.BadParameter(str(error)) from None
    return text


def _limit(seconds: float) -> float | None:
    return seconds or None


AUDIO = f"Speech: {supported_formats()}."


Channel = Annotated[
    int | None,
    typer.Option(help="Channel to read where there are several, from 0; their mean by default."),
]


Out = Annotated[Path | None, typer.Option(help="Folder for the results; runs/MODELS by default.")]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace the finished results of another run in the folder, once the new ones are "
        "complete.",
    ),
]
OnError = Annotated[
    Remedy, typer.Option(help="Leave out an utterance that cannot be used, or stop there.")
]


@dataclass(frozen=True)
class Measuring:
    """What is measured."""

    measure: Annotated[
        list[str] | None,
        typer.Option(
            "--measure",
            "-m",
            help="A measure to take, once for each; a standard set by default.",
            metavar="NAME",
        ),
    ] = None
    settings: Annotated[
        str,
        typer.Option(help="default, or elkheir2024 for the published definitions.", metavar="NAME"),
    ] = "default"
    twins: Annotated[
        bool,
        typer.Option(
            help="Compare with what learnt nothing too: the models' architectures at random "
            "weights, and log-mel frames."
        ),
    ] = True


@dataclass(frozen=True)
class Speech:
    """What is read of the speech."""

    window: Annotated[
        float | None,
        typer.Option(
            help="Longest stretch that a model is given at once: longer utterances are cut into "
            "equal windows. 0 cuts none.",
            metavar="SECONDS",
            callback=_limit,
        ),
    ] = 30.0
    channel: Channel = None
    max_hours: Annotated[
        float | None,
        typer.Option(help="Draw so much of the speech at random, balanced by speaker."),
    ] = None
    seed: Annotated[int, typer.Option("--sample-seed", help="Decides what --max-hours draws.")] = 0


@dataclass(frozen=True)
class Rows:
    """What the frames become."""

    pool: Annotated[Pool, typer.Option(help="What a row of the neuron and layer measures is.")] = (
        Pool.FRAME
    )
    pool_by: Annotated[
        By, typer.Option(help="Pool by the mean of the frames, or take the one at the centre.")
    ] = By.MEAN
    alignments: Annotated[
        Path | None,
        typer.Option(help="Where phones and words are: a folder of TextGrids, or a CTM file."),
    ] = None
    skip_silence: Annotated[
        bool, typer.Option("--skip-silence", help="Leave silence out, by the alignments.")
    ] = False


@dataclass(frozen=True)
class Machine:
    """What it is computed with."""

    memory: Annotated[
        str,
        typer.Option(
            help="What the statistics may take at once.", metavar="AMOUNT", callback=_amount
        ),
    ] = MEMORY
    device: Annotated[str, typer.Option(help="cpu, or a device of torch such as cuda.")] = "cpu"
    offline: Annotated[bool, typer.Option(help="Never reach for the network.")] = False


@dataclass(frozen=True)
class Certainty:
    """How sure the scores are."""

    uncertainty: Annotated[
        bool, typer.Option(help="Work out intervals, and what shifted speech gives.")
    ] = True
    groups: Annotated[
        int | None,
        typer.Option(
            help="Groups of utterances (of speakers, where there are ten) left out in turn, or "
            "drawn, for intervals; 20 by default."
        ),
    ] = None
    bootstrap: Annotated[
        int | None,
        typer.Option(
            help="Make intervals by a bootstrap instead of the jackknife: of so many draws of "
            "groups, with replacement, 199 say. Each draw costs what leaving out one group does. "
            "With --groups as many as there are utterances it is the bootstrap over utterances, "
            "which covers best.",
            metavar="DRAWS",
        ),
    ] = None
    shifts: Annotated[
        int | None,
        typer.Option(help="Places of other speech to pair each layer with; at most 19 by default."),
    ] = None


def plain(group: Speech | Rows | Machine | Certainty) -> dict[str, Any]:
    """Name the options of a group as a run's configuration does: paths and choices are texts."""
    return {
        name: str(value) if isinstance(value, Path | StrEnum) else value
        for name, value in vars(group).items()
    }

"""Options that several commands take, and what they may be."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from assonance.errors import AssonanceError
from assonance.sizes import bytes_of


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
        bytes_of(text)
    except AssonanceError as error:
        raise typer.BadParameter(str(error)) from None
    return text


Measure = Annotated[
    list[str] | None,
    typer.Option(
        "--measure",
        "-m",
        help="A measure to take, once for each; a standard set by default.",
        metavar="NAME",
    ),
]
Settings = Annotated[
    str, typer.Option(help="default, or elkheir2024 for the published definitions.", metavar="NAME")
]
Twins = Annotated[
    bool,
    typer.Option(
        help="Compare with what learnt nothing too: the models' architectures at random "
        "weights, and log-mel frames."
    ),
]
Memory = Annotated[
    str,
    typer.Option(help="What the statistics may take at once.", metavar="AMOUNT", callback=_amount),
]
Uncertainty = Annotated[
    bool, typer.Option(help="Work out intervals, and what shifted speech gives.")
]
Groups = Annotated[
    int | None,
    typer.Option(
        help="Groups of utterances (of speakers, where there are ten) left out in turn, or drawn, "
        "for intervals; 20 by default."
    ),
]
Bootstrap = Annotated[
    int | None,
    typer.Option(
        help="Make intervals by a bootstrap instead of the jackknife: of so many draws of groups, "
        "with replacement, 199 say. Each draw costs what leaving out one group does. With --groups "
        "as many as there are utterances it is the bootstrap over utterances, which covers best.",
        metavar="DRAWS",
    ),
]
Shifts = Annotated[
    int | None,
    typer.Option(help="Places of other speech to pair each layer with; at most 19 by default."),
]
AUDIO = (
    "A folder of audio, a .csv or .jsonl manifest, a Kaldi directory, lhotse cuts, "
    "or a saved Hugging Face dataset."
)
Channel = Annotated[
    int | None,
    typer.Option(help="Channel to read where there are several, from 0; their mean by default."),
]
Out = Annotated[Path | None, typer.Option(help="Folder for the results; runs/MODELS by default.")]
Offline = Annotated[bool, typer.Option(help="Never reach for the network.")]
OnError = Annotated[
    Remedy, typer.Option(help="Leave out an utterance that cannot be used, or stop there.")
]
Device = Annotated[str, typer.Option(help="cpu, or a device of torch such as cuda.")]

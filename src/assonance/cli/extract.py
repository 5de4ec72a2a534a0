"""Define `assonance extract`: activations ahead of a comparison, in parts for job arrays."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from assonance.cli.checks import check_names
from assonance.cli.lines import say
from assonance.cli.option_groups import spread
from assonance.cli.options import AUDIO, Checkpoints, Layers, Machine, Models, Speech, Unusable
from assonance.errors import printable

_SHOWN = 10  # utterances that were left out


@dataclass(frozen=True)
class Extracting:
    """Options for what is extracted."""

    part: Annotated[
        str,
        typer.Option(
            help="Extract one of N parts of the speech. Parts can run at once, on any machines "
            "that see RUN, and again after a kill.",
            metavar="K/N",
        ),
    ] = "1/1"
    twins: Annotated[
        bool,
        typer.Option(help="Extract what floors need, too: random twins and log-mel frames."),
    ] = True
    on_error: Unusable = "skip"


@spread
def extract(
    *,
    models: Models,
    audio: Annotated[str, typer.Option(help=AUDIO, metavar="PATH")],
    out: Annotated[
        Path, typer.Option(help="Folder of the run; give the same to `compare`.", metavar="RUN")
    ],
    extracting: Extracting,
    speech: Speech,
    machine: Machine,
    layers: Layers,
    checkpoints: Checkpoints,
) -> None:
    """Extract the activations that `compare` with the same models, speech and folder takes over.

    Examples
    --------
      assonance extract hubert-mini wav2vec2-mini --audio DIR --out runs/mine --part 3/20
      assonance extract hubert-mini --audio DIR --out runs/one && assonance store info runs/one
    """
    from assonance.corpus.parts import Part

    chosen = Part.parse(extracting.part)
    check_names(models, audio)

    from assonance.comparison.parts import extract_part, missing_parts
    from assonance.comparison.prepared import prepare
    from assonance.comparison.request import Request
    from assonance.utils.lock import refuse_locked
    from assonance.utils.progress_bars import Bars

    refuse_locked(out)
    request = Request(
        twins=extracting.twins,
        reading=speech.build(),
        loading=layers.build(machine, checkpoints.build(models)),
        store=machine.store,
        on_error=extracting.on_error,
    )
    with Bars() as bars:
        prepared = prepare(models, audio, request, bars)
        read, left_out = extract_part(prepared, out, chosen, bars)
    for each in left_out[:_SHOWN]:
        say(f"left out: {each.shown}: {each.reason}", err=True)
    say(
        f"part {chosen.number} of {chosen.count}: {len(read)} of {len(prepared.speech)} utterances"
        f", {read.seconds / 60:.1f} of {prepared.speech.seconds / 60:.1f} minutes"
    )
    missing = missing_parts(out)
    say(missing[0] if missing else f"all parts are there; compare with --out {printable(out)}")

"""The command line: `assonance compare`, `diff`, `demo`, `models`, `measures`."""

import sys
import warnings
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assonance import __version__
from assonance.errors import AssonanceError, AssonanceWarning
from assonance.sizes import MEMORY, bytes_of

# torch, transformers and matplotlib take seconds to import: only a command that runs waits.
if TYPE_CHECKING:
    from assonance.results import Comparison

app = typer.Typer(
    help="Compare what speech models represent: neurons, layers and attention heads.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_SHOWN = 10


class OnError(StrEnum):
    """What to do about an utterance that cannot be used."""

    SKIP = "skip"
    STOP = "stop"


def _amount(text: str) -> str:
    try:
        bytes_of(text)
    except AssonanceError as error:
        raise typer.BadParameter(str(error)) from None
    return text


_Measure = Annotated[
    list[str] | None,
    typer.Option(
        "--measure",
        "-m",
        help="A measure to take, once for each; a standard set by default.",
        metavar="NAME",
    ),
]
_Settings = Annotated[
    str, typer.Option(help="default, or elkheir2024 for the published definitions.", metavar="NAME")
]
_Twins = Annotated[
    bool, typer.Option(help="Compare with the models' architectures at random weights too.")
]
_Memory = Annotated[
    str,
    typer.Option(help="What the statistics may take at once.", metavar="AMOUNT", callback=_amount),
]
_Uncertainty = Annotated[
    bool, typer.Option(help="Work out intervals, and what shifted speech gives.")
]
_Device = Annotated[str, typer.Option(help="cpu, or a device of torch such as cuda.")]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"assonance {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    pass


@app.command()
def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Directories or Hugging Face ids of two or more models, or names of bundled ones "
            "(see `assonance models`); random:MODEL@SEED for a model's architecture with random "
            "weights, rotated:MODEL@SEED for its layers in random axes, mel, mfcc, or "
            "module:PACKAGE.FUNCTION for one of your own.",
            metavar="MODEL...",
        ),
    ],
    audio: Annotated[
        str, typer.Option(help="A folder of audio, or a .csv or .jsonl manifest.", metavar="PATH")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; runs/MODELS by default.")
    ] = None,
    measure: _Measure = None,
    settings: _Settings = "default",
    twins: _Twins = True,
    memory: _Memory = MEMORY,
    device: _Device = "cpu",
    offline: Annotated[bool, typer.Option(help="Never reach for the network.")] = False,
    record: Annotated[
        list[str],
        typer.Option(
            help="What the layers are, once for each: blocks, final, ffn, attention, heads, cnn.",
            metavar="KIND",
        ),
    ] = ["blocks"],  # noqa: B006 - read only
    precision: Annotated[
        str,
        typer.Option(
            help="float32, or bfloat16 or float16 to run models faster on an accelerator.",
            metavar="NAME",
        ),
    ] = "float32",
    on_error: Annotated[
        OnError, typer.Option(help="Leave out an utterance that cannot be used, or stop there.")
    ] = OnError.SKIP,
    uncertainty: _Uncertainty = True,
) -> None:
    """Compare models on speech, every layer with every layer."""
    from assonance.runs import folder_for

    _run(
        models,
        audio,
        out or folder_for(models),
        measures=measure or [],
        settings=settings,
        twins=twins,
        memory=memory,
        device=device,
        offline=offline,
        record=record,
        precision=precision,
        on_error=on_error.value,
        uncertainty=uncertainty,
    )


@app.command()
def diff(
    pretrained: Annotated[str, typer.Argument(help="The model before.", metavar="PRETRAINED")],
    fine_tuned: Annotated[str, typer.Argument(help="The same after.", metavar="FINETUNED")],
    audio: Annotated[
        str, typer.Option(help="A folder of audio, or a .csv or .jsonl manifest.", metavar="PATH")
    ],
    seed_twin: Annotated[
        str | None,
        typer.Option(
            help="PRETRAINED from another seed: how far two trainings differ.", metavar="MODEL"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; runs/MODELS by default.")
    ] = None,
    measure: _Measure = None,
    settings: _Settings = "default",
    twins: _Twins = True,
    uncertainty: _Uncertainty = True,
    memory: _Memory = MEMORY,
    device: _Device = "cpu",
    offline: Annotated[bool, typer.Option(help="Never reach for the network.")] = False,
    on_error: Annotated[
        OnError, typer.Option(help="Leave out an utterance that cannot be used, or stop there.")
    ] = OnError.SKIP,
) -> None:
    """Say what fine-tuning changed: neurons, subspaces and heads, layer by layer."""
    from assonance.runs import folder_for

    models = [pretrained, fine_tuned, *([seed_twin] if seed_twin else [])]
    _run(
        models,
        audio,
        out or folder_for(models[:2]),
        measures=measure or [],
        settings=settings,
        twins=twins,
        uncertainty=uncertainty,
        memory=memory,
        device=device,
        offline=offline,
        record=["blocks"],
        precision="float32",
        on_error=on_error.value,
        diff=True,
    )


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("runs/demo"),
    measure: _Measure = None,
    settings: _Settings = "default",
    twins: _Twins = True,
    every: Annotated[
        bool, typer.Option("--all", help="Compare all bundled models, and not a chosen few.")
    ] = False,
    uncertainty: _Uncertainty = True,
) -> None:
    """Compare bundled miniature models on bundled speech, offline."""
    from assonance.demo import MODELS, SPEECH, miniatures

    _run(
        [str(each.path) for each in miniatures()] if every else [str(model) for model in MODELS],
        str(SPEECH),
        out,
        measures=measure or [],
        settings=settings,
        twins=twins,
        memory=MEMORY,
        device="cpu",
        offline=True,
        record=["blocks"],
        precision="float32",
        on_error="skip",
        uncertainty=uncertainty,
    )


@app.command()
def models() -> None:
    """List the bundled miniature models; their names can be given wherever a model is asked for."""
    from assonance.demo import miniatures

    for each in miniatures():
        typer.echo(f"{each.name}  [{each}]")
        typer.echo(f"    {each.path}")


@app.command()
def measures() -> None:
    """List the measures with what holds of them: level, range, needs, symmetry, invariances."""
    from assonance.measures import MEASURES

    for each in MEASURES.values():
        lowest, highest = ("…" if end is None else f"{end:.2g}" for end in each.range)
        symmetry = "symmetric" if each.symmetric else "directional"
        unchanged = ", ".join(sorted(each.invariances)) or "nothing"
        typer.echo(f"{each.name}  [{each.level}, {lowest} to {highest}, {symmetry}]")
        typer.echo(f"    {each.summary}. {each.source}.")
        typer.echo(f"    needs {each.needs}; unchanged by: {unchanged}")


def main() -> None:
    """Run the command line; an error of the user's is one line and an exit status of 1."""
    try:
        app()
    except AssonanceError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


def _run(models: Sequence[str], audio: str, out: Path, **options: Any) -> None:
    from assonance.bars import Bars
    from assonance.runs import run

    try:
        with Bars() as bars, warnings.catch_warnings():
            warnings.simplefilter("ignore", AssonanceWarning)  # they are among the notes
            comparison = run(models, audio, out, progress=bars, **options)
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on from here", err=True)
        raise typer.Exit(130) from None
    _tell(comparison, out, diff=options.get("diff", False))


def _tell(comparison: "Comparison", out: Path, *, diff: bool) -> None:
    """Print what a researcher wants first."""
    from assonance.outside import one_line
    from assonance.runs import CHANGES, REPORT, RESULTS, TABLE, answer, pairs_of

    record = comparison.provenance
    for note in record.notes:
        typer.echo(f"note: {note}", err=True)
    for each in record.left_out[:_SHOWN]:
        typer.echo(f"left out: {each.path}: {each.reason}", err=True)
    if len(record.left_out) > _SHOWN:
        more = len(record.left_out) - _SHOWN
        typer.echo(f"left out: {more} more; the report names them", err=True)
    speech = record.corpus
    typer.echo(
        f"{' and '.join(comparison.models)} on {speech.utterances} utterances, "
        f"{speech.seconds / 60:.1f} minutes, {speech.frames} frames"
    )
    for sentence in answer(comparison, pairs_of(comparison, diff=diff)):
        typer.echo(f"  {sentence}")
    typer.echo(
        f"results: {one_line(out / RESULTS)}, {one_line(out / (CHANGES if diff else TABLE))}"
    )
    typer.echo(f"report:  {one_line(out / REPORT)}")

"""The command line: `assonance compare`, `diff`, `demo`, `claims`, `models` and more."""

import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assonance import __version__
from assonance.errors import AssonanceError, AssonanceWarning
from assonance.options import (
    AUDIO,
    Bootstrap,
    By,
    Channel,
    Device,
    Groups,
    Measure,
    Memory,
    Offline,
    OnError,
    Out,
    Pool,
    Remedy,
    Settings,
    Shifts,
    Twins,
    Uncertainty,
)
from assonance.sizes import MEMORY

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
corpus = typer.Typer(help="Look at speech before it is compared on.", no_args_is_help=True)
app.add_typer(corpus, name="corpus")
_SHOWN = 10
# What is read and what a row is, unless something else is asked for.
_WINDOW = 30.0  # seconds
_SPEECH = {"window": _WINDOW, "channel": None, "max_hours": None, "seed": 0}
_POOLING = {"pool": "frame", "pool_by": "mean", "alignments": None, "skip_silence": False}


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
    audio: Annotated[str, typer.Option(help=AUDIO, metavar="PATH")],
    out: Out = None,
    measure: Measure = None,
    settings: Settings = "default",
    twins: Twins = True,
    window: Annotated[
        float,
        typer.Option(
            help="Longest stretch that a model is given at once: longer utterances are cut into "
            "equal windows. 0 cuts none.",
            metavar="SECONDS",
        ),
    ] = _WINDOW,
    channel: Channel = None,
    max_hours: Annotated[
        float | None,
        typer.Option(help="Draw so much of the speech at random, balanced by speaker."),
    ] = None,
    sample_seed: Annotated[int, typer.Option(help="Decides what --max-hours draws.")] = 0,
    pool: Annotated[
        Pool, typer.Option(help="What a row of the neuron and layer measures is.")
    ] = Pool.FRAME,
    pool_by: Annotated[
        By, typer.Option(help="Pool by the mean of the frames, or take the one at the centre.")
    ] = By.MEAN,
    alignments: Annotated[
        Path | None,
        typer.Option(help="Where phones and words are: a folder of TextGrids, or a CTM file."),
    ] = None,
    skip_silence: Annotated[
        bool, typer.Option("--skip-silence", help="Leave silence out, by the alignments.")
    ] = False,
    memory: Memory = MEMORY,
    device: Device = "cpu",
    offline: Offline = False,
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
    on_error: OnError = Remedy.SKIP,
    seed_of: Annotated[
        list[str],
        typer.Option(
            help="SECOND=FIRST: the model SECOND is FIRST trained from another seed, a ceiling "
            "for what others share with it.",
            metavar="SECOND=FIRST",
        ),
    ] = [],  # noqa: B006 - read only
    uncertainty: Uncertainty = True,
    groups: Groups = None,
    bootstrap: Bootstrap = None,
    shifts: Shifts = None,
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
        speech={
            "window": window or None,
            "channel": channel,
            "max_hours": max_hours,
            "seed": sample_seed,
        },
        pooling={
            "pool": pool.value,
            "pool_by": pool_by.value,
            "alignments": None if alignments is None else str(alignments),
            "skip_silence": skip_silence,
        },
        memory=memory,
        device=device,
        offline=offline,
        record=record,
        precision=precision,
        on_error=on_error.value,
        seeds=_pairs(seed_of),
        uncertainty=uncertainty,
        groups=groups,
        bootstrap=bootstrap,
        shifts=shifts,
    )


@app.command()
def diff(
    pretrained: Annotated[str, typer.Argument(help="The model before.", metavar="PRETRAINED")],
    fine_tuned: Annotated[str, typer.Argument(help="The same after.", metavar="FINETUNED")],
    audio: Annotated[str, typer.Option(help=AUDIO, metavar="PATH")],
    seed_twin: Annotated[
        str | None,
        typer.Option(
            help="PRETRAINED from another seed: how far two trainings differ.", metavar="MODEL"
        ),
    ] = None,
    out: Out = None,
    measure: Measure = None,
    settings: Settings = "default",
    twins: Twins = True,
    uncertainty: Uncertainty = True,
    groups: Groups = None,
    bootstrap: Bootstrap = None,
    shifts: Shifts = None,
    memory: Memory = MEMORY,
    device: Device = "cpu",
    offline: Offline = False,
    on_error: OnError = Remedy.SKIP,
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
        speech=_SPEECH,
        pooling=_POOLING,
        seeds={seed_twin: pretrained} if seed_twin else {},
        uncertainty=uncertainty,
        groups=groups,
        bootstrap=bootstrap,
        shifts=shifts,
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
    measure: Measure = None,
    settings: Settings = "default",
    twins: Twins = True,
    every: Annotated[
        bool, typer.Option("--all", help="Compare all bundled models, and not a chosen few.")
    ] = False,
    uncertainty: Uncertainty = True,
    groups: Groups = None,
    bootstrap: Bootstrap = None,
    shifts: Shifts = None,
) -> None:
    """Compare bundled miniature models on bundled speech, offline."""
    from assonance.demo import MODELS, SPEECH, miniatures

    chosen = [each for each in miniatures() if every or each.path in MODELS]
    names = {each.name for each in chosen}
    _run(
        [str(each.path) for each in chosen],
        str(SPEECH),
        out,
        measures=measure or [],
        settings=settings,
        twins=twins,
        speech=_SPEECH,
        pooling=_POOLING,
        memory=MEMORY,
        device="cpu",
        offline=True,
        record=["blocks"],
        precision="float32",
        on_error="skip",
        seeds={each.name: each.seed_of for each in chosen if each.seed_of in names},
        uncertainty=uncertainty,
        groups=groups,
        bootstrap=bootstrap,
        shifts=shifts,
    )


@app.command()
def models() -> None:
    """List the bundled miniature models; their names can be given wherever a model is asked for."""
    from assonance.demo import miniatures

    for each in miniatures():
        typer.echo(f"{each.name}  [{each}]")
        typer.echo(f"    {each.path}")


@app.command()
def claims(
    run: Annotated[Path, typer.Argument(help="A run's folder, or its results.nc.", metavar="RUN")],
    config: Annotated[
        Path | None,
        typer.Option(
            help="A YAML file of claims to ask instead of the bundled ones.", metavar="FILE"
        ),
    ] = None,
) -> None:
    """Ask a finished run whether claims hold: contrasts of its scores, with how sure they are."""
    from assonance.outside import one_line
    from assonance.runs import ask
    from assonance.verdicts import lines

    found, table = ask(run, config)
    for line in lines(found):
        typer.echo(line)
    typer.echo(f"claims: {one_line(table)}")


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


@corpus.command()
def check(
    audio: Annotated[str, typer.Argument(help=AUDIO, metavar="PATH")],
    channel: Channel = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Look at the listing and headers alone.")
    ] = False,
) -> None:
    """Say what is wrong with speech before a long run; fail where some cannot be used."""
    from assonance.bars import Bars
    from assonance.corpus import Corpus
    from assonance.corpus.check import check as find
    from assonance.outside import one_line

    speech = Corpus.from_path(audio, window=None, channel=channel)
    with Bars() as bars:
        found = find(speech, deep=not quick, progress=bars)
    typer.echo(
        f"{one_line(speech.name)}: {len(speech)} utterances, {speech.hours:.2f} hours, "
        f"{len(speech.speakers)} speakers named"
    )
    for note in speech.notes:
        typer.echo(f"note: {note}")
    count: Counter[str] = Counter()
    for each in found:
        count[each.severity] += len(each.where)
        typer.echo(f"{each.severity}: {len(each.where)} {each.what}")
        for line in each.where[:_SHOWN]:
            typer.echo(f"    {line}")
        if len(each.where) > _SHOWN:
            typer.echo(f"    and {len(each.where) - _SHOWN} more")
    unheard = "; no sample was read (--quick)" if quick else ""
    typer.echo(f"{count['error']} errors, {count['warning']} warnings{unheard}")
    if count["error"]:
        raise typer.Exit(1)


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    """Part SECOND=FIRST."""
    for text in texts:
        if not all(text.partition("=")):
            raise AssonanceError(f"--seed-of {text!r}: not of the form SECOND=FIRST")
    return {second: first for second, _, first in (text.partition("=") for text in texts)}


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
    from assonance.runs import CHANGES, CLAIMS, REPORT, RESULTS, TABLE, answer, pairs_of

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
    names = (RESULTS, TABLE, CLAIMS, *([CHANGES] if diff else []))
    typer.echo(f"results: {', '.join(one_line(out / name) for name in names)}")
    typer.echo(f"report:  {one_line(out / REPORT)}")

"""Define the commands: `assonance compare`, `diff`, `demo`, `claims`, `models` and more."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from assonance.__about__ import __version__
from assonance.cli import catalogue, corpus, model, store
from assonance.cli.added import add, with_those_of
from assonance.cli.checks import check_names, parse_pairs
from assonance.cli.cluster_options import Workers
from assonance.cli.configured import Start, configured
from assonance.cli.extract import extract
from assonance.cli.interruption import leaving_soon
from assonance.cli.lines import say
from assonance.cli.option_groups import spread
from assonance.cli.options import (
    AUDIO,
    Certainty,
    Checkpoints,
    DryRun,
    Keep,
    Layers,
    Machine,
    Measuring,
    Models,
    Options,
    Out,
    Overwrite,
    Rows,
    Speech,
    Unusable,
)
from assonance.cli.panels import App
from assonance.cli.reading import explore, export, plot, report, show
from assonance.cli.reading.options import Hear, refuse_missing
from assonance.errors import AssonanceError, printable
from assonance.utils.files import exists
from assonance.utils.memory import lacks_memory, share_heap, too_little_memory

# torch, transformers and matplotlib take seconds to import, so commands import them when they run.
app = App(help="Compare what speech models represent: neurons, layers and attention heads.")
COMPARE, READ, BESIDE = "Compare", "Read a finished run", "Look up"


def _version(requested: bool) -> None:
    if requested:
        say(f"assonance {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass


@app.themed(COMPARE)
@spread
def compare(
    *,
    context: typer.Context,
    models: Models = [],  # noqa: B006 - read only
    audio: Annotated[str | None, typer.Option(help=AUDIO, metavar="PATH")] = None,
    start: Start,
    out: Out = None,
    overwrite: Overwrite = False,
    keep: Keep = True,
    sound: Hear = False,
    dry_run: DryRun = False,
    measuring: Measuring,
    speech: Speech,
    rows: Rows,
    machine: Machine,
    workers: Workers,
    layers: Layers,
    checkpoints: Checkpoints,
    on_error: Unusable = "skip",
    seed_of: Annotated[
        list[str],
        typer.Option(
            help="SECOND=FIRST: the model SECOND is the model FIRST trained from another seed. "
            "What the two share is a ceiling for what other models share with them; repeat for "
            "several.",
            metavar="SECOND=FIRST",
        ),
    ] = [],  # noqa: B006 - read only
    tuned_from: Annotated[
        list[str],
        typer.Option(
            help="TUNED=BASE: the model TUNED was fine-tuned from BASE. Needed if several "
            "pretrained models have its architecture; repeat for each fine-tuned model.",
            metavar="TUNED=BASE",
        ),
    ] = [],  # noqa: B006 - read only
    certainty: Certainty,
) -> None:
    """Compare models on speech: every layer of each with every layer of all.

    Examples
    --------
      assonance compare hubert-mini wav2vec2-mini --audio DIR --out runs/mine
      assonance compare --config runs/mine/config.yaml --preset study --out runs/study
    """
    options = Options(
        *(measuring, certainty, machine, speech, rows, layers, checkpoints, on_error),
        seeds=parse_pairs("--seed-of", "SECOND=FIRST", seed_of),
        tuned_from=parse_pairs("--tuned-from", "TUNED=BASE", tuned_from),
    )
    cluster = workers.build()
    job = configured(context, start, models, audio, options)
    check_names(job.models, job.audio)

    from assonance.cli.plan import show_plan
    from assonance.cli.run import folder_for
    from assonance.cli.run_folder import RESULTS, RunFolder
    from assonance.cli.terminal import run

    folder = RunFolder(out or Path(job.out or folder_for(job.models)), overwrite, keep=keep)
    if not overwrite and exists(folder.path / RESULTS):
        job = with_those_of(folder.path, job)
    if dry_run:
        show_plan(job.models, job.audio, folder.path, job.request())
    else:
        request = replace(job.request(), cluster=cluster)
        run(job.models, job.audio, folder, request, diff=job.diff, sound=sound)


@app.themed(COMPARE)
@spread
def plan(
    *,
    models: Models,
    audio: Annotated[str, typer.Option(help=AUDIO, metavar="PATH")],
    hours: Annotated[
        float | None,
        typer.Option(help="Plan for this many hours of such speech instead of those there are."),
    ] = None,
    out: Out = None,
    measuring: Measuring,
    speech: Speech,
    rows: Rows,
    machine: Machine,
    layers: Layers,
    checkpoints: Checkpoints,
    certainty: Certainty,
) -> None:
    """State what `compare` with the same options would take: time, disk and memory.

    Nothing is downloaded but configurations. A few seconds of speech and a few layers are tried on
    this machine, with random weights.

    Examples
    --------
      assonance plan hubert-mini wav2vec2-mini --audio DIR
      assonance plan facebook/wav2vec2-base ./my-hubert --audio DIR --hours 10
    """
    options = Options(measuring, certainty, machine, speech, rows, layers, checkpoints)
    request = options.build(models)
    check_names(models, audio)

    from assonance.cli.plan import show_plan
    from assonance.cli.run import folder_for

    show_plan(models, audio, out or folder_for(models), request, hours)


@app.themed(COMPARE)
@spread
def diff(
    *,
    pretrained: Annotated[str, typer.Argument(help="The pretrained model.", metavar="PRETRAINED")],
    fine_tuned: Annotated[str, typer.Argument(help="The fine-tuned model.", metavar="FINETUNED")],
    audio: Annotated[str, typer.Option(help=AUDIO, metavar="PATH")],
    seed_twin: Annotated[
        str | None,
        typer.Option(
            help="PRETRAINED trained from another seed: shows how much two trainings differ.",
            metavar="MODEL",
        ),
    ] = None,
    out: Out = None,
    overwrite: Overwrite = False,
    keep: Keep = True,
    measuring: Measuring,
    certainty: Certainty,
    machine: Machine,
    workers: Workers,
    checkpoints: Checkpoints,
    on_error: Unusable = "skip",
) -> None:
    """Compare a model before and after fine-tuning: neurons, subspaces and heads, by layer.

    Examples
    --------
      assonance diff ./pretrained ./fine-tuned --audio DIR --out runs/change
      assonance diff ./pretrained ./fine-tuned --audio DIR --seed-twin ./second-seed
    """
    models = [pretrained, fine_tuned, *([seed_twin] if seed_twin else [])]
    seeds = {seed_twin: pretrained} if seed_twin else {}
    options = Options(
        *(measuring, certainty, machine),
        checkpoints=checkpoints,
        on_error=on_error,
        seeds=seeds,
        tuned_from={fine_tuned: pretrained},
    )
    request = replace(options.build(models), cluster=workers.build())
    check_names(models, audio)

    from assonance.cli.run import folder_for
    from assonance.cli.run_folder import RunFolder
    from assonance.cli.terminal import run

    folder = RunFolder(out or folder_for(models[:2]), overwrite, keep=keep)
    run(models, audio, folder, request, diff=True)


@app.themed(COMPARE)
@spread
def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("runs/demo"),
    overwrite: Overwrite = False,
    keep: Keep = True,
    measuring: Measuring,
    every: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Compare all bundled models instead of a selection: half an hour or more.",
        ),
    ] = False,
    certainty: Certainty,
) -> None:
    """Compare bundled miniature models on bundled speech, offline.

    Examples
    --------
      assonance demo
      assonance demo -m cka -m maxcorr --no-uncertainty --out runs/quick
    """
    from assonance.demo import MODELS, SPEECH, miniatures

    chosen = [each for each in miniatures() if every or each.path in MODELS]
    names = {each.name for each in chosen}
    seeds = {each.name: each.seed_of for each in chosen if each.seed_of in names}
    bases = {e.name: e.fine_tuned_from for e in chosen if e.fine_tuned_from in names}
    options = Options(measuring, certainty, Machine(offline=True), seeds=seeds, tuned_from=bases)
    models = [str(each.path) for each in chosen]
    request = options.build(models)

    from assonance.cli.run_folder import RunFolder
    from assonance.cli.terminal import run

    run(models, str(SPEECH), RunFolder(out, overwrite, keep=keep), request)


@app.themed(COMPARE)
@spread
def study(
    *,
    study: Annotated[
        str,
        typer.Argument(
            help="The study: elkheir2024, or a YAML file in its format.", metavar="STUDY"
        ),
    ],
    models: Annotated[
        str | None,
        typer.Option(
            help="Which models of the study: in elkheir2024 mini (bundled, offline; the default) "
            "or paper (public checkpoints, which are downloaded).",
            metavar="NAME",
        ),
    ] = None,
    audio: Annotated[
        str | None, typer.Option(help=f"{AUDIO} By default that of the study.", metavar="PATH")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; runs/STUDY by default.")
    ] = None,
    copy: Annotated[
        Path | None,
        typer.Option(
            help="Write the study to this YAML file, to read and change, and run nothing.",
            metavar="FILE",
        ),
    ] = None,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    machine: Machine,
) -> None:
    """Repeat a published study, and hold it against the published figures.

    Examples
    --------
      assonance study elkheir2024
      assonance study elkheir2024 --models paper --audio DIR --dry-run
    """
    from assonance.report.study import bundled_study, copy_study

    path = Path(study)
    if not path.is_file():
        path = bundled_study(study)
    if copy is not None:
        copy_study(path, copy)
        say(f"{printable(copy)}: change it, then run `assonance study {printable(copy)}`")
        return

    from assonance.cli.study import Asked
    from assonance.cli.study import study as repeat
    from assonance.models.loading import Loading

    loading = Loading(device=machine.device, offline=machine.offline)
    folder = out or Path("runs") / path.stem
    asked = Asked(path, models, audio, folder, overwrite, machine.memory, loading)
    repeat(asked, dry_run=dry_run)


@app.themed(READ)
def claims(
    run: Annotated[Path, typer.Argument(help="A run's folder, or its results.nc.", metavar="RUN")],
    config: Annotated[
        Path | None,
        typer.Option(
            help="A YAML file of claims to evaluate instead of the bundled ones.", metavar="FILE"
        ),
    ] = None,
) -> None:
    """Evaluate claims on a finished run: contrasts of its scores, with intervals.

    Examples
    --------
      assonance claims runs/demo
      assonance claims runs/demo --config mine.yaml
    """
    refuse_missing(run)
    from assonance.claims.claim import load_claims

    load_claims(config)

    from assonance.claims.verdict import format_table
    from assonance.cli.run import evaluate

    results, table = evaluate(run, config)
    for line in format_table(results):
        say(line)
    say(f"claims: {printable(table)}")


for reads in (show.show, export.export, plot.plot, report.report, explore.explore):
    app.themed(READ)(reads)
app.themed(COMPARE)(add)
app.themed(COMPARE)(extract)
for lists in (catalogue.models, catalogue.measures, catalogue.completion):
    app.themed(BESIDE)(lists)
for name, inner in (("corpus", corpus.app), ("model", model.app), ("store", store.app)):
    app.add_typer(inner, name=name, rich_help_panel=BESIDE)


def main() -> None:
    """Run the command line; print an AssonanceError as one line and exit with status 1."""
    share_heap()
    leaving_soon(_main)


def _main() -> None:
    try:
        app()
    except AssonanceError as error:
        sys.exit(_failed(error))
    except (MemoryError, RuntimeError, ImportError) as error:
        if not lacks_memory(error):
            raise
        sys.exit(_failed(too_little_memory(error)))


def _failed(why: object) -> int:
    say(f"error: {why}", err=True)
    return 1

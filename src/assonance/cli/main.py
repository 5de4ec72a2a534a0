"""The command line: `assonance compare`, `diff`, `demo`, `claims`, `models` and more."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from assonance.__about__ import __version__
from assonance.cli import corpus
from assonance.cli.option_groups import spread
from assonance.cli.options import (
    AUDIO,
    Certainty,
    Machine,
    Measuring,
    OnError,
    Out,
    Overwrite,
    Remedy,
    Rows,
    Speech,
)
from assonance.errors import AssonanceError

# torch, transformers and matplotlib take seconds to import: only a command that runs waits.
app = typer.Typer(
    help="Compare what speech models represent: neurons, layers and attention heads.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


app.add_typer(corpus.app, name="corpus")


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
@spread
def compare(
    *,
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
    overwrite: Overwrite = False,
    measuring: Measuring,
    speech: Speech,
    rows: Rows,
    machine: Machine,
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
    """Compare models on speech, every layer with every layer."""
    from assonance.cli.run import folder_for
    from assonance.cli.terminal import run

    run(
        models,
        audio,
        out or folder_for(models),
        measuring,
        speech,
        rows,
        machine,
        certainty,
        seeds=_pairs("--seed-of", "SECOND=FIRST", seed_of),
        tuned_from=_pairs("--tuned-from", "TUNED=BASE", tuned_from),
        record=record,
        precision=precision,
        on_error=on_error,
        overwrite=overwrite,
    )


@app.command()
@spread
def diff(
    *,
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
    overwrite: Overwrite = False,
    measuring: Measuring,
    certainty: Certainty,
    machine: Machine,
    on_error: OnError = Remedy.SKIP,
) -> None:
    """Say what fine-tuning changed: neurons, subspaces and heads, layer by layer."""
    from assonance.cli.run import folder_for
    from assonance.cli.terminal import run

    models = [pretrained, fine_tuned, *([seed_twin] if seed_twin else [])]
    run(
        models,
        audio,
        out or folder_for(models[:2]),
        measuring,
        Speech(),
        Rows(),
        machine,
        certainty,
        seeds={seed_twin: pretrained} if seed_twin else {},
        tuned_from={fine_tuned: pretrained},
        on_error=on_error,
        diff=True,
        overwrite=overwrite,
    )


@app.command()
@spread
def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("runs/demo"),
    overwrite: Overwrite = False,
    measuring: Measuring,
    every: Annotated[
        bool,
        typer.Option(
            "--all", help="Compare all bundled models, and not a chosen few: half an hour or more."
        ),
    ] = False,
    certainty: Certainty,
) -> None:
    """Compare bundled miniature models on bundled speech, offline."""
    from assonance.cli.terminal import run
    from assonance.demo import MODELS, SPEECH, miniatures

    chosen = [each for each in miniatures() if every or each.path in MODELS]
    names = {each.name for each in chosen}
    run(
        [str(each.path) for each in chosen],
        str(SPEECH),
        out,
        measuring,
        Speech(),
        Rows(),
        Machine(offline=True),
        certainty,
        seeds={each.name: each.seed_of for each in chosen if each.seed_of in names},
        tuned_from={
            each.name: each.fine_tuned_from for each in chosen if each.fine_tuned_from in names
        },
        overwrite=overwrite,
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
    from assonance.claims.verdict import format_table
    from assonance.cli.run import ask
    from assonance.errors import printable

    found, table = ask(run, config)
    for line in format_table(found):
        typer.echo(line)
    typer.echo(f"claims: {printable(table)}")


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


def _pairs(option: str, form: str, texts: Sequence[str]) -> dict[str, str]:
    """Split texts of the form KEY=VALUE, each key with one value other than itself."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise AssonanceError(f"{option} {text!r}: not of the form {form}")
        if key == value:
            raise AssonanceError(f"{option} {text!r}: a model cannot be its own; write {form}")
        if found.setdefault(key, value) != value:
            raise AssonanceError(
                f"{option} {text!r}: {key!r} was already given {found[key]!r}; give one"
            )
    return found


def main() -> None:
    """Run the command line; an error of the user's is one line and an exit status of 1."""
    try:
        app()
    except AssonanceError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)

"""Add measures or models to a finished run: what it holds stays as it is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from assonance.cli.checks import check_names
from assonance.cli.reading.options import Run, refuse_missing
from assonance.comparison.configuration import Configuration, merge
from assonance.errors import AssonanceError, printable

CONFIG = "config.yaml"


def add(
    run: Run,
    measure: Annotated[
        list[str],
        typer.Option(
            "--measure", "-m", help="A measure to add; repeat for several.", metavar="NAME"
        ),
    ] = [],  # noqa: B006 - read only
    model: Annotated[
        list[str],
        typer.Option("--model", help="A model to add; repeat for several.", metavar="MODEL"),
    ] = [],  # noqa: B006 - read only
) -> None:
    """Add measures or models to a finished run, from the activations that it kept.

    The results are those of a run that had asked for all at once. Scores that were there are
    computed again and must agree; if they do not, nothing is written.

    Examples
    --------
      assonance add runs/demo -m rsa
      assonance add runs/demo --model hubert-mini-large
    """
    refuse_missing(run)
    if not measure and not model:
        raise AssonanceError("nothing to add: name a measure with -m, or a model with --model")
    folder = run if run.is_dir() else run.parent
    job = joined(Configuration.read(folder / CONFIG), measure, model)
    if job.diff:
        raise AssonanceError(
            f"{printable(folder)}: is a run of `diff`, which takes no more models "
            "and measures; use `compare` with --tuned-from"
        )
    check_names(job.models, job.audio)

    from assonance.cli.run_folder import RunFolder
    from assonance.cli.terminal import run as compare

    compare(job.models, job.audio, RunFolder(folder), job.request())


def joined(saved: Configuration, measures: Sequence[str], models: Sequence[str]) -> Configuration:
    """Return a configuration with further measures and models, each once, behind those it has."""
    more = {
        "measures": tuple(dict.fromkeys((*saved.measures, *measures))),
        "models": tuple(dict.fromkeys((*saved.models, *models))),
    }
    return Configuration.make(merge(saved.values(), more))


def with_those_of(folder: Path, job: Configuration) -> Configuration:
    """Return a configuration with the measures of a finished run before its own.

    If the run differs in anything else, or cannot be read, the configuration stays as it is: the
    folder then refuses it.
    """
    try:
        saved = Configuration.read(folder / CONFIG)
    except AssonanceError:
        return job
    return Configuration.make(
        merge(job.values(), {"measures": joined(saved, job.measures, ()).measures})
    )

"""Define `assonance model`: what a model is, before it is compared."""

from typing import Annotated

import typer

from assonance.cli.lines import say
from assonance.cli.option_groups import spread
from assonance.cli.options import Checkpoints
from assonance.cli.panels import App

# Commands import what takes long when they run.
app = App(help="Inspect a model before a comparison.")


@app.callback()
def _model() -> None:
    pass


@app.themed("Commands")
@spread
def info(
    *,
    model: Annotated[
        str,
        typer.Argument(
            help="A model's directory, a checkpoint file, a Hugging Face id, or the name of a "
            "bundled model.",
            metavar="ID_OR_PATH",
        ),
    ],
    offline: Annotated[bool, typer.Option(help="Never use the network.")] = False,
    checkpoints: Checkpoints,
) -> None:
    """Print what a checkpoint is and whether it opens; exit with status 1 if it does not.

    No weight is downloaded or read.

    Examples
    --------
      assonance model info facebook/hubert-base-ls960
      assonance model info ./checkpoint_best.pt --offline
    """
    from assonance.models.huggingface.description import describe
    from assonance.models.loading import Loading

    loading = Loading(offline=offline, **checkpoints.build([model]))
    found = describe(model, loading.opening(model))
    say(found.name)
    width = max(map(len, found.facts))
    for name, value in found.facts.items():
        say(f"  {name:<{width}}  {value}")
    if found.refusal:
        raise typer.Exit(1)

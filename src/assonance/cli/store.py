"""Define `assonance store`: the activations that a run keeps."""

from pathlib import Path
from typing import Annotated

import typer

from assonance.cli.lines import say
from assonance.cli.panels import App

# Commands import what takes long when they run.
app = App(help="Describe, verify or remove the activations that a run keeps.")

Run = Annotated[Path, typer.Argument(help="A run's folder.", metavar="RUN")]


@app.themed("Commands")
def info(run: Run) -> None:
    """List the activations of each model: layers, utterances, bytes, number format.

    Examples
    --------
      assonance store info runs/demo
      assonance store info runs/mine
    """
    from assonance.activations.kept import kept_stores
    from assonance.comparison.lookup import find_folder
    from assonance.utils.memory import format_bytes

    stores = kept_stores(find_folder(run))
    for each in stores:
        widths = sorted(set(each.layers.values()))
        neurons = f"{widths[0]}" if len(widths) == 1 else f"{widths[0]} to {widths[-1]}"
        say(
            f"{each.folder.name}: {len(each.layers)} layers of {neurons} neurons, "
            f"{each.shards} utterances, {format_bytes(each.size)}, {each.precision}"
        )
    total = format_bytes(sum(each.size for each in stores))
    say(f"{len(stores)} models, {total}; `assonance store clean` removes them")


@app.themed("Commands")
def verify(run: Run) -> None:
    """Verify every checksum of activations and results; exit with status 1 if one is wrong.

    Examples
    --------
      assonance store verify runs/demo
      assonance store verify runs/mine && echo whole
    """
    from assonance.activations.kept import kept_stores
    from assonance.activations.kept import verify as find_damaged
    from assonance.comparison.lookup import RESULTS, find_folder
    from assonance.comparison.result import Comparison
    from assonance.errors import AssonanceError

    folder, damaged = find_folder(run), 0
    for each in kept_stores(folder):
        bad = find_damaged(each)
        damaged += len(bad)
        say(f"{each.folder.name}: {each.shards - len(bad)} of {each.shards} utterances are whole")
        for name in bad:
            say(f"    {name} is damaged; the next run computes it again")
    if (folder / RESULTS).exists():
        try:
            Comparison.load(folder / RESULTS)
            say(f"{RESULTS}: is whole")
        except AssonanceError as error:
            damaged += 1
            say(str(error))
    if damaged:
        raise typer.Exit(1)


@app.themed("Commands")
def clean(run: Run) -> None:
    """Remove the activations and what killed runs left; never results.

    Examples
    --------
      assonance store clean runs/demo
      assonance store clean runs/mine
    """
    from assonance.cli.run_folder import RunFolder
    from assonance.comparison.lookup import find_folder
    from assonance.utils.memory import format_bytes

    freed = RunFolder(find_folder(run)).clean()
    say(f"{format_bytes(freed)} removed")

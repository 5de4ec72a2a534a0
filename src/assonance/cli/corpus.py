"""The command line's `assonance corpus`: a look at speech before it is compared on."""

from collections import Counter
from typing import Annotated

import typer

from assonance.cli.options import AUDIO, Channel

# Whatever takes long to import waits for a command that runs.
app = typer.Typer(help="Look at speech before it is compared on.", no_args_is_help=True)


_SHOWN = 10  # of what is found of each kind


@app.command()
def check(
    audio: Annotated[str, typer.Argument(help=AUDIO, metavar="PATH")],
    channel: Channel = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Look at the listing and headers alone.")
    ] = False,
) -> None:
    """Say what is wrong with speech before a long run; fail where some cannot be used."""
    from assonance.cli.progress_bars import Bars
    from assonance.corpus import Corpus
    from assonance.corpus.check import check as find
    from assonance.errors import printable

    speech = Corpus.from_path(audio, window=None, channel=channel)
    with Bars() as bars:
        found = find(speech, deep=not quick, progress=bars)
    typer.echo(
        f"{printable(speech.name)}: {len(speech)} utterances, {speech.hours:.2f} hours, "
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

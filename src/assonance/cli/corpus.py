"""Define `assonance corpus`: checks of a corpus before a comparison."""

from collections import Counter
from typing import Annotated

import typer

from assonance.cli.lines import say
from assonance.cli.options import AUDIO, Channel
from assonance.cli.panels import App

# Commands import what takes long when they run.
app = App(help="Inspect a corpus before a comparison.")
_SHOWN = 10  # utterances of each kind of problem


@app.themed("Commands")
def check(
    audio: Annotated[str, typer.Argument(help=AUDIO, metavar="PATH")],
    channel: Channel = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Check only the listing and the headers.")
    ] = False,
) -> None:
    """Report problems of a corpus; exit with status 1 if some speech cannot be used.

    Examples
    --------
      assonance corpus check DIR
      assonance corpus check manifest.csv --quick
    """
    from assonance.corpus import Corpus
    from assonance.corpus.check import check as find_problems
    from assonance.errors import printable
    from assonance.utils.progress_bars import Bars

    speech = Corpus.from_path(audio, window=None, channel=channel)
    with Bars() as bars:
        problems = find_problems(speech, deep=not quick, progress=bars)
    say(
        f"{printable(speech.name)}: {len(speech)} utterances, {speech.hours:.2f} hours, "
        f"{len(speech.speakers)} speakers named"
    )
    for note in speech.notes:
        say(f"note: {note}")
    count: Counter[str] = Counter()
    for each in problems:
        count[each.severity] += len(each.where)
        say(f"{each.severity}: {len(each.where)} {each.what}")
        for line in each.where[:_SHOWN]:
            say(f"    {line}")
        if len(each.where) > _SHOWN:
            say(f"    and {len(each.where) - _SHOWN} more")
    unheard = "; no sample was read (--quick)" if quick else ""
    say(f"{count['error']} errors, {count['warning']} warnings{unheard}")
    if count["error"]:
        raise typer.Exit(1)

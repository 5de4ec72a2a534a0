"""Define `assonance report`: the page of a finished run, written anew."""

from pathlib import Path
from typing import Annotated

import typer

from assonance.cli.lines import say
from assonance.cli.reading.options import Hear, Run, refuse_missing


def report(
    run: Run,
    claims: Annotated[
        Path | None,
        typer.Option(help="A YAML file of claims to evaluate.", metavar="FILE"),
    ] = None,
    lead: Annotated[
        str | None,
        typer.Option(
            help="The measure that leads the page, instead of the standard one.", metavar="MEASURE"
        ),
    ] = None,
    sound: Hear = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="File to write; report.html of the run by default.", metavar="FILE"
        ),
    ] = None,
) -> None:
    """Write the report of a finished run anew from its results; nothing else is touched.

    Examples
    --------
      assonance report runs/demo --sound
      assonance report runs/demo --lead cka --claims mine.yaml -o mine.html
    """
    refuse_missing(run)
    from assonance.claims.claim import load_claims
    from assonance.comparison.lookup import open_run, was_diff
    from assonance.errors import printable
    from assonance.report.anew import NAME, write_anew
    from assonance.report.findings import pairs_of
    from assonance.report.matches import Matches

    chosen = load_claims(claims)
    folder = run if run.is_dir() else run.parent
    comparison = open_run(run)
    Matches(comparison, lead)  # refuses what cannot lead, before anything that takes time
    pairs = pairs_of(comparison, diff=was_diff(run))
    heard = None
    if sound:
        from assonance.cli.sound import check_sound, described, sound_of
        from assonance.comparison.kept_run import open_kept

        check_sound(comparison.models, comparison.provenance.measures)
        heard = sound_of(open_kept(folder, comparison))
    file = write_anew(comparison, out or folder / NAME, chosen, pairs=pairs, sound=heard, lead=lead)
    typer.echo(f"report:  {printable(file)}")
    if heard is not None:
        say(described(heard))

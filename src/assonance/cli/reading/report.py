"""Define `assonance report`: the page of a finished run, written anew."""

from pathlib import Path
from typing import Annotated

import typer

from assonance.cli.reading.options import Run, refuse_missing


def report(
    run: Run,
    claims: Annotated[
        Path | None,
        typer.Option(help="A YAML file of claims to evaluate.", metavar="FILE"),
    ] = None,
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
      assonance report runs/demo
      assonance report runs/demo --claims mine.yaml -o mine.html
    """
    refuse_missing(run)
    from assonance.claims.claim import load_claims
    from assonance.comparison.lookup import open_run
    from assonance.errors import printable
    from assonance.report.anew import NAME, write_anew

    chosen = load_claims(claims)
    folder = run if run.is_dir() else run.parent
    file = write_anew(open_run(run), out or folder / NAME, chosen)
    typer.echo(f"report:  {printable(file)}")

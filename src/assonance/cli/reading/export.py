"""Define `assonance export`: the scores of a measure as a file of numbers."""

from pathlib import Path
from typing import Annotated

import typer

from assonance.cli.reading.options import Run, listed, refuse_missing


def export(
    run: Run,
    measure: Annotated[str, typer.Argument(help="A measure that was taken.", metavar="MEASURE")],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="File to write: .csv, .tex, .parquet or .json.", metavar="FILE"
        ),
    ],
    rows: Annotated[
        list[str] | None, typer.Option(help="Model of the row layers; repeat.", metavar="MODEL")
    ] = None,
    cols: Annotated[
        list[str] | None, typer.Option(help="Model of the column layers; repeat.", metavar="MODEL")
    ] = None,
    intervals: Annotated[
        bool, typer.Option("--intervals", help="Add estimate, low and high, each a column.")
    ] = False,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="A column for each column layer.")
    ] = False,
) -> None:
    """Write the scores of a measure as numbers that read back: one a cell.

    Examples
    --------
      assonance export runs/demo cka -o cka.csv --intervals
      assonance export runs/demo cka --rows hubert-mini --cols wav2vec2-mini --matrix -o cka.tex
    """
    refuse_missing(run)
    from assonance.comparison.lookup import open_run
    from assonance.errors import AssonanceError, printable
    from assonance.tables import exported
    from assonance.utils.files import write_together

    if matrix and intervals:
        raise AssonanceError("--matrix and --intervals: give one of them; a cell has one number")
    comparison = open_run(run)
    table = exported.scores(
        comparison, measure, listed(rows) or (), listed(cols) or (), intervals=intervals
    )
    table = exported.matrix(table) if matrix else table
    write_together({out: exported.formatted(table, exported.format_of(out))})
    typer.echo(f"{printable(out)}: {len(table)} rows")

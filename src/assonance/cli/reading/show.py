"""Define `assonance show`: what a finished run found, in the terminal."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assonance.cli.reading.options import Measure, Run, refuse_missing
from assonance.errors import AssonanceError

if TYPE_CHECKING:
    import pandas as pd

    from assonance.comparison.result import Comparison


def show(
    run: Run,
    measure: Measure = None,
    best: Annotated[
        str | None,
        typer.Option(help="Best-matching layers of this layer.", metavar="MODEL:LAYER"),
    ] = None,
    neurons: Annotated[
        str | None,
        typer.Option(
            help="Neurons of this layer with the most similar matches.", metavar="MODEL:LAYER"
        ),
    ] = None,
    heads: Annotated[
        bool, typer.Option("--heads", help="Attention heads and their kinds.")
    ] = False,
    top: Annotated[int, typer.Option(help="Number of neurons.", min=1)] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what a finished run found: its summary, or a table.

    Examples
    --------
      assonance show runs/demo
      assonance show runs/demo --best hubert-mini:3 -m cka
    """
    refuse_missing(run)
    from assonance.comparison.lookup import open_run

    comparison = open_run(run)
    if sum(map(bool, (best, neurons, heads))) > 1:
        raise AssonanceError("--best, --neurons and --heads: give one of them")
    if best:
        _print(_best(comparison, best, measure), as_json=as_json)
    elif neurons:
        _print(_neurons(comparison, neurons, top), as_json=as_json)
    elif heads:
        from assonance.tables.heads import heads as described

        _print(described(comparison).reset_index(), as_json=as_json)
    else:
        from assonance.comparison.lookup import was_diff
        from assonance.report.findings import pairs_of, summary

        found = summary(comparison, pairs_of(comparison, diff=was_diff(run)))
        if as_json:
            typer.echo(json.dumps(_summary(comparison, found), ensure_ascii=False, indent=1))
        else:
            _print_summary(comparison, found)


def _best(comparison: "Comparison", cell: str, measure: str | None) -> "pd.DataFrame":
    """Return the layers of each other model that may match a layer best."""
    from assonance.comparison.lookup import find_cell
    from assonance.tables.cells import leading_measure

    model, layer = find_cell(comparison, cell)
    table = comparison.best_layers(leading_measure(comparison, measure)).reset_index()
    rows = (table["model_row"] == model) & (table["layer_row"] == layer)
    return table[rows].drop(columns=["model_row", "layer_row"])


def _neurons(comparison: "Comparison", cell: str, top: int) -> "pd.DataFrame":
    from assonance.comparison.lookup import find_cell

    return comparison.neurons_of(*find_cell(comparison, cell)).top(top).reset_index()


def _summary(comparison: "Comparison", sentences: Sequence[str]) -> dict[str, Any]:
    """Return what a program wants to have of a run."""
    record = comparison.provenance
    return {
        "models": {name: list(comparison.layers(name)) for name in comparison.models},
        "measures": list(record.measures),
        "speech": {
            "name": record.corpus.name,
            "utterances": record.corpus.utterances,
            "seconds": record.corpus.seconds,
            "frames": record.corpus.frames,
        },
        "summary": list(sentences),
        "notes": list(record.notes),
        "left_out": len(record.left_out),
        "versions": dict(record.versions),
    }


def _print_summary(comparison: "Comparison", sentences: Sequence[str]) -> None:
    from assonance.errors import join_names, printable

    record = comparison.provenance
    for name in comparison.models:
        layers = comparison.layers(name)
        typer.echo(f"{printable(name)}: {len(layers)} layers, {layers[0]} to {layers[-1]}")
    typer.echo(f"measures: {join_names(record.measures, 10**6)}")
    for sentence in sentences:
        typer.echo(f"  {sentence}")
    for note in record.notes:
        typer.echo(f"note: {note}", err=True)


def _print(table: "pd.DataFrame", *, as_json: bool) -> None:
    """Print a table for readers, or for programs."""
    if as_json:
        from assonance.tables.exported import formatted

        sys.stdout.write(formatted(table, "json").decode())
    else:
        ends = [name for name in table if str(name).endswith(("_low", "_high"))]
        shown = table.drop(columns=ends)
        typer.echo(shown.to_string(index=False, float_format="{:.3f}".format, na_rep="–"))

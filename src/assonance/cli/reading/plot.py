"""Define `assonance plot`: a figure for a paper."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from assonance.cli.option_groups import spread
from assonance.cli.reading.options import Run, Shown, listed, parse_layers, refuse_missing


@spread
def plot(
    *,
    run: Run,
    kind: Annotated[
        str,
        typer.Argument(
            help="matrix, depth, matches, localisation, neurons, heads, change or trust.",
            metavar="FIGURE",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="File to write: .pdf, .svg or .png.", metavar="FILE"),
    ],
    shown: Shown,
    pair: Annotated[
        tuple[str, str] | None,
        typer.Option(
            help="The two layers of `neurons`; by default the pair that predicts best.",
            metavar="MODEL:LAYER MODEL:LAYER",
        ),
    ] = None,
    width: Annotated[
        Literal["column", "page", "screen"],
        typer.Option(help="3.35 inches with text of 7 points, 6.9 with 8, or as in the report."),
    ] = "column",
    title: Annotated[
        str | None, typer.Option(help="Title instead of the figure's own; '' for none.")
    ] = None,
) -> None:
    """Draw a figure for a paper: vector, fonts embedded, text that can be read at its width.

    Examples
    --------
      assonance plot runs/demo matrix -m cka -o matrix.pdf
      assonance plot runs/demo depth --models hubert-mini,wav2vec2-mini --width page -o depth.svg
    """
    refuse_missing(run)
    from assonance.comparison.lookup import open_run
    from assonance.errors import AssonanceError, printable
    from assonance.plots.gallery import Gallery
    from assonance.plots.paper import save

    if pair and kind != "neurons":
        raise AssonanceError("--pair: is for `neurons`; choose others by --models and --layers")
    more: dict[str, Any] = {"row": pair[0], "col": pair[1]} if pair else {}
    figure = Gallery(open_run(run)).draw(
        kind,
        shown.measure,
        width=width,
        models=listed(shown.models),
        layers=parse_layers(shown.layers),
        title=title,
        **more,
    )
    save(figure, out)
    inches = " × ".join(f"{each:.2f}" for each in figure.get_size_inches())
    typer.echo(f"{printable(out)}: {inches} inches")

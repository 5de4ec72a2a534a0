"""Draw single neurons: best match against prediction from the whole layer."""

from typing import Any

from matplotlib.figure import Figure

from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError, printable
from assonance.plots import curves
from assonance.plots.scales import Scale
from assonance.tables import neurons as neuron_tables


def neurons(comparison: Comparison, row: str, layer_row: str, col: str, layer_col: str) -> Figure:
    """Draw each neuron of a layer by what the whole of another layer and its best neuron know.

    Parameters
    ----------
    comparison, row, layer_row, col, layer_col
        What to draw: the neurons are those of the row layer.

    Returns
    -------
    matplotlib.figure.Figure
        Points on the diagonal have a twin neuron; points among the quiet ones live only in the
        shared space. The numbers are those of `assonance.tables.neurons.neurons`.

    Raises
    ------
    AssonanceError
        Neurons were not measured, or a model or layer is unknown.
    """
    table = neuron_tables.neurons(comparison, row, layer_row, col, layer_col)
    if table.empty:
        raise AssonanceError(
            f"{printable(row)}, {printable(layer_row)}: no neuron has a score here"
        )
    figure = Figure(figsize=(6, 5.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(
        [0, 1], [0, 1], color=curves.QUIET, lw=1, label="one neuron says all that the layer knows"
    )
    across = Scale(0.0, 1.0, clipped=True).clip(table["linreg_heldout_r"])
    color, marker = curves.STYLES[0]
    best: dict[str, Any] = {"marker": marker, "ms": 5, "mew": 0, "alpha": 0.6, "color": color}
    axes.plot(across, table["maxcorr"], ls="", label="a neuron and its best match", **best)
    if "maxcorr_rotated" in table:
        words = "floor: best of randomly rotated neurons"
        floor: dict[str, Any] = {
            "marker": "x",
            "ms": 3.5,
            "mew": 0.8,
            "color": "#444444",
            "label": words,
        }
        axes.plot(across, table["maxcorr_rotated"], ls="", **floor)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    below = "≤ 0" if (table["linreg_heldout_r"] < 0).any() else "0"
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1], [below, "0.2", "0.4", "0.6", "0.8", "1"])
    there = f"{curves.short(col)} {curves.short(layer_col, 16)}"
    axes.set_xlabel(f"all of {there} together: held-out r (0 to 1)")
    axes.set_ylabel(f"best single neuron of\n{there}: |r| (0 to 1)")
    curves.ruled(axes)
    figure.legend(loc="outside lower center", ncols=1, frameon=False)
    here = f"{curves.short(row)} {curves.short(layer_row, 16)}"
    figure.suptitle(f"Same neurons, or only the same space?\nneurons of {here}", weight="bold")
    return figure

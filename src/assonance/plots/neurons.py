"""Draw single neurons: best match against prediction from the whole layer."""

from typing import Any

from matplotlib.figure import Figure

from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError, printable
from assonance.measures.roles import MATCHED, PREDICTED_R, ROTATED
from assonance.plots import curves
from assonance.plots.scales import Scale
from assonance.tables import neurons as neuron_tables
from assonance.tables.floors_and_ceilings import ROTATED_NEURONS

DIAGONAL = "best match = whole layer: one neuron predicts as well as all"
BEST_MATCH = "a neuron and its best match"


def neurons(comparison: Comparison, row: str, layer_row: str, col: str, layer_col: str) -> Figure:
    """Draw each neuron of a layer: its best match against its prediction from another layer.

    Parameters
    ----------
    comparison, row, layer_row, col, layer_col
        The two layers; the neurons are those of the row layer.

    Returns
    -------
    matplotlib.figure.Figure
        Neurons on the diagonal have a matching neuron; neurons among the grey crosses are shared
        only as directions of the space. The numbers are those of
        `assonance.tables.neurons.neurons`.

    Raises
    ------
    AssonanceError
        Neurons were not scored, or a model or layer is unknown.
    """
    table = neuron_tables.neurons(comparison, row, layer_row, col, layer_col)
    if table.empty:
        raise AssonanceError(
            f"{printable(row)}, {printable(layer_row)}: no neuron has a score here"
        )
    figure = Figure(figsize=(6, 5.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=curves.QUIET, lw=1, label=DIAGONAL)
    across = Scale(0.0, 1.0, clipped=True).clip(table[PREDICTED_R])
    color, marker = curves.STYLES[0]
    best: dict[str, Any] = {"marker": marker, "ms": 5, "mew": 0, "alpha": 0.6, "color": color}
    axes.plot(across, table[MATCHED], ls="", label=BEST_MATCH, **best)
    if ROTATED in table:
        floor: dict[str, Any] = {"marker": "x", "ms": 3.5, "mew": 0.8, "color": "#444444"}
        axes.plot(across, table[ROTATED], ls="", label=ROTATED_NEURONS.label, **floor)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    below = "≤ 0" if (table[PREDICTED_R] < 0).any() else "0"
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1], [below, "0.2", "0.4", "0.6", "0.8", "1"])
    other = f"{curves.short(col)} {curves.short(layer_col, 16)}"
    axes.set_xlabel(f"prediction of the neuron from all of\n{other}: held-out r (0 to 1)")
    axes.set_ylabel(f"best-matching single neuron of\n{other}: |r| (0 to 1)")
    curves.ruled(axes)
    figure.legend(loc="outside lower center", ncols=1, frameon=False)
    own = f"{curves.short(row)} {curves.short(layer_row, 16)}"
    figure.suptitle(f"Same neurons, or only the same space?\nneurons of {own}", weight="bold")
    return figure

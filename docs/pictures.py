"""Draw the pictures of the README from a finished demo: `make pictures`."""

import sys
from pathlib import Path

from assonance import Comparison
from assonance.plots import layers as layer_plots
from assonance.plots import neurons as neuron_plots
from assonance.tables import matches as match_tables

HERE = Path(__file__).parent / "images"


def main(results: str) -> None:
    """Draw them from a results.nc."""
    comparison = Comparison.load(results)
    pictures = {
        "matrix": layer_plots.matrix(comparison, "linreg_heldout"),
        "neurons": neuron_plots.neurons(comparison, *(match_tables.best_pair(comparison) or ())),
    }
    for name, figure in pictures.items():
        figure.savefig(HERE / f"{name}.png", dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main(sys.argv[1])

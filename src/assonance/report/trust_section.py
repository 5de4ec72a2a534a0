"""What the scores can be trusted for: dominating neurons, dependent frames, overfitting."""

from collections.abc import Iterator

import pandas as pd

from assonance import anchors, plot, tables
from assonance.describe import DESCRIPTORS
from assonance.report.figures import Picture, picture
from assonance.results import Comparison

# In-sample measures and what the same reads of held-out speech.
HELD_OUT = {"linreg": "linreg_heldout_r", "linreg_r2": "linreg_heldout"}


def dominance(comparison: Comparison) -> Iterator[Picture]:
    """Draw who owns the variance, and list what each layer is like."""
    table = tables.descriptors(comparison)
    if "top_ten_neurons" not in table:
        return
    names = {name: DESCRIPTORS[name].title.lower() for name in DESCRIPTORS}
    shown = table.drop(columns="depth_row").rename(columns=names)
    most = table["top_ten_neurons"].max()
    yield picture(
        "dominance",
        lambda: plot.dominance(comparison),
        shown.rename_axis(["model", "layer"]),
        "Share of each layer's variance that its ten neurons of most variance own. The table also "
        "tells how many directions share the variance, neurons that never change, and how many "
        "independent frames these frames are worth.",
        f"Lines by depth of the variance that ten neurons own, at most {most:.2f}.",
    )


def chance(comparison: Comparison) -> Iterator[Picture]:
    """Draw what measures read of speech that has nothing to do with what the other model hears."""
    table = anchors.chance_by_measure(comparison)
    if table.empty:
        return
    least = table["least p"].iloc[0]
    more = (
        ""
        if least <= 0.05
        else f" So few shifts cannot give a p below {least:.2g}; ask for more with --shifts."
    )
    titles = [str(comparison.scores[name].attrs.get("long_name", name)) for name in table.index]
    yield picture(
        "chance",
        lambda: plot.chance(comparison),
        table.set_axis(titles, axis="index").rename_axis("measure"),
        "What each measure reads between the models, with random weights, and where each layer is "
        "paired with what the other makes of other speech: the floor for this much speech, layers "
        "this wide and frames this dependent. Measures of different utterances (CKA, distinct "
        "utterances) have a floor of 0 by construction. Above: share of pairs whose q "
        "(Benjamini–Hochberg over all pairs of layers) is at most 0.05." + more,
        f"Dots of {len(table)} measures beside what they read of shifted speech, "
        f"{table['shifted'].min():.2f} to {table['shifted'].max():.2f}.",
    )


def overfitting(comparison: Comparison) -> Iterator[Picture]:
    """Draw in-sample scores against what is left of them in speech that was held out."""
    for name, held_out in HELD_OUT.items():
        if len(comparison.models) < 2 or not {name, held_out} <= set(comparison.scores.data_vars):
            continue
        table = tables.overfitting(comparison, name, held_out)
        if table.isna().all(axis=None):
            return
        lost = table["overfitting"].mean()
        yield picture(
            f"overfitting-{name}",
            lambda name=name, held_out=held_out: plot.overfitting(comparison, name, held_out),  # type: ignore[misc]
            _titled(table),
            "Each layer with the layer of the other model that knows it best: in sample against "
            "held out. What lies below the line is overfitting.",
            f"Scatter of in-sample against held-out scores; on average {lost:.2f} is overfitting.",
        )
        return


def _titled(table: pd.DataFrame) -> pd.DataFrame:
    words = {"in_sample": "in sample", "held_out": "held out", "layer_col": "best layer"}
    return table.rename(columns=words).rename_axis(["model", "other model", "layer"])

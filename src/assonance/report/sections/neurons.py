"""Explain similarity of single neurons."""

from collections.abc import Iterator

import pandas as pd

from assonance.comparison.result import Comparison
from assonance.errors import printable
from assonance.inference.localisation import LOCALISATION
from assonance.measures.roles import CONSENSUS, MATCHED, PREDICTED_R
from assonance.plots import layers as layer_plots
from assonance.plots import matches as match_plots
from assonance.plots import neurons as neuron_plots
from assonance.plots import scales
from assonance.report.pictures import Picture, picture
from assonance.report.sections.matches import curves
from assonance.report.sections.section import Panel, Section
from assonance.report.words import named, span
from assonance.tables import cells
from assonance.tables import layers as layer_tables
from assonance.tables import matches as match_tables
from assonance.tables import neurons as neuron_tables
from assonance.tables.floors_and_ceilings import RANDOM_WEIGHTS


def same_neurons(comparison: Comparison) -> Section | None:
    """Show whether what is shared lies in single neurons."""
    if len(comparison.models) < 2:
        return None
    pictures = [
        *_signature(comparison),
        *_localisation(comparison),
        *curves(comparison, MATCHED, "neurons-maxcorr", shares=False),
        *_consensus(comparison),
    ]
    if not pictures:
        return None
    text = (
        "Two layers can hold the same information in unrelated neurons. Compare what the whole of "
        "a layer tells of a neuron with what its best single neuron tells, and with the best of "
        "randomly rotated neurons, which share the space and no neuron."
    )
    heading = "Same neurons, or only the same space?"
    panel = Panel("", "", tuple(pictures))
    return Section("neurons", "Neurons", heading, text, (panel,), switch=False)


def _signature(comparison: Comparison) -> Iterator[Picture]:
    """Draw the neurons of the two layers that know most of each other."""
    pair = match_tables.best_pair(comparison)
    if pair is None or not {PREDICTED_R, MATCHED} <= set(comparison.neurons.data_vars):
        return
    table = neuron_tables.neurons(comparison, *pair)
    if table.empty:
        return
    row, layer_row, col, layer_col = map(printable, pair)
    yield picture(
        "signature",
        lambda: neuron_plots.neurons(comparison, *pair),
        named(table),
        f"Each neuron of {row} {layer_row}, against {col} {layer_col}: the pair of layers, of "
        "models trained apart where there are any, of which one says most of the other. On the "
        "line a neuron has a twin; among the crosses it shares the space alone.",
        f"Scatter of {len(table)} neurons: held-out r of the whole layer "
        f"{span(table[PREDICTED_R])}; best single neuron {span(table[MATCHED])}.",
    )


def _localisation(comparison: Comparison) -> Iterator[Picture]:
    """Draw the localisation index by depth."""
    predicting = cells.predicting_measure(comparison)
    if LOCALISATION not in comparison.scores or predicting is None:
        return
    table = match_tables.localisation(comparison)
    if table["value"].isna().all():
        return
    predicted = scales.title(comparison, predicting)
    ends = [name for name in ("estimate", "low", "high") if name in table]
    shown = table[["layer_col", "value", *ends, "predicted"]]
    yield picture(
        "localisation",
        lambda: match_plots.localisation(comparison),
        named(shown, value="localisation", predicted=predicted),
        "Localisation: how far the best single neuron goes from the best of randomly rotated "
        "neurons (0) to all that the layer knows (1), at the layer of the other model with the "
        f"highest {predicted}.",
        f"Lines of the localisation index by depth, {span(table['value'])}.",
    )


def _consensus(comparison: Comparison) -> Iterator[Picture]:
    """Draw which neurons every other layer has."""
    table = layer_tables.consensus(comparison) if CONSENSUS in comparison.scores else pd.DataFrame()
    if "value" not in table:
        return
    name = scales.title(comparison, CONSENSUS)
    yield picture(
        "consensus",
        lambda: layer_plots.consensus(comparison),
        named(table.drop(columns="depth_row"), value=name, floor=RANDOM_WEIGHTS.label),
        f"{name}: how well a layer's neurons are matched, on average, in whichever layer of the "
        "other models matches them worst"
        + (f"; dashed, the {RANDOM_WEIGHTS.label}" if "floor" in table else "")
        + ("; band, the 95 % interval." if "low" in table else "."),
        f"Lines of {name} by depth, {span(table['value'])}.",
    )

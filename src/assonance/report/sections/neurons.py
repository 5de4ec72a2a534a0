"""Section on neurons: whether what is shared lies in single neurons."""

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
from assonance.report.words import interval_headings, named, span
from assonance.tables import cells
from assonance.tables import layers as layer_tables
from assonance.tables import matches as match_tables
from assonance.tables import neurons as neuron_tables
from assonance.tables.floors_and_ceilings import RANDOM_WEIGHTS


def neurons_section(comparison: Comparison) -> Section | None:
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
        "Two layers can hold the same information in unrelated neurons. For each neuron, compare "
        "its prediction from the whole other layer with its best single match there, and with its "
        "best match among randomly rotated neurons: a rotation keeps the space but mixes all "
        "neurons."
    )
    heading = "Same neurons, or only the same space?"
    panel = Panel("", "", tuple(pictures))
    return Section("neurons", "Neurons", heading, text, (panel,), switch=False)


def _signature(comparison: Comparison) -> Iterator[Picture]:
    """Draw the neurons of the layer that is predicted best, against the layer that predicts it."""
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
        named(table, **interval_headings(table)),
        f"Each neuron of {row} {layer_row}: its correlation with its prediction from all of "
        f"{col} {layer_col} (across) and with its best single match there (up). Of all pairs of "
        "layers of independently trained models, if there are any, this one has the best "
        "prediction. On the line, one neuron predicts as well as the whole layer; among the "
        "crosses (randomly rotated neurons), only the space is shared.",
        f"Scatter of {len(table)} neurons: held-out r from the whole layer "
        f"{span(table[PREDICTED_R])}; best single match {span(table[MATCHED])}.",
    )


def _localisation(comparison: Comparison) -> Iterator[Picture]:
    """Draw the localisation index by depth."""
    predicting = cells.predicting_measure(comparison)
    if LOCALISATION not in comparison.scores or predicting is None:
        return
    table = match_tables.localisation(comparison)
    if table["value"].isna().all():
        return
    predictor = scales.title(comparison, predicting)
    ends = [name for name in ("estimate", "low", "high") if name in table]
    shown = table[["layer_col", "value", *ends, "predicted"]]
    yield picture(
        "localisation",
        lambda: match_plots.localisation(comparison),
        named(shown, value="localisation index", predicted=predictor),
        "Localisation index of each layer in its best match in the other model by "
        f"{predictor}. 0: the best single neuron predicts no more than the best randomly rotated "
        "one; 1: it predicts as much as the whole layer.",
        f"Lines of the localisation index by depth, {span(table['value'])}.",
    )


def _consensus(comparison: Comparison) -> Iterator[Picture]:
    """Draw how well neurons are matched in every other layer."""
    table = layer_tables.consensus(comparison) if CONSENSUS in comparison.scores else pd.DataFrame()
    if "value" not in table:
        return
    name = scales.title(comparison, CONSENSUS)
    yield picture(
        "consensus",
        lambda: layer_plots.consensus(comparison),
        named(table.drop(columns="depth_row"), value=name, floor=RANDOM_WEIGHTS.label),
        f"{name}: correlation of each neuron with its best match in the layer of the other models "
        "that matches it worst, averaged over the neurons of a layer"
        + (f"; dashed: {RANDOM_WEIGHTS.kind} ({RANDOM_WEIGHTS.words})" if "floor" in table else "")
        + ("; band: 95 % interval." if "low" in table else "."),
        f"Lines of {name} by depth, {span(table['value'])}.",
    )

"""Section on trust: chance level, overfitting, dominating neurons, dependent frames."""

from collections.abc import Iterator

import pandas as pd

from assonance.comparison.result import Comparison
from assonance.inference.intervals import coefficients_held
from assonance.measures.layer_descriptors import DESCRIPTORS
from assonance.measures.roles import DOMINANCE, HELD_OUT
from assonance.plots import trust as trust_plots
from assonance.report.pictures import Picture, picture
from assonance.report.sections.section import Panel, Section
from assonance.report.words import span
from assonance.tables import trust as trust_tables
from assonance.tables.floors_and_ceilings import SHIFTED


def _intervals(comparison: Comparison) -> str:
    """Word how intervals were computed, what they generalise to, and where they fail."""
    if not comparison.method:
        return "No intervals were computed."
    beside = "" if coefficients_held(comparison.replicates) else "and of LinReg's r "
    return (
        f"Intervals come from {comparison.method} and generalise to "
        f"{comparison.provenance.population}. SVCCA and PWCCA have none: they are not smooth where "
        "nothing is shared, and an interval would mislead. Intervals of MaxCorr (slightly too "
        f"short with the jackknife) {beside}hold where neurons share something; where they share "
        "nothing, they lie too high: read held-out scores there."
    )


def trust_section(comparison: Comparison) -> Section | None:
    """Show what scores are by chance, by overfitting and by a few neurons."""
    pictures = [
        *chance(comparison),
        *overfitting(comparison),
        *dominance(comparison),
    ]
    if not pictures:
        return None
    text = (
        "If a few neurons carry most of a layer's variance, CKA reflects mostly these: compare it "
        "with CKA of z-scored neurons. Neighbouring frames are correlated, so many frames are "
        "worth fewer independent ones; if these are fewer than the neurons, in-sample scores are "
        f"partly chance. {_intervals(comparison)}"
    )
    panel = Panel("", "", tuple(pictures))
    return Section("trust", "Trust", "Can the scores be trusted?", text, (panel,), switch=False)


_COLUMNS = {
    "value": "between models",
    "least p": "smallest possible p",
    "above": "fraction of pairs with q ≤ 0.05",
}


def dominance(comparison: Comparison) -> Iterator[Picture]:
    """Draw the variance of the ten largest neurons, and table the descriptors of each layer."""
    table = trust_tables.descriptors(comparison)
    if "top_ten_neurons" not in table:
        return
    names = {name: DESCRIPTORS[name].title.lower() for name in DESCRIPTORS}
    shown = table.drop(columns="depth_row").rename(columns=names)
    most = table["top_ten_neurons"].max()
    yield picture(
        "dominance",
        lambda: trust_plots.dominance(comparison),
        shown.rename_axis(["model", "layer"]),
        "Fraction of each layer's variance in the ten neurons with the largest variance. The table "
        "adds effective rank, constant and dead neurons, and effective frames."
        + _descriptors(comparison, table),
        f"Lines by depth of the fraction of variance in ten neurons, at most {most:.2f}.",
    )


def _descriptors(comparison: Comparison, table: pd.DataFrame) -> str:
    """Summarise the descriptors, and how far dominating neurons change CKA."""
    text = ""
    if "dead_neurons" in table:
        text += (
            f" Effective rank ranges {span(table['effective_rank'], digits=0)}; dead neurons in "
            f"total: {table['dead_neurons'].sum():.0f}."
        )
    if "effective_frames" in table:
        text += (
            f" For a mean, the {comparison.provenance.corpus.frames} frames are worth "
            f"{span(table['effective_frames'], digits=0)} independent ones; a layer with fewer "
            "than its neurons is listed in the caveats."
        )
    means = [trust_tables.chance(comparison, name)["value"].mean() for name in DOMINANCE]
    if not any(value != value for value in means):
        text += (
            f" Mean CKA between models is {means[0]:.2f} with neurons as they are and "
            f"{means[1]:.2f} with each z-scored."
        )
    return text


def chance(comparison: Comparison) -> Iterator[Picture]:
    """Draw the mean score of each measure with its circular-shift null and other references."""
    table = trust_tables.chance_by_measure(comparison)
    if table.empty:
        return
    more = (
        "The table adds the fraction of pairs of layers above the null at q ≤ 0.05 "
        "(Benjamini–Hochberg over all pairs)."
    )
    if table["above"].isna().all():
        more = "So few shifts give the mean of the null alone: for p values, set --shifts to 19."
        table = table.drop(columns=["least p", "above"])
    headings = _COLUMNS | {each.name: each.label for each in (SHIFTED, *trust_tables.averaged())}
    titles = [str(comparison.scores[name].attrs.get("long_name", name)) for name in table.index]
    yield picture(
        "chance",
        lambda: trust_plots.chance(comparison),
        table.set_axis(titles, axis="index").rename_axis("measure").rename(columns=headings),
        "Mean score of each measure over pairs of layers of different models, and its references: "
        "random weights, log-mel frames (too low for single neurons, which have only 80 bands to "
        "match) and the circular-shift null, where the other layer is shifted to unrelated speech. "
        "The null is the score by chance for this amount of speech, this layer width and this "
        "dependence between frames. It is 0 by construction for measures between distinct "
        f"utterances (CKA, distinct utterances). {more}{_twin_layers(comparison, table.index[0])}",
        f"Dots of {len(table)} measures beside their circular-shift null, "
        f"{table[SHIFTED.name].min():.2f} to {table[SHIFTED.name].max():.2f}.",
    )


def _twin_layers(comparison: Comparison, measure: str) -> str:
    """Name the layers of random twins that were compared, if these are not all."""
    return "".join(
        f" {twin}: compared at layers {', '.join(layers)}."
        for twin, layers in trust_tables.twin_layers(comparison, measure).items()
    )


def overfitting(comparison: Comparison) -> Iterator[Picture]:
    """Draw in-sample scores against held-out scores."""
    for name, held_out in HELD_OUT.items():
        if len(comparison.models) < 2 or not {name, held_out} <= set(comparison.scores.data_vars):
            continue
        table = trust_tables.overfitting(comparison, name, held_out)
        if table.isna().all(axis=None):
            return
        lost = table["overfitting"].mean()
        yield picture(
            f"overfitting-{name}",
            lambda name=name, held_out=held_out: trust_plots.overfitting(
                comparison, name, held_out
            ),  # type: ignore[misc]
            _titled(table),
            "Each layer with the layer of the other model that predicts it best: score in sample "
            "and on held-out speech. The distance below the line is overfitting: on average "
            f"{lost:.3f} of the in-sample mean of {table['in_sample'].mean():.3f}.",
            f"Scatter of in-sample and held-out scores; on average {lost:.2f} is overfitting.",
        )
        return


def _titled(table: pd.DataFrame) -> pd.DataFrame:
    words = {"in_sample": "in sample", "held_out": "held out", "layer_col": "best match"}
    return table.rename(columns=words).rename_axis(["model", "other model", "layer"])

"""What the scores can be trusted for: dominating neurons, dependent frames, overfitting."""

from collections.abc import Iterator

import pandas as pd

from assonance.comparison.result import Comparison
from assonance.measures.layer_descriptors import DESCRIPTORS
from assonance.measures.roles import DOMINANCE, HELD_OUT
from assonance.plots import trust as trust_plots
from assonance.report.pictures import Picture, picture
from assonance.report.sections.section import Panel, Section
from assonance.report.words import span
from assonance.tables import trust as trust_tables
from assonance.tables.floors_and_ceilings import SHIFTED


def _intervals(comparison: Comparison) -> str:
    """Say what made the intervals, and what they are about."""
    if not comparison.method:
        return "There are no intervals"
    about = comparison.provenance.population
    return f"Intervals are those of {comparison.method}, and about {about}"


def trust(comparison: Comparison) -> Section | None:
    """Show what the numbers can be trusted for."""
    pictures = [
        *chance(comparison),
        *overfitting(comparison),
        *dominance(comparison),
    ]
    if not pictures:
        return None
    text = (
        "What lies behind the scores. Where a few neurons own most of a layer's variance, CKA "
        "sees these alone: read CKA of z-scored neurons beside it. Neighbouring frames are alike, "
        "so that many frames tell as much as a few independent ones: where these are fewer than "
        "the neurons, what is scored in sample is partly chance. "
        f"{_intervals(comparison)}; "
        "a measure without one (SVCCA, PWCCA) has a kink where nothing is shared, so that none "
        "would be honest; those of MaxCorr (a little short by the jackknife) and LinReg's r are "
        "where neurons share something, and too high where they share nothing: read R² and "
        "held-out scores there."
    )
    panel = Panel("", "", tuple(pictures))
    return Section("trust", "Trust", "Can I trust it?", text, (panel,), switch=False)


_COLUMNS = {
    "value": "between models",
    "least p": "least possible p",
    "above": "share of pairs with q ≤ 0.05",
}


def dominance(comparison: Comparison) -> Iterator[Picture]:
    """Draw who owns the variance, and list what each layer is like."""
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
        "Share of each layer's variance that its ten neurons of most variance own. The table also "
        "tells how many directions share the variance, neurons that hardly vary or never change, "
        "and how many independent frames these frames are worth." + _in_short(comparison, table),
        f"Lines by depth of the variance that ten neurons own, at most {most:.2f}.",
    )


def _in_short(comparison: Comparison, table: pd.DataFrame) -> str:
    """Say in a line or two what the layers are like, and what dominance does to CKA."""
    said = ""
    if "dead_neurons" in table:
        said += (
            f" Effective rank {span(table['effective_rank'], digits=0)}; dead neurons in all: "
            f"{table['dead_neurons'].sum():.0f}."
        )
    if "effective_frames" in table:
        said += (
            f" Of a mean, the {comparison.provenance.corpus.frames} frames tell as much as "
            f"independent ones {span(table['effective_frames'], digits=0)} in number; where that "
            "is fewer than a layer's neurons, the page says so first and names the remedy."
        )
    known = [trust_tables.chance(comparison, name)["value"].mean() for name in DOMINANCE]
    if not any(value != value for value in known):
        said += (
            f" Between models CKA reads {known[0]:.2f} with neurons as they are, "
            f"{known[1]:.2f} where each counts the same."
        )
    return said


def chance(comparison: Comparison) -> Iterator[Picture]:
    """Draw what measures read of speech that has nothing to do with what the other model hears."""
    table = trust_tables.chance_by_measure(comparison)
    if table.empty:
        return
    least = table["least p"].iloc[0]
    more = (
        ""
        if least <= 0.05
        else f" So few shifts cannot give a p below {least:.2g}; ask for more with --shifts."
    )
    headings = _COLUMNS | {each.name: each.label for each in (SHIFTED, *trust_tables.averaged())}
    titles = [str(comparison.scores[name].attrs.get("long_name", name)) for name in table.index]
    yield picture(
        "chance",
        lambda: trust_plots.chance(comparison),
        table.set_axis(titles, axis="index").rename_axis("measure").rename(columns=headings),
        "What each measure reads between the models, with random weights, with log-mel frames (of "
        "neurons a low floor: they have 80 bands to match), and where each layer is "
        "paired with what the other makes of other speech: the floor for this much speech, layers "
        "this wide and frames this dependent. Measures of different utterances (CKA, distinct "
        "utterances) have a floor of 0 by construction. The table has the share of pairs of "
        "layers that are above shifted speech with q (Benjamini–Hochberg over all pairs) of at "
        "most 0.05." + more,
        f"Dots of {len(table)} measures beside what they read of shifted speech, "
        f"{table[SHIFTED.name].min():.2f} to {table[SHIFTED.name].max():.2f}.",
    )


def overfitting(comparison: Comparison) -> Iterator[Picture]:
    """Draw in-sample scores against what is left of them in speech that was held out."""
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
            "Each layer with the layer of the other model that knows it best: in sample against "
            "held out. What lies below the line is overfitting: on average "
            f"{lost:.3f} of the {table['in_sample'].mean():.3f} read in sample.",
            f"Scatter of in-sample against held-out scores; on average {lost:.2f} is overfitting.",
        )
        return


def _titled(table: pd.DataFrame) -> pd.DataFrame:
    words = {"in_sample": "in sample", "held_out": "held out", "layer_col": "best layer"}
    return table.rename(columns=words).rename_axis(["model", "other model", "layer"])

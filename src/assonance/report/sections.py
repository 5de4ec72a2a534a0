"""The sections of the page, each left out where its measures were not taken."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd

from assonance import change_plot, changes, match_tables, neuron_tables, plot, scales, tables
from assonance.outside import listing, one_line
from assonance.report import change_section, head_section, trust_section
from assonance.report.depth_curves import curves
from assonance.report.figures import Picture, cell, picture
from assonance.report.words import level, named, span
from assonance.results import Comparison
from assonance.tuned_pairs import Pair

_FIRST = ("linreg_heldout", "cka", "maxcorr", "attn_js")


@dataclass(frozen=True)
class Panel:
    """Pictures of one measure, and what the measure is."""

    label: str
    text: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Section:
    """A question and its pictures.

    Attributes
    ----------
    id, short, heading
        Its anchor, its name in the navigation, the question.
    text
        How to read it.
    panels
        What is shown; one at a time where `switch` says so and the reader's browser can.
    """

    id: str
    short: str
    heading: str
    text: str
    panels: tuple[Panel, ...]
    switch: bool = True

    @property
    def readings(self) -> bool:
        """Whether some of its pictures can be read raw or as a share."""
        return any(picture.reading for panel in self.panels for picture in panel.pictures)


def sections(comparison: Comparison, pairs: Sequence[Pair]) -> list[Section]:
    """Make every section that the measures allow."""
    made = [
        alike(comparison),
        depths(comparison),
        fine_tuning(comparison, pairs),
        same_neurons(comparison),
        heads(comparison),
        trust(comparison),
    ]
    return [section for section in made if section is not None]


def alike(comparison: Comparison) -> Section | None:
    """Show all layers of all models against each other."""
    panels = _matrices(comparison, _names(comparison, "neuron", "layer"))
    if not panels:
        return None
    text = (
        "Every layer of every model against every other. A tile is a pair of models, the first "
        "layer at its bottom left; the numbers of rows and columns differ where a measure asks "
        "how much the column layer says of the row layer. Hatched: not measured."
    )
    return Section("alike", "Models alike", "Which models are alike?", text, panels)


def depths(comparison: Comparison) -> Section | None:
    """Show which layers go together."""
    if len(comparison.models) < 2:
        return None
    names = [name for name in _names(comparison, "neuron", "layer") if name != "maxcorr_rotated"]
    panels = tuple(_depth_panel(comparison, name) for name in names)
    if not panels:
        return None
    text = (
        "For each layer of a model, the layer of another model that is most similar: first how "
        "similar it is, then where it lies. What lies on the dashed floor is no likeness: "
        "models that learnt nothing, or neurons mixed at random, reach it as well."
    )
    return Section("depth", "Depth", "Which depth matches which?", text, panels)


def fine_tuning(comparison: Comparison, pairs: Sequence[Pair]) -> Section | None:
    """Show what changed between models and the same models fine-tuned."""
    if not pairs:
        return None
    changed = {pair: changes.layers(comparison, pair) for pair in pairs}
    names = change_section.measures(changed[pairs[0]])
    names.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    panels = []
    for name in names:
        pictures = [*change_section.curves(comparison, changed, name, f"m{names.index(name)}")]
        pictures += change_section.single_heads(comparison, pairs, name, f"m{names.index(name)}")
        base = name.removesuffix(changes.OWN)
        label = change_plot.title_of(comparison, name)
        panels.append(Panel(label, _what(comparison, base), tuple(pictures)))
    text, heading = change_section.TEXT, "What did fine-tuning change?"
    return Section("change", "Fine-tuning", heading, text, tuple(panels))


def _intervals(comparison: Comparison) -> str:
    """Say what made the intervals, and what they are about."""
    if not comparison.method:
        return "There are no intervals"
    about = comparison.provenance.population
    return f"Intervals are those of {comparison.method}, and about {about}"


def same_neurons(comparison: Comparison) -> Section | None:
    """Show whether what is shared lies in single neurons."""
    if len(comparison.models) < 2:
        return None
    pictures = [
        *_signature(comparison),
        *_localisation(comparison),
        *curves(comparison, "maxcorr", "neurons-maxcorr", shares=False),
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


def heads(comparison: Comparison) -> Section | None:
    """Show how alike attention is."""
    names = _names(comparison, "head")
    if not names:
        return None
    panels = [
        _panel(
            comparison,
            name,
            chain(
                _matrix(comparison, name),
                head_section.matches(comparison, name, _slug(comparison, name)),
            ),
        )
        for name in names
    ]
    kinds = tuple(head_section.kinds(comparison))
    if kinds:
        panels.append(Panel("Kinds of heads", head_section.KINDS_TEXT, kinds))
    text = (
        "How alike the attention maps of two layers are: the best match of each head of the row "
        "layer, averaged. The input of the first block has no attention and is hatched."
    )
    return Section("heads", "Heads", "Which heads do the same?", text, tuple(panels))


def trust(comparison: Comparison) -> Section | None:
    """Show what the numbers can be trusted for."""
    pictures = [
        *trust_section.chance(comparison),
        *trust_section.overfitting(comparison),
        *trust_section.dominance(comparison),
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


def _names(comparison: Comparison, *levels: str) -> list[str]:
    """Name the measures of some levels, the telling ones first."""
    names = [name for name in tables.measures(comparison) if level(name) in levels]
    return sorted(names, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))


def _what(comparison: Comparison, measure: str) -> str:
    """Say in a line what a measure is and where it comes from."""
    attributes = comparison.scores[measure].attrs
    parts = [
        f"{attributes['description']}." if attributes.get("description") else "",
        f"Scale: {scales.scale(comparison, measure)}.",
        f"Source: {attributes['source']}." if attributes.get("source") else "",
    ]
    return " ".join(filter(None, parts))


def _panel(comparison: Comparison, measure: str, pictures: Iterator[Picture]) -> Panel:
    """Put a measure's pictures together."""
    return Panel(scales.title(comparison, measure), _what(comparison, measure), tuple(pictures))


def _matrices(comparison: Comparison, names: list[str]) -> tuple[Panel, ...]:
    """Make a panel with a matrix for each measure."""
    return tuple(_panel(comparison, name, _matrix(comparison, name)) for name in names)


def _matrix(comparison: Comparison, measure: str) -> Iterator[Picture]:
    """Draw one measure of all layers."""
    table = tables.matrix(comparison, measure)
    if table.isna().all(axis=None):
        return
    name = scales.title(comparison, measure)
    models = listing([one_line(model) for model in comparison.models])
    sure = measure in comparison.intervals
    yield picture(
        f"matrix-{_slug(comparison, measure)}",
        lambda: plot.matrix(comparison, measure),
        _with_intervals(comparison, measure, table) if sure else table,
        f"{name}: each row layer compared with each column layer."
        + (" The table has the 95 % interval of each." if sure else ""),
        f"Matrix of {name}, {len(table)} layers of {models}; {_between(table)}",
    )


def _with_intervals(comparison: Comparison, measure: str, table: pd.DataFrame) -> pd.DataFrame:
    """Write each score of a matrix with its interval."""
    low, high = (tables.matrix(comparison, measure, statistic=end) for end in ("low", "high"))
    cells = [
        [
            cell(value) if start != start else f"{cell(value)} [{cell(start)}, {cell(end)}]"
            for value, start, end in zip(*rows, strict=True)
        ]
        for rows in zip(table.to_numpy(), low.to_numpy(), high.to_numpy(), strict=True)
    ]
    return pd.DataFrame(cells, index=table.index, columns=table.columns)


def _depth_panel(comparison: Comparison, measure: str) -> Panel:
    """Curves, and where the best layers lie."""
    name = scales.title(comparison, measure)
    slug = _slug(comparison, measure)

    def pictures() -> Iterator[Picture]:
        yield from curves(comparison, measure, f"curves-{slug}")
        table = match_tables.ridge(comparison, measure)
        if table["value"].isna().all():
            return
        apart = (table["depth_row"] - table["depth_col"]).abs().mean()
        yield picture(
            f"ridge-{slug}",
            lambda: plot.best_layers(comparison, measure),
            named(table[["depth_row", "layer_col", "depth_col"]]),
            f"Where the most similar layer lies, by {name}; dashed: at equal depth.",
            f"Lines of the best-matching layer by depth; on average {apart:.2f} of a model's depth "
            "away from equal depth.",
        )

    return _panel(comparison, measure, pictures())


def _signature(comparison: Comparison) -> Iterator[Picture]:
    """Draw the neurons of the two layers that know most of each other."""
    pair = match_tables.best_pair(comparison)
    if pair is None or not {"linreg_heldout_r", "maxcorr"} <= set(comparison.neurons.data_vars):
        return
    table = neuron_tables.neurons(comparison, *pair)
    if table.empty:
        return
    row, layer_row, col, layer_col = map(one_line, pair)
    yield picture(
        "signature",
        lambda: plot.neurons(comparison, *pair),
        named(table),
        f"Each neuron of {row} {layer_row}, against {col} {layer_col}: the pair of layers, of "
        "models trained apart where there are any, of which one says most of the other. On the "
        "line a neuron has a twin; among the crosses it shares the space alone.",
        f"Scatter of {len(table)} neurons: held-out r of the whole layer "
        f"{span(table['linreg_heldout_r'])}; best single neuron {span(table['maxcorr'])}.",
    )


def _localisation(comparison: Comparison) -> Iterator[Picture]:
    """Draw the localisation index by depth."""
    knowing = match_tables.knowing_measure(comparison)
    if "localisation" not in comparison.scores or knowing is None:
        return
    table = match_tables.localisation(comparison)
    if table["value"].isna().all():
        return
    known = scales.title(comparison, knowing)
    ends = [name for name in ("estimate", "low", "high") if name in table]
    shown = table[["layer_col", "value", *ends, "known"]]
    yield picture(
        "localisation",
        lambda: plot.localisation(comparison),
        named(shown, value="localisation", known=known),
        "Localisation: how far the best single neuron goes from the best of randomly rotated "
        "neurons (0) to all that the layer knows (1), at the layer of the other model with the "
        f"highest {known}.",
        f"Lines of the localisation index by depth, {span(table['value'])}.",
    )


def _consensus(comparison: Comparison) -> Iterator[Picture]:
    """Draw which neurons every other layer has."""
    table = tables.consensus(comparison) if "mincorr" in comparison.scores else pd.DataFrame()
    if "value" not in table:
        return
    name = scales.title(comparison, "mincorr")
    yield picture(
        "consensus",
        lambda: plot.consensus(comparison),
        named(table.drop(columns="depth_row"), value=name, floor="floor: random weights"),
        f"{name}: how well a layer's neurons are matched, on average, in whichever layer of the "
        "other models matches them worst"
        + ("; dashed, the floor: random weights" if "floor" in table else "")
        + ("; band, the 95 % interval." if "low" in table else "."),
        f"Lines of {name} by depth, {span(table['value'])}.",
    )


def _between(table: pd.DataFrame) -> str:
    """Say what is highest between different models."""
    models = table.index.get_level_values("model")
    other = models.to_numpy()[:, None] != models.to_numpy()[None, :]
    values = table.to_numpy()
    if not np.isfinite(values[other]).any():
        return f"values from {np.nanmin(values):.2f} to {np.nanmax(values):.2f}."
    between = np.where(other & np.isfinite(values), values, -np.inf)
    i, j = divmod(int(between.argmax()), between.shape[1])
    row, col = (" ".join(map(one_line, table.index[place])) for place in (i, j))
    return f"highest between two models {between[i, j]:.2f}, {row} with {col}."


def _slug(comparison: Comparison, measure: str) -> str:
    """Name a measure in an id: its own name where that is safe, its number otherwise."""
    safe = measure.isascii() and measure.isidentifier()
    return measure if safe else str(tables.measures(comparison).index(measure))

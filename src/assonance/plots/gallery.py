"""Draw any figure of a comparison by its name: of chosen models and layers, at a chosen width."""

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.figure import Figure

from assonance.comparison.lookup import find_cell, find_measure
from assonance.comparison.result import Comparison
from assonance.comparison.selecting import Layers, select
from assonance.errors import AssonanceError, did_you_mean, printable
from assonance.measures.roles import CHANGE
from assonance.plots import changes, heads, layers, matches, neurons, trust
from assonance.plots.paper import Width, fit
from assonance.tables import changes as change_tables
from assonance.tables import matches as match_tables
from assonance.tables.cells import leading_measure

KINDS = ("matrix", "depth", "matches", "localisation", "neurons", "heads", "change", "trust")


class Gallery:
    """The figures of a comparison, each a method; also `draw`, by a figure's name.

    Every method takes

    - ``width``: ``"column"`` (3.35 inches, text of 7 points), ``"page"`` (6.9 inches, 8 points) or
      ``"screen"``;
    - ``models`` and ``layers``, as `Comparison.select` takes them;
    - ``title``: instead of the figure's own, empty for none.

    Each returns a `matplotlib.figure.Figure`, for ``savefig`` or `assonance.plots.paper.save`.
    """

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison

    def matrix(self, measure: str | None = None, *, twins: bool = False, **how: Any) -> Figure:
        """Draw the scores of all layers with all layers."""
        return self._drawn(
            lambda one: layers.matrix(one, leading_measure(one, measure), twins=twins), how
        )

    def depth(self, measure: str | None = None, **how: Any) -> Figure:
        """Draw the similarity of each layer to the best layer of each other model, by depth."""
        return self._drawn(
            lambda one: matches.depth_curves(one, leading_measure(one, measure)), how
        )

    def matches(self, measure: str | None = None, **how: Any) -> Figure:
        """Draw the depth of the most similar layer of each other model."""
        return self._drawn(lambda one: matches.best_layers(one, leading_measure(one, measure)), how)

    def localisation(self, **how: Any) -> Figure:
        """Draw the localisation index by depth."""
        return self._drawn(matches.localisation, how)

    def neurons(self, row: str | None = None, col: str | None = None, **how: Any) -> Figure:
        """Draw each neuron of a layer: its best match against its prediction by another layer.

        Parameters
        ----------
        row, col
            The two layers, such as ``"hubert-mini:3"``; by default those of two independently
            trained models of which one predicts the other best.
        **how
            See `Gallery`.
        """
        return self._drawn(lambda one: neurons.neurons(one, *_layers(one, row, col)), how)

    def heads(self, measure: str | None = None, **how: Any) -> Figure:
        """Draw the offset profile of every head or, by a measure, its best match."""
        if measure is None:
            return self._drawn(heads.head_kinds, how)
        return self._drawn(lambda one: heads.head_matches(one, find_measure(one, measure)), how)

    def change(self, measure: str | None = None, **how: Any) -> Figure:
        """Draw the similarity of each layer to itself after fine-tuning."""
        return self._drawn(lambda one: _change(one, measure), how)

    def trust(self, **how: Any) -> Figure:
        """Draw the mean score of each measure with its null and its references."""
        return self._drawn(trust.chance, how)

    def draw(self, kind: str, measure: str | None = None, **how: Any) -> Figure:
        """Draw a figure by its name.

        Parameters
        ----------
        kind
            One of `KINDS`.
        measure
            Name of a measure, for the figures of one measure; a standard choice by default.
        **how
            See `Gallery`.

        Raises
        ------
        AssonanceError
            There is no such figure, or what it shows was not computed.
        """
        if kind not in KINDS:
            near = did_you_mean(kind, KINDS, 0.5)
            raise AssonanceError(
                f"figure {printable(kind)!r}: choose from {', '.join(KINDS)}{near}"
            )
        given = {} if measure is None else {"measure": measure}
        if given and kind in ("localisation", "neurons", "trust"):
            raise AssonanceError(f"figure {kind!r}: is of no single measure; leave -m out")
        figure: Figure = getattr(self, kind)(**given, **how)
        return figure

    def _drawn(self, draw: Callable[[Comparison], Figure], how: dict[str, Any]) -> Figure:
        """Draw a figure of the selected models and layers, and fit it to a width."""
        options = {"width": "screen", "models": None, "layers": None, "title": None, **how}
        unknown = [name for name in how if name not in ("width", "models", "layers", "title")]
        if unknown:
            raise TypeError(f"unexpected keyword argument {unknown[0]!r}")
        models: Sequence[str] | None = options["models"]
        chosen: Layers | None = options["layers"]
        one = self._comparison
        if models is not None or chosen is not None:
            one = select(one, models, chosen)
        width: Width = options["width"]
        return fit(draw(one), width, options["title"])


def _layers(comparison: Comparison, row: str | None, col: str | None) -> tuple[str, str, str, str]:
    """Return the two layers whose neurons are drawn."""
    if row is not None and col is not None:
        return (*find_cell(comparison, row), *find_cell(comparison, col))
    if row is not None or col is not None:
        raise AssonanceError("neurons: give both layers, or none for the pair that predicts best")
    pair = match_tables.best_pair(comparison)
    if pair is None:
        raise AssonanceError("neurons: no layer of one model predicts one of another in this run")
    return pair


def _change(comparison: Comparison, measure: str | None) -> Figure:
    """Draw what fine-tuning changed, by a measure or the first of `CHANGE` that was taken."""
    pairs = change_tables.pairs(comparison)
    if not pairs:
        raise AssonanceError(
            "change: no model of this run is known to be fine-tuned from another; compare with "
            "--tuned-from TUNED=BASE"
        )
    if measure is None:
        candidates = [name for names in CHANGE.values() for name in names]
        measure = next((name for name in candidates if name in comparison.scores), None)
    return changes.layers(comparison, pairs, leading_measure(comparison, measure))

"""Register measures, each with a declaration of its properties."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict, TypeVar, Unpack

import torch
from torch import Tensor

from assonance.measures.names import Level, names_in, refuse_unknown
from assonance.settings import Settings

# Statistics for which a circular-shift null is computed. Measures of distinct utterances have a
# null of 0.
SHIFTED = ("moments", "folds", "sample")
Function = TypeVar("Function", bound=Callable[..., Any])

Need = Literal[
    "moments",
    "norms",
    "blocks",
    "folds",
    "sample",
    "head distances",
    "head correlations",
    "head divergences",
    "head kernels",
]

Invariance = Literal[
    "translation",
    "scale",
    "neuron scale",
    "neuron sign",
    "permutation",
    "orthogonal",
    "linear",
    "column linear",
    "head permutation",
    "utterance permutation",
    "common query permutation",
    "common key permutation",
    "key permutation",
]


@dataclass(frozen=True)
class NeuronScores:
    """Scores of the neurons of a row layer, one each.

    Attributes
    ----------
    values
        Scores, NaN for a constant neuron; shape (Dx,).
    match
        Index of the matched neuron of the column layer, −1 for a constant one; shape (Dx,).
        None if the measure matches no single neurons.
    draws
        If the values are means over random draws, the mean score of the layer in each; shape (R,).
    deviations
        In that case, the standard deviation of each neuron's score over the draws; shape (Dx,).
    """

    values: Tensor
    match: Tensor | None = None
    draws: Tensor | None = None
    deviations: Tensor | None = None

    def mean(self) -> float:
        """Return the mean over neurons that vary; NaN if none does."""
        return float(self.values.nanmean())


@dataclass(frozen=True)
class LayerScore:
    """A score of a layer that depends on the number of directions compared.

    Attributes
    ----------
    value
        The score.
    rank
        Number of canonical correlations in it.
    """

    value: float
    rank: int


@dataclass(frozen=True)
class Measure:
    """A similarity measure and its declared properties, each of which the tests check.

    Attributes
    ----------
    name, title
        Its name in code and on the command line, and its title in plots.
    level
        ``"neuron"``: one score for each neuron of the row layer, averaged. ``"layer"``: one score
        for each pair of layers. ``"head"``: one score for each pair of heads; the best match of
        each row head, averaged.
    needs
        The statistics that it is a function of. ``"norms"`` and ``"blocks"`` are moments with the
        sums over frames, or over utterances, of `HsicBlockSums`. Those of heads
        are the parts of `HeadSums`.
    symmetric
        Whether rows and columns can be exchanged.
    range
        Lowest and highest possible value; None for no bound.
    invariances
        Transformations of either layer that leave the score unchanged: ``"translation"``, a common
        ``"scale"``, a positive ``"neuron scale"`` for each neuron, a ``"neuron sign"`` for each, a
        ``"permutation"`` of neurons, an ``"orthogonal"`` map, any invertible ``"linear"`` map, or
        one of the column layer alone. Of attention: a permutation of either layer's heads, of the
        utterances, of queries or keys in both layers alike, of keys in either.
    source
        The publication that defines it.
    across
        ``"min"`` if a neuron's score is its lowest over all other layers.
    smooth
        Whether the jackknife is valid. A score with a kink at correlations of 0 has no interval.
    rowwise
        Whether a neuron's score depends on no other neuron of its own layer, so that neurons of
        several layers can be scored together.
    least_groups
        Least number of folds (held-out measures) or of utterances that a score needs.
    regression
        ``"r"`` or ``"r2"`` if the score is the multiple correlation or R² of a least-squares
        regression on the whole column layer, in sample or held out. For an unlimited amount of
        speech both are the same, and so is the way to their intervals.
    function
        Computes the score from the statistics and the settings.
    """

    name: str
    title: str
    level: Level
    needs: Need
    symmetric: bool
    range: tuple[float | None, float | None]
    invariances: frozenset[Invariance]
    source: str
    function: Callable[..., Any]
    across: Literal["min"] | None = None
    smooth: bool = True
    rowwise: bool = False
    least_groups: int = 1
    regression: Literal["r", "r2"] | None = None

    @property
    def interval(self) -> bool:
        """Whether its scores have intervals: it is smooth and a function of sums."""
        return self.smooth and self.needs != "sample"

    @property
    def scale(self) -> Literal["artanh", "plain"]:
        """Scale on which intervals are computed: artanh if the range is bounded at both ends.

        Held-out scores keep the plain scale. They are biased downwards, and artanh would add to it.
        """
        return "plain" if None in self.range or self.needs == "folds" else "artanh"

    def replicated(self, settings: Settings) -> bool:
        """Return whether its scores have intervals under these settings.

        Measures of distinct frames (``"norms"``) have no bootstrap: a frame drawn twice is not two
        distinct frames.
        """
        return self.interval and (settings.bootstrap is None or self.needs != "norms")

    @property
    def summary(self) -> str:
        """First sentence of the measure's docstring, as a noun phrase."""
        line = (self.function.__doc__ or "").strip().splitlines()[0].rstrip(".")
        phrase = line.removeprefix("Compute ").removeprefix("the ")
        return phrase[:1].upper() + phrase[1:]


MEASURES: dict[str, Measure] = {}
# Standardising removes the scale and mean of each neuron. No measure here depends on their order.
STANDARDISED: tuple[Invariance, ...] = (
    *("translation", "scale", "neuron scale", "neuron sign", "permutation"),
)
ROTATION_FREE: tuple[Invariance, ...] = (
    *("translation", "scale", "neuron sign", "permutation", "orthogonal"),
)
ORDER_FREE: tuple[Invariance, ...] = (
    *("head permutation", "utterance permutation"),
    *("common query permutation", "common key permutation"),
)


class Declaration(TypedDict):
    """What a measure declares of itself: the fields of `Measure` other than name and function."""

    title: str
    level: Level
    needs: Need
    symmetric: bool
    range: tuple[float | None, float | None]
    source: str
    invariances: NotRequired[Iterable[Invariance]]
    across: NotRequired[Literal["min"]]
    smooth: NotRequired[bool]
    rowwise: NotRequired[bool]
    least_groups: NotRequired[int]
    regression: NotRequired[Literal["r", "r2"]]


def measure(**declaration: Unpack[Declaration]) -> Callable[[Function], Function]:
    """Register the decorated function as a measure, under the name of the function."""

    def register(function: Function) -> Function:
        name = function.__name__
        fields: dict[str, Any] = {"invariances": (), **declaration}
        fields["invariances"] = frozenset(fields["invariances"])
        MEASURES[name] = Measure(name=name, function=function, **fields)
        return function

    return register


def find(names: Iterable[str], levels: Iterable[Level]) -> list[Measure]:
    """Return measures by name.

    Raises
    ------
    AssonanceError
        A name is unknown, or its measure is of another level; or names are not in a list.
    """
    levels = tuple(levels)
    listed = names_in(names)
    refuse_unknown(listed, [name for name, each in MEASURES.items() if each.level in levels])
    return [MEASURES[name] for name in listed]


def spread(values: Tensor, varies: Tensor, fill: float = torch.nan) -> Tensor:
    """Scatter the scores of varying neurons among all neurons; shape (D,)."""
    return values.new_full(varies.shape, fill).masked_scatter(varies, values)

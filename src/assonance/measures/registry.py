"""What a measure declares of itself, and the list of all that have done so."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

from assonance.errors import AssonanceError
from assonance.settings import Settings

# What the shift null is read from. What compares distinct utterances has no floor but 0.
SHIFTED = ("moments", "folds", "sample")


Function = TypeVar("Function", bound=Callable[..., Any])


Level = Literal["neuron", "layer", "head"]


Need = Literal[
    "moments", "norms", "blocks", "folds", "sample", "heads", "head divergences", "head kernels"
]


Invariance = Literal["translation", "scale", "neuron scale", "permutation", "orthogonal", "linear"]


@dataclass(frozen=True)
class NeuronScores:
    """One score a neuron of the row layer.

    Attributes
    ----------
    values
        NaN for a constant neuron; shape (Dx,).
    match
        Index of the matched neuron of the column layer, −1 for a constant one; shape (Dx,).
        None where the measure matches no single neuron.
    draws
        Where the values are means over random draws, the layer's score in each; shape (R,).
    deviations
        There, the standard deviation of each neuron's score over the draws; shape (Dx,).
    """

    values: Tensor
    match: Tensor | None = None
    draws: Tensor | None = None
    deviations: Tensor | None = None

    def mean(self) -> float:
        """Mean over the neurons that vary; NaN when none does."""
        return float(self.values.nanmean())


@dataclass(frozen=True)
class LayerScore:
    """A score of a layer that depends on how many directions were looked at.

    Attributes
    ----------
    value
        The score.
    rank
        How many canonical correlations went into it.
    """

    value: float
    rank: int


@dataclass(frozen=True)
class Measure:
    """A similarity and what holds of it; the tests check every word of this declaration.

    Attributes
    ----------
    name, title
        What users type; what a plot's axis says.
    level
        ``"neuron"``: a score a neuron of the row layer, averaged. ``"layer"``: a score a pair.
        ``"head"``: a table of head by head, best match, averaged over the row's heads.
    needs
        Which statistics it is a function of; ``"norms"`` and ``"blocks"`` are moments with sums
        over frames, or over utterances, that `HsicBlockSums` keeps; ``"head divergences"`` and
        ``"head kernels"`` are sums over heads that `HeadSums` computes where they are asked for.
    symmetric
        Whether rows and columns can be exchanged.
    range
        Lowest and highest value it can take; None where there is no bound.
    invariances
        What may be done to either layer without changing the value: ``"translation"``, one
        ``"scale"`` for all, ``"neuron scale"`` one each, ``"permutation"`` of neurons,
        ``"orthogonal"`` maps, any invertible ``"linear"`` map.
    source
        The publication that defines it.
    across
        ``"min"`` where a neuron's score is its lowest over all other layers instead of one a pair.
    precise
        Whether a layer's smallest directions count as much as its largest, so that products of
        float32 frames must be made in float64.
    smooth
        Whether a jackknife tells its uncertainty. Not where the score has a kink at correlations
        of 0: there no interval is printed.
    rowwise
        Whether a neuron's score depends on no other neuron of its own layer, so that neurons of
        several layers can be scored together.
    least_groups
        How many groups of frames a score needs: folds where it is held out, utterances where it
        compares distinct ones.
    function
        From the statistics and the settings to the score.
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
    precise: bool = False
    smooth: bool = True
    rowwise: bool = False
    least_groups: int = 1

    @property
    def interval(self) -> bool:
        """Whether its scores carry an interval: it is smooth, and a function of sums."""
        return self.smooth and self.needs != "sample"

    @property
    def scale(self) -> Literal["artanh", "plain"]:
        """On what scale intervals are made: artanh where the range is bounded at both ends.

        Not of held-out scores, which are biased downwards: it would take them further down.
        """
        return "plain" if None in self.range or self.needs == "folds" else "artanh"

    def replicated(self, settings: Settings) -> bool:
        """Whether its scores carry the interval that the settings ask for.

        Of different frames (``"norms"``) there is no bootstrap: those drawn twice do not differ.
        """
        return self.interval and (settings.bootstrap is None or self.needs != "norms")

    @property
    def summary(self) -> str:
        """First sentence of the measure's docstring."""
        return (self.function.__doc__ or "").strip().splitlines()[0].rstrip(".")


MEASURES: dict[str, Measure] = {}


# Standardising takes any scale and shift of single neurons away; reordering them is harmless to
# every measure here.
STANDARDISED: tuple[Invariance, ...] = ("translation", "scale", "neuron scale", "permutation")


ROTATION_FREE: tuple[Invariance, ...] = ("translation", "scale", "permutation", "orthogonal")


def measure(
    *,
    title: str,
    level: Level,
    needs: Need,
    symmetric: bool,
    range: tuple[float | None, float | None],
    source: str,
    invariances: Iterable[Invariance] = (),
    across: Literal["min"] | None = None,
    precise: bool = False,
    smooth: bool = True,
    rowwise: bool = False,
    least_groups: int = 1,
) -> Callable[[Function], Function]:
    """Register the decorated function as the measure of its name."""

    def register(function: Function) -> Function:
        name = function.__name__
        MEASURES[name] = Measure(
            name,
            title,
            level,
            needs,
            symmetric,
            range,
            frozenset(invariances),
            source,
            function,
            across,
            precise,
            smooth,
            rowwise,
            least_groups,
        )
        return function

    return register


def find(names: Iterable[str], levels: Iterable[Level]) -> list[Measure]:
    """Look measures up by name.

    Raises
    ------
    AssonanceError
        When a name is unknown or its measure is of another level.
    """
    levels = tuple(levels)
    fitting = [name for name, known in MEASURES.items() if known.level in levels]
    found = []
    for name in names:
        if name not in fitting:
            reason = "compares something else" if name in MEASURES else "is not known"
            raise AssonanceError(
                f"measure {name!r} {reason}; here you can use: {', '.join(fitting)}"
            )
        found.append(MEASURES[name])
    return found


def spread(values: Tensor, varies: Tensor, fill: float = torch.nan) -> Tensor:
    """Put the scores of the neurons that vary in their places among all; shape (D,)."""
    return values.new_full(varies.shape, fill).masked_scatter(varies, values)

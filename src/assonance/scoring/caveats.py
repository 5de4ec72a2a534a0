"""Caveats: sentences that a reader must know before believing a score."""

from collections.abc import Mapping, Sequence

from assonance.errors import join_names
from assonance.measures import Measure
from assonance.measures.roles import NEEDS_MORE_FRAMES_THAN_NEURONS
from assonance.statistics import LayerStatistics

_SHOWN = 5


# The smallest published encoders have more than 20 million parameters.
_MINIATURE = 10_000_000


def constant_neurons(layer: str, statistics: LayerStatistics) -> list[str]:
    """Return a caveat that names a layer's constant neurons, which have no correlations."""
    constant = (~statistics.varies).nonzero()[:, 0].tolist()
    if not constant:
        return []
    shown = ", ".join(map(str, constant[:_SHOWN])) + (", …" if len(constant) > _SHOWN else "")
    return [
        f"layer {layer!r}: {len(constant)} of {len(statistics.varies)} neurons are constant "
        f"({shown}); their scores are NaN and left out of averages"
    ]


def few_effective_frames(frames: Mapping[str, float], widths: Mapping[str, int]) -> list[str]:
    """Return a caveat if layers have fewer effectively independent frames than neurons.

    Parameters
    ----------
    frames
        Effective number of independent frames by layer.
    widths
        Number of neurons by layer.
    """
    few = [layer for layer, count in frames.items() if count < widths[layer]]
    if not few:
        return []
    worst = min(few, key=lambda layer: frames[layer] / widths[layer])
    return [
        f"{len(few)} of {len(frames)} layers have fewer effectively independent frames than "
        f"neurons (worst: {worst!r}, {frames[worst]:.0f} frames for {widths[worst]} neurons): "
        "their in-sample scores are partly chance. Read held-out scores and cka_utterance "
        "instead, or add speech"
    ]


def too_few_frames(
    frames: int, widths: Mapping[str, int], measures: Sequence[Measure]
) -> list[str]:
    """Return a caveat if a layer has no fewer neurons than frames and a measure cannot bear it."""
    empty = [each.name for each in measures if each.name in NEEDS_MORE_FRAMES_THAN_NEURONS]
    layer, width = max(widths.items(), key=lambda item: item[1])
    if width < frames or not empty:
        return []
    return [
        f"{frames} frames are too few for {width} neurons (layer {layer!r}): in-sample scores of "
        f"{', '.join(empty)} mean nothing; add speech"
    ]


def miniatures(parameters: Mapping[str, int]) -> list[str]:
    """Return a caveat that names models too small to represent published ones.

    Parameters
    ----------
    parameters
        Number of parameters by model.
    """
    small = [name for name, count in parameters.items() if count < _MINIATURE]
    if not small:
        return []
    return [
        f"{join_names(small)}: miniatures of less than {_MINIATURE // 10**6} million parameters, "
        "which show how a comparison works and not what models of useful size represent"
    ]

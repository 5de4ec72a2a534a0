"""What a reader must know before believing a score, in words."""

from collections.abc import Mapping, Sequence

from assonance.errors import join_names
from assonance.measures import Measure
from assonance.measures.roles import NEEDS_MORE_FRAMES_THAN_NEURONS
from assonance.statistics import LayerStatistics

_SHOWN = 5


# The smallest published encoders have more than 20 million parameters.
_MINIATURE = 10_000_000


def constant_neurons(layer: str, statistics: LayerStatistics) -> list[str]:
    """Name the neurons of a layer that never change: they have no correlation with anything."""
    constant = (~statistics.varies).nonzero()[:, 0].tolist()
    if not constant:
        return []
    shown = ", ".join(map(str, constant[:_SHOWN])) + (", …" if len(constant) > _SHOWN else "")
    return [
        f"layer {layer!r}: {len(constant)} of {len(statistics.varies)} neurons are constant "
        f"({shown}); their scores are NaN and left out of averages"
    ]


def few_effective_frames(frames: Mapping[str, float], widths: Mapping[str, int]) -> list[str]:
    """Warn where frames, as far as they are independent, are fewer than a layer's neurons.

    Parameters
    ----------
    frames
        By layer, how many independent frames its frames are worth.
    widths
        By layer, its number of neurons.
    """
    few = [layer for layer, count in frames.items() if count < widths[layer]]
    if not few:
        return []
    worst = min(few, key=lambda layer: frames[layer] / widths[layer])
    return [
        f"in {len(few)} of {len(frames)} layers frames tell no more than fewer independent ones "
        f"than there are neurons ({worst!r}: {frames[worst]:.0f} for {widths[worst]}); in-sample "
        "scores are partly chance: read held-out scores and cka_utterance, or add speech"
    ]


def too_few_frames(
    frames: int, widths: Mapping[str, int], measures: Sequence[Measure]
) -> list[str]:
    """Name the measures that mean nothing because frames are fewer than neurons."""
    empty = [each.name for each in measures if each.name in NEEDS_MORE_FRAMES_THAN_NEURONS]
    layer, width = max(widths.items(), key=lambda item: item[1])
    if width < frames or not empty:
        return []
    return [
        f"{frames} frames are too few for {width} neurons (layer {layer!r}): "
        f"{', '.join(empty)} in sample mean nothing; add speech"
    ]


def miniatures(parameters: Mapping[str, int]) -> list[str]:
    """Name the models, by their number of parameters, that are too small to stand for others."""
    small = [name for name, count in parameters.items() if count < _MINIATURE]
    if not small:
        return []
    return [
        f"{join_names(small)}: miniatures of less than {_MINIATURE // 10**6} million parameters, "
        "which show how a comparison works and not what models of useful size represent"
    ]

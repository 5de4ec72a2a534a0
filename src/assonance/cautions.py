"""What a reader must know before believing a score, in words."""

from collections.abc import Mapping, Sequence

from assonance.measures import Measure
from assonance.statistics import LayerStatistics

# Measures whose in-sample value says nothing when frames are fewer than neurons: any layer then
# explains any other.
NEEDS_MORE_FRAMES_THAN_NEURONS = ("linreg", "svcca", "pwcca")
_SHOWN = 5


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

"""Caution against what chance alone makes of in-sample scores where frames are few."""

from collections.abc import Mapping, Sequence

from assonance.measures.registry import Measure
from assonance.measures.roles import NEEDS_MORE_FRAMES_THAN_NEURONS


def chance_level(frames: int, neurons: int) -> float:
    """Return the mean R² of unrelated layers with independent frames.

    A neuron predicted from d neurons over n frames has d/(n − 1) on average, and so has a squared
    canonical correlation, with d the neurons of the wider layer.
    """
    return min(neurons / max(frames - 1, 1), 1.0)


def mostly_chance(frames: int, widths: Mapping[str, int], measures: Sequence[Measure]) -> list[str]:
    """Return a caveat if the widest two layers have more directions than there are frames.

    Scores of unrelated layers then are high by chance: some correlations are even 1.

    Parameters
    ----------
    frames
        Number of frames.
    widths
        Number of neurons by layer.
    measures
        Measures that are computed.
    """
    names = [each.name for each in measures if each.name in NEEDS_MORE_FRAMES_THAN_NEURONS]
    layer, *others = sorted(widths, key=lambda name: -widths[name])
    width = widths[layer]
    few = width < frames and frames - 1 < sum(widths[name] for name in (layer, *others[:1]))
    if not few or not names:
        return []
    return [
        f"{frames} frames are few for {width} neurons (layer {layer!r}): by chance alone, "
        f"unrelated layers reach a mean R² of {chance_level(frames, width):.2f} in sample, and "
        f"{', '.join(names)} are as high; read held-out scores, or add speech"
    ]

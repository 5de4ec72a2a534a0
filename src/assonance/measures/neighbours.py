"""Frames against frames: whether what is near in one layer is near in the other.

On a seeded sample of `settings.sample_frames` frames, by Euclidean distances between them.
"""

import torch

from assonance.measures.registry import ROTATION_FREE, measure
from assonance.settings import Settings
from assonance.statistics import KernelSample, Pair

NEIGHBOURS = 10


@measure(
    title="RSA",
    level="layer",
    needs="sample",
    symmetric=True,
    range=(-1.0, 1.0),
    invariances=ROTATION_FREE,
    source="Kriegeskorte et al. 2008, with Euclidean distances",
)
def rsa(pair: Pair, settings: Settings) -> float:
    """Rank correlation (Spearman) between the two layers' Euclidean distances of all frame pairs.

    On a seeded sample of `settings.sample_frames` frames. Neighbouring frames are near in every
    layer, which alone makes it positive.
    """
    x, y = (sample.ranks for sample in _sampled(pair))
    if not (x.any() and y.any()):
        return float("nan")
    return float((x @ y).clamp(-1, 1))


@measure(
    title="Mutual nearest neighbours",
    level="layer",
    needs="sample",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=ROTATION_FREE,
    source="Huh et al. 2024, mutual nearest-neighbour metric, with Euclidean distances",
)
def mutual_knn(pair: Pair, settings: Settings) -> float:
    """Share of each frame's ten nearest frames that are its ten nearest in the other layer too.

    On a seeded sample of n = `settings.sample_frames` frames; of fewer than 21, half the others
    instead of ten. By chance alone it is 10/(n − 1), more where neighbouring frames are sampled.
    """
    x, y = _sampled(pair)
    count = max(1, min(NEIGHBOURS, (len(x.frames) - 1) // 2))
    near_x, near_y = x.nearest(count), y.nearest(count)
    if not (near_x.any() and near_y.any()):
        return float("nan")
    return float((near_x & near_y).sum()) / (count * len(near_x))


@measure(
    title="Distance correlation",
    level="layer",
    needs="sample",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=ROTATION_FREE,
    source="Székely, Rizzo & Bakirov 2007, definition 4",
)
def distance_correlation(pair: Pair, settings: Settings) -> float:
    """Square root of the correlation of doubly centred Euclidean distances; biased upwards.

    On a seeded sample of `settings.sample_frames` frames. The bias grows with the neurons: few
    frames of many independent neurons come near 1.
    """
    x, y = (sample.centred_distances for sample in _sampled(pair))
    scale = x.norm() * y.norm()
    if not scale > torch.finfo(torch.float64).tiny:
        return float("nan")
    return float(((x * y).sum() / scale).clamp(0, 1).sqrt())


def _sampled(pair: Pair) -> tuple[KernelSample, KernelSample]:
    if pair.sample is None:
        raise ValueError("comparing frames with frames needs a sample of them")
    return pair.sample

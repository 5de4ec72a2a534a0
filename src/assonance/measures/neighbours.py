"""Compare distances between frames: whether frames near in one layer are near in the other.

All measures use Euclidean distances on a seeded sample of `settings.sample_frames` frames.
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
    """Compute the rank correlation (Spearman) of the distances of all frame pairs in two layers.

    On a seeded sample of `settings.sample_frames` frames. Neighbouring frames are near in every
    layer, which alone makes the score positive. Ties get their mean rank, distances that differ by
    rounding alone included. NaN if all frames of a layer are equally far from each other.
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
    """Compute the share of each frame's ten nearest that are also nearest in the other layer.

    On a seeded sample of n = `settings.sample_frames` frames; for n below 21, half of the other
    frames instead of ten. By chance it is 10/(n − 1), and more if neighbouring frames are sampled.
    Of equally near frames the earliest count. NaN if all frames of a layer are equally far from
    each other.
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
    """Compute the square root of the correlation of doubly centred Euclidean distances.

    On a seeded sample of `settings.sample_frames` frames. Biased upwards, more so for wider
    layers: few frames of many independent neurons approach 1.
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

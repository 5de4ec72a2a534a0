"""What one layer is like by itself: how its variance is spread, and which neurons say nothing."""

from dataclasses import dataclass

import torch
from torch import Tensor

from assonance.statistics import KernelSample, LayerStatistics
from assonance.statistics.kernel_sample import squared_distances
from assonance.statistics.layer import among

# A neuron that varies less than this share of the layer's median is dead: nothing that treats the
# neurons as they are could notice it.
DEAD = 1e-3


# Neurons whose joint share of the variance is told beside the first one's.
TOP = 10


@dataclass(frozen=True)
class Descriptor:
    """A number that describes a layer: what it is called and what it means."""

    title: str
    meaning: str


DESCRIPTORS = {
    "effective_rank": Descriptor("Effective rank", "directions that share the variance"),
    "top_neuron": Descriptor("Top neuron", "share of the variance that one neuron owns"),
    "top_ten_neurons": Descriptor("Top ten neurons", "share of the variance that ten neurons own"),
    "constant_neurons": Descriptor("Constant neurons", "neurons that never change"),
    "dead_neurons": Descriptor("Dead neurons", "neurons that hardly vary or never change"),
    "effective_frames": Descriptor(
        "Effective frames", "independent frames that would be as sure of a mean as these are"
    ),
    "uniformity": Descriptor("Uniformity", "how evenly frames are spread; lower is more evenly"),
}


def describe(
    layer: LayerStatistics,
    sample: KernelSample | None = None,
    of_groups: Tensor | None = None,
    groups: int = 0,
) -> dict[str, float]:
    """Describe a layer by itself.

    Parameters
    ----------
    layer
        Its moments.
    sample
        Sampled frames; without them there is no uniformity.
    of_groups, groups
        Σ over the groups of frames of the squared sum of each neuron about its mean, (D,), and
        their number; without them there are no effective frames.

    Returns
    -------
    dict of float
        By the names of `DESCRIPTORS`; NaN where undefined.
    """
    found = {
        "effective_rank": effective_rank(layer),
        "top_neuron": variance_of_top(layer),
        "top_ten_neurons": variance_of_top(layer, TOP),
        "constant_neurons": constant_neurons(layer),
        "dead_neurons": dead_neurons(layer),
    }
    if of_groups is not None:
        found["effective_frames"] = effective_frames(layer, of_groups, groups)
    return found if sample is None else found | {"uniformity": uniformity(sample)}


def effective_rank(layer: LayerStatistics) -> float:
    """Count the directions over which the variance is spread: the participation ratio.

    (Σλ)²/Σλ² of the eigenvalues of the covariance: D where all are equal, near 1 where one owns
    nearly all the variance. Source: Gao et al. 2017. It says how far CKA and measures of shape,
    which see neurons as they are, are decided by a few directions.

    Returns
    -------
    float
        Between 1 and the number of neurons that vary; NaN where none does.
    """
    scatter = among(layer.scatter, layer.varies, layer.varies)
    if not len(scatter):
        return float("nan")
    scatter = scatter / scatter.diagonal().max()
    return float(scatter.trace() ** 2 / scatter.square().sum())


def variance_of_top(layer: LayerStatistics, count: int = 1) -> float:
    """Share of the layer's variance that its `count` neurons of most variance own.

    Returns
    -------
    float
        Between 0 and 1; NaN where no neuron varies.
    """
    norms = layer.norms[layer.varies]
    if not len(norms):
        return float("nan")
    variances = (norms / norms.max()).square().sort(descending=True).values
    return float(variances[:count].sum() / variances.sum())


def constant_neurons(layer: LayerStatistics) -> int:
    """Count the neurons that never change, up to rounding."""
    return int((~layer.varies).sum())


def dead_neurons(layer: LayerStatistics) -> int:
    """Count the neurons that hardly vary, constant ones among them.

    Their deviation is less than a thousandth of the median deviation of those that vary.
    """
    floor = DEAD * layer.norms[layer.varies].median() if layer.varies.any() else torch.inf
    return int((~layer.varies | (layer.norms < floor)).sum())


def effective_frames(layer: LayerStatistics, of_groups: Tensor, groups: int) -> float:
    """Count the independent frames that would tell a mean as surely as these frames do.

    n/τ, with τ = Σ_u (Σ_t x_ut)²/ΣΣ x_ut² of each neuron about its mean, averaged over neurons:
    1 + 2·Σ_k (autocorrelation at lag k, summed over the groups), so that all that neighbours in
    a group have in common counts. Source: the variance of a sum of dependent values, Geyer 1992,
    with whole groups in place of lags.

    Parameters
    ----------
    layer, of_groups, groups
        As for `describe`.

    Returns
    -------
    float
        No more than the frames there are; NaN where no neuron varies or there is one group.
    """
    if groups < 2 or not layer.varies.any():
        return float("nan")
    squares = layer.norms[layer.varies].square()
    share = of_groups[layer.varies] / squares * groups / (groups - 1)
    return min(layer.n / max(float(share.mean()), 1.0), float(layer.n))


def uniformity(sample: KernelSample, sharpness: float = 2.0) -> float:
    """Say how evenly frames are spread over directions: 0 all in one, lower the more evenly.

    The logarithm of the mean, over all pairs of frames, of exp(−t·d²), with d their distance
    after each is scaled to length one, and t = `sharpness`. Source: Wang & Isola 2020. At the
    best the frames of many neurons come near −2t. Frames that are all 0 have no direction and
    are left out.

    Returns
    -------
    float
        Between −4t and 0; NaN with fewer than two frames.
    """
    lengths = sample.frames.norm(dim=1, keepdim=True)
    frames = sample.frames[lengths[:, 0] > 0] / lengths[lengths[:, 0] > 0]
    count = len(frames)
    if count < 2:
        return float("nan")
    kernel = squared_distances(frames).mul_(-sharpness).exp_()
    return float(((kernel.sum() - count) / (count * (count - 1))).log())

"""Describe single layers: the spread of their variance, and neurons that hardly vary."""

from dataclasses import dataclass

import torch
from torch import Tensor

from assonance.statistics import KernelSample, LayerStatistics
from assonance.statistics.layer import submatrix

# A neuron whose standard deviation is below this share of the layer's median counts as dead: no
# measure of unstandardised neurons would notice it.
DEAD = 1e-3
# Number of neurons in the second descriptor of variance, beside the top neuron.
TOP = 10


@dataclass(frozen=True)
class Descriptor:
    """The title and the meaning of a number that describes a layer."""

    title: str
    meaning: str


DESCRIPTORS = {
    "effective_rank": Descriptor("Effective rank", "number of directions that share the variance"),
    "top_neuron": Descriptor("Top neuron", "largest share of the variance in one neuron"),
    "top_ten_neurons": Descriptor(
        "Top ten neurons", "largest share of the variance in ten neurons"
    ),
    "constant_neurons": Descriptor("Constant neurons", "neurons that are constant"),
    "dead_neurons": Descriptor("Dead neurons", "neurons that are constant or nearly so"),
    "effective_frames": Descriptor(
        "Effective frames", "number of independent frames with the same standard error of the mean"
    ),
    "uniformity": Descriptor(
        "Uniformity", "how evenly frames spread over directions; lower is more even"
    ),
}


def describe(
    layer: LayerStatistics,
    sample: KernelSample | None = None,
    of_groups: Tensor | None = None,
    groups: int = 0,
) -> dict[str, float]:
    """Compute the descriptors of a layer.

    Parameters
    ----------
    layer
        Moments of the layer.
    sample
        Sampled frames; without them, uniformity is omitted.
    of_groups, groups
        Σ over utterances of the squared sum of each centred neuron over its frames, (D,), and
        their number; without them there are no effective frames.

    Returns
    -------
    dict of float
        By the names of `DESCRIPTORS`; NaN if undefined.
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
    """Compute the participation ratio: the number of directions that share the variance.

    (Σλ)²/Σλ² over the eigenvalues of the covariance: D if all are equal, near 1 if one dominates. A
    low rank means that few directions dominate CKA and the measures of shape, which use
    unstandardised neurons. Source: Gao et al. 2017.

    Returns
    -------
    float
        Between 1 and the number of neurons that vary; NaN if none does.
    """
    scatter = submatrix(layer.scatter, layer.varies, layer.varies)
    if not len(scatter):
        return float("nan")
    scatter = scatter / scatter.diagonal().max()
    return float(scatter.trace() ** 2 / scatter.square().sum())


def variance_of_top(layer: LayerStatistics, count: int = 1) -> float:
    """Compute the share of the variance in the `count` neurons with the largest variance.

    Returns
    -------
    float
        Between 0 and 1; NaN if no neuron varies.
    """
    norms = layer.norms[layer.varies]
    if not len(norms):
        return float("nan")
    variances = (norms / norms.max()).square().sort(descending=True).values
    return float(variances[:count].sum() / variances.sum())


def constant_neurons(layer: LayerStatistics) -> int:
    """Count the neurons that are constant up to rounding."""
    return int((~layer.varies).sum())


def dead_neurons(layer: LayerStatistics) -> int:
    """Count the neurons that hardly vary, including constant ones.

    Their standard deviation is below a thousandth of the median of those that vary.
    """
    floor = DEAD * layer.norms[layer.varies].median() if layer.varies.any() else torch.inf
    return int((~layer.varies | (layer.norms < floor)).sum())


def effective_frames(layer: LayerStatistics, of_groups: Tensor, groups: int) -> float:
    """Compute the number of independent frames with the same standard error of the mean.

    n/τ, with τ = Σ_u (Σ_t x_ut)²/ΣΣ x_ut² of each centred neuron over utterances u and frames t,
    averaged over neurons. τ is 1 + 2·Σ_k (autocorrelation at lag k), with all lags within an
    utterance. Source: Geyer 1992, the variance of a sum of dependent values.

    Parameters
    ----------
    layer, of_groups, groups
        As for `describe`.

    Returns
    -------
    float
        At most the number of frames; NaN if no neuron varies or there is one utterance.
    """
    if groups < 2 or not layer.varies.any():
        return float("nan")
    squares = layer.norms[layer.varies].square()
    share = of_groups[layer.varies] / squares * groups / (groups - 1)
    return min(layer.n / max(float(share.mean()), 1.0), float(layer.n))


def uniformity(sample: KernelSample, sharpness: float = 2.0) -> float:
    """Compute how evenly frames spread over directions: 0 for one direction, lower if more even.

    The logarithm of the mean over all pairs of frames of exp(−t·d²), with d the distance of the
    frames scaled to unit length, and t = `sharpness`. Evenly spread frames of many neurons approach
    −2t. Frames that are all 0 are left out. Source: Wang & Isola 2020.

    Returns
    -------
    float
        Between −4t and 0; NaN for fewer than two frames.
    """
    lengths = sample.frames.norm(dim=1, keepdim=True)
    frames = sample.frames[lengths[:, 0] > 0] / lengths[lengths[:, 0] > 0]
    count = len(frames)
    if count < 2:
        return float("nan")
    cosines = (frames @ frames.T).clamp_(max=1)  # d² = 2 − 2·cosine
    kernel = cosines.sub_(1).mul_(2 * sharpness).exp_().fill_diagonal_(0)
    return float((kernel.sum() / (count * (count - 1))).log())

"""Measure centred kernel alignment: whether two layers arrange the same frames similarly."""

import torch
from torch import Tensor

from assonance.measures.registry import ROTATION_FREE, STANDARDISED, measure
from assonance.settings import Settings
from assonance.statistics import Hsic, Pair


@measure(
    title="CKA",
    level="layer",
    needs="moments",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=ROTATION_FREE,
    source="Kornblith et al. 2019, equation 7; El Kheir et al. 2024",
)
def cka(pair: Pair, settings: Settings) -> float:
    """Compute the linear CKA of centred, unstandardised neurons.

    Biased upwards for few frames. Neurons with much variance dominate it.
    """
    return _ratio(pair.cross.square().sum(), pair.x.scatter.norm() * pair.y.scatter.norm())


@measure(
    title="CKA, z-scored neurons",
    level="layer",
    needs="moments",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=STANDARDISED,
    source="Kornblith et al. 2019, equation 7, on standardised neurons",
)
def cka_standardized(pair: Pair, settings: Settings) -> float:
    """Compute the linear CKA of standardised neurons, so that none dominates; biased as `cka`."""
    scale = pair.x.correlation.norm() * pair.y.correlation.norm()
    return _ratio(pair.correlation.square().sum(), scale)


@measure(
    title="CKA, debiased",
    level="layer",
    needs="norms",
    symmetric=True,
    range=(-1.0, 1.0),
    invariances=ROTATION_FREE,
    source="Song et al. 2012, equation 5; Kornblith et al. 2019",
)
def cka_debiased(pair: Pair, settings: Settings) -> float:
    """Compute the linear CKA from products of distinct frames; unbiased if they are independent.

    Neighbouring frames are dependent and agree by chance: see `cka_utterance`. About 0 for layers
    that share nothing, on either side of 0. NaN for fewer than four frames.
    """
    if pair.blocks is None:
        raise ValueError("cka_debiased needs sums over frames")
    return _aligned(pair, pair.blocks.frames)


@measure(
    title="CKA, distinct utterances",
    level="layer",
    needs="blocks",
    least_groups=4,
    symmetric=True,
    range=(None, None),
    invariances=ROTATION_FREE,
    source="Song et al. 2012, equation 5, with all four indices in different utterances",
)
def cka_utterance(pair: Pair, settings: Settings) -> float:
    """Compute the linear CKA from products of distinct utterances; unbiased for dependent frames.

    About 0 for layers that share nothing, on either side of 0. Between −1 and 1 if utterances have
    equal lengths; a few short ones can take it beyond. Frames are centred at the mean of all
    frames; where lengths differ, another origin would give another score. NaN for fewer than four
    utterances, and if
    the alignment of a layer with itself across utterances is not positive.
    """
    if pair.blocks is None or pair.blocks.utterances is None:
        raise ValueError("cka_utterance needs sums over utterances")
    return _aligned(pair, pair.blocks.utterances)


@measure(
    title="CKA, RBF kernel",
    level="layer",
    needs="sample",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=ROTATION_FREE,
    source="Kornblith et al. 2019, section 3; El Kheir et al. 2024",
)
def cka_rbf(pair: Pair, settings: Settings) -> float:
    """Compute the CKA of Gaussian kernels whose squared bandwidth is the median squared distance.

    Biased. Computed on a seeded sample of `settings.sample_frames` frames.
    """
    if pair.sample is None:
        raise ValueError("cka_rbf needs a sample of frames")
    x, y = pair.sample
    return _ratio(x.rbf_product(y), x.rbf_norm * y.rbf_norm)


def _ratio(value: Tensor, scale: Tensor) -> float:
    return float(value / scale) if scale > torch.finfo(torch.float64).tiny else float("nan")


def _aligned(pair: Pair, hsic: Hsic) -> float:
    varies = bool(pair.x.varies.any()) and bool(pair.y.varies.any())
    return hsic.alignment if varies else float("nan")

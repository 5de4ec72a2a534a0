"""Centred kernel alignment: how alike two layers arrange the same frames."""

import torch
from torch import Tensor

from assonance.measures.registry import ROTATION_FREE, STANDARDISED, Settings, measure
from assonance.statistics import Pair


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
    """Linear CKA of the centred, unstandardised neurons; biased upwards by few frames.

    A few neurons with most of the variance decide it.
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
    """Linear CKA of neurons of equal variance, so that no few of them decide; biased as `cka`."""
    scale = pair.x.correlation.norm() * pair.y.correlation.norm()
    return _ratio(pair.correlation.square().sum(), scale)


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
    """CKA of Gaussian kernels whose bandwidth² is the median squared distance; biased.

    On a seeded sample of `settings.sample_frames` frames.
    """
    if pair.sample is None:
        raise ValueError("cka_rbf needs a sample of frames")
    x, y = (sample.rbf for sample in pair.sample)
    return _ratio((x * y).sum(), x.norm() * y.norm())


def _ratio(value: Tensor, scale: Tensor) -> float:
    return float(value / scale) if scale > torch.finfo(torch.float64).tiny else float("nan")

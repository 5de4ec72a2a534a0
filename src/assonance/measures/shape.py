"""Shape: how well one layer can be turned and mirrored onto the other, frame by frame.

With centred frames X and Y, all three are functions of the nuclear norm ‖XᵀY‖_*, the sum of the
singular values of the cross-products, and of the sizes ‖X‖ and ‖Y‖ (Frobenius). Layers of unlike
widths are compared as if the narrower had further neurons that are 0. The nuclear norm has a kink
where a singular value is 0: no honest interval exists for any of the three.
"""

import math

import torch

from assonance.measures.registry import ROTATION_FREE, measure
from assonance.settings import Settings
from assonance.statistics import Pair


@measure(
    title="Procrustes, size and shape",
    level="layer",
    needs="moments",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=("translation", "permutation", "orthogonal"),
    source="Schönemann 1966; Dryden & Mardia 2016, size-and-shape distance",
    smooth=False,
)
def procrustes(pair: Pair, settings: Settings) -> float:
    """One minus the squared distance of the best-turned layers by the sum of their squared sizes.

    min ‖X − YQ‖² over orthogonal Q is ‖X‖² + ‖Y‖² − 2‖XᵀY‖_*, so that the similarity is
    2‖XᵀY‖_*/(‖X‖² + ‖Y‖²): 1 only where layers differ by a rotation, lower where one is larger.
    A few neurons with most of the variance decide it.
    """
    x, y = _sizes(pair)
    return 2 * pair.nuclear_norm / (x**2 + y**2) if x and y else float("nan")


@measure(
    title="Bures similarity",
    level="layer",
    needs="moments",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=ROTATION_FREE,
    source="Tang et al. 2020, normalised Bures similarity; Harvey et al. 2024, its equality",
    smooth=False,
)
def bures(pair: Pair, settings: Settings) -> float:
    """Normalised Bures similarity of the frames' Gram matrices: their fidelity by their traces.

    tr((K½ L K½)½)/√(tr K · tr L) with K = XXᵀ and L = YYᵀ, which is ‖XᵀY‖_*/(‖X‖·‖Y‖), the cosine
    of the angle that `angular_procrustes` reports. A few neurons with most of the variance
    decide it.
    """
    x, y = _sizes(pair)
    return min(pair.nuclear_norm / (x * y), 1.0) if x and y else float("nan")


@measure(
    title="Procrustes, angular",
    level="layer",
    needs="moments",
    symmetric=True,
    range=(0.0, 1.0),
    invariances=ROTATION_FREE,
    source="Williams et al. 2021, angular shape metric",
    smooth=False,
)
def angular_procrustes(pair: Pair, settings: Settings) -> float:
    """One minus the angle between the best-turned layers, as a share of a right angle.

    The angle arccos(‖XᵀY‖_*/(‖X‖·‖Y‖)) is a metric. Angles whose cosine is 1 up to rounding,
    below about 10⁻⁶, or 5·10⁻⁴ of float32 frames, count as 0.
    """
    cosine = bures(pair, settings)
    exact = sum(pair.cross.shape) * torch.finfo(torch.float64).eps
    rounding = exact if pair.exact else torch.finfo(torch.float32).eps
    return 1.0 if cosine > 1 - rounding else 1 - math.acos(cosine) * 2 / math.pi


def _sizes(pair: Pair) -> tuple[float, float]:
    """Norms of the centred layers, constant neurons left out."""
    x, y = (float(layer.norms[layer.varies].norm()) for layer in (pair.x, pair.y))
    return x, y

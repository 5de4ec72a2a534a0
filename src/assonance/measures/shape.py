"""Compare shapes: how well one layer can be rotated and reflected onto the other.

For centred frames X and Y, all three measures are functions of the nuclear norm ‖XᵀY‖_* (the sum
of the singular values) and of the Frobenius norms ‖X‖ and ‖Y‖. The narrower layer is padded with
neurons that are 0. The nuclear norm has a kink where a singular value is 0, so no honest interval
exists for any of the three.
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
    invariances=("translation", "neuron sign", "permutation", "orthogonal"),
    source="Schönemann 1966; Dryden & Mardia 2016, size-and-shape distance",
    smooth=False,
)
def procrustes(pair: Pair, settings: Settings) -> float:
    """Compute one minus the squared Procrustes distance divided by ‖X‖² + ‖Y‖².

    The distance min ‖X − YQ‖² over orthogonal Q is ‖X‖² + ‖Y‖² − 2‖XᵀY‖_*, so the similarity is
    2‖XᵀY‖_*/(‖X‖² + ‖Y‖²). It is 1 only for layers that differ by a rotation, and lower if one is
    larger. Neurons with much variance dominate it.
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
    """Compute the normalised Bures similarity of the frames' Gram matrices.

    tr((K½ L K½)½)/√(tr K · tr L) with K = XXᵀ and L = YYᵀ equals ‖XᵀY‖_*/(‖X‖·‖Y‖), the cosine of
    the angle of `angular_procrustes`. Neurons with much variance dominate it.
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
    """Compute one minus the angle between the optimally rotated layers, relative to a right angle.

    The angle arccos(‖XᵀY‖_*/(‖X‖·‖Y‖)) is a metric. An angle whose cosine is 1 up to rounding
    (below about 10⁻⁶, or 5·10⁻⁴ for float32 frames) counts as 0.
    """
    cosine = bures(pair, settings)
    exact = sum(pair.cross.shape) * torch.finfo(torch.float64).eps
    rounding = exact if pair.float64_products else torch.finfo(torch.float32).eps
    return 1.0 if cosine > 1 - rounding else 1 - math.acos(cosine) * 2 / math.pi


def _sizes(pair: Pair) -> tuple[float, float]:
    """Return the Frobenius norms of the centred layers without constant neurons."""
    x, y = (float(layer.norms[layer.varies].norm()) for layer in (pair.x, pair.y))
    return x, y

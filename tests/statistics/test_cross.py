"""Both descriptions of cross-products agree with the products of the frames."""

import numpy as np
import pytest
import torch
from material import make_layers

from assonance.statistics.cross import ScaledCross, WholeCross

LAYERS = make_layers({"a": 6, "b": 4}, 80)
X, Y = (torch.from_numpy(x - x.mean(0)) for x in LAYERS.values())
CROSS = X.T @ Y


def scaled(dtype, factor=1.0):
    x, y = X.norm(dim=0) * factor, Y.norm(dim=0)
    table = CROSS / X.norm(dim=0)[:, None] / y
    return ScaledCross(table.to(dtype), x, y)


@pytest.mark.parametrize(
    ("cross", "digits"),
    [
        (WholeCross(CROSS), 1e-12),
        (scaled(torch.float64), 1e-12),
        (scaled(torch.float32), 1e-6),
    ],
    ids=["whole", "scaled", "scaled, float32"],
)
def test_squares_rows_and_inner_products_are_those_of_the_matrix(cross, digits):
    assert cross.squares == pytest.approx(float((CROSS**2).sum()), rel=digits)
    vectors = torch.randn(3, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    size = float(CROSS.abs().max())
    np.testing.assert_allclose(cross.rows(vectors), vectors @ CROSS, atol=10 * digits * size)
    other = CROSS.flip(0)
    assert cross.inner(other) == pytest.approx(float((CROSS * other).sum()), rel=10 * digits)


def test_correlations_are_squared_without_norms():
    found = scaled(torch.float64).both_squares[1]
    expected = np.corrcoef(X.numpy(), Y.numpy(), rowvar=False)[:6, 6:]
    assert found == pytest.approx((expected**2).sum())


def test_norms_beyond_float32_lose_no_digit():
    found = scaled(torch.float32, 1e30)
    assert found.squares == pytest.approx(float((CROSS**2).sum()) * 1e60, rel=1e-6)


def test_constant_layers_have_no_products():
    nothing = ScaledCross(torch.zeros(6, 4), torch.zeros(6).double(), Y.norm(dim=0))
    assert nothing.both_squares == (0, 0)

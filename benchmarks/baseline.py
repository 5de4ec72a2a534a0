"""The measures as the study's code computes them: pair by pair, all frames in memory.

Written from the definitions (El Kheir et al. 2024, after Wu et al. 2020) in plain torch, float32.
What belongs to one layer is computed once, and a correlation serves both directions: the measures
share nothing else.
"""

import torch
from torch import Tensor


class Layer:
    """One layer's frames, standardised, and their left singular vectors.

    Parameters
    ----------
    frames
        Shape (T, D), float32.
    share
        Of the variance that SVCCA and PWCCA keep.
    """

    def __init__(self, frames: Tensor, share: float = 0.99) -> None:
        self.centred = frames - frames.mean(0)
        self.standardised = self.centred / self.centred.std(0, correction=0)
        self.left, values, _ = torch.linalg.svd(self.standardised, full_matrices=False)
        shares = values.square().cumsum(0) / values.square().sum()
        self.kept = self.left[:, : int((shares < share).sum()) + 1]
        self.scatter_norm = torch.linalg.norm(self.centred.T @ self.centred)


def maxcorr(x: Layer, y: Layer) -> tuple[float, float]:
    """Mean best |r|, of x in y and of y in x."""
    table = (x.standardised.T @ y.standardised / len(x.centred)).abs()
    return float(table.amax(1).mean()), float(table.amax(0).mean())


def linreg(x: Layer, y: Layer) -> tuple[float, float]:
    """Mean multiple correlation, of x on y and of y on x."""
    return _explained(x, y), _explained(y, x)


def _explained(x: Layer, y: Layer) -> float:
    projected = y.left.T @ x.standardised
    return float((projected.norm(dim=0) / x.standardised.norm(dim=0)).mean())


def svcca(x: Layer, y: Layer) -> tuple[float, float]:
    """Mean canonical correlation of the leading directions."""
    value = float(torch.linalg.svdvals(x.kept.T @ y.kept).mean())
    return value, value


def pwcca(x: Layer, y: Layer) -> tuple[float, float]:
    """Canonical correlations weighted by the row layer's projections, both ways."""
    return _weighted(x, y), _weighted(y, x)


def _weighted(x: Layer, y: Layer) -> float:
    left, correlations, _ = torch.linalg.svd(x.kept.T @ y.kept, full_matrices=False)
    directions = x.kept @ left
    weights = (directions.T @ x.centred).abs().sum(1)
    return float((weights * correlations).sum() / weights.sum())


def cka(x: Layer, y: Layer) -> tuple[float, float]:
    """Linear CKA."""
    cross = torch.linalg.norm(y.centred.T @ x.centred)
    value = float(cross.square() / (x.scatter_norm * y.scatter_norm))
    return value, value


MEASURES = {"maxcorr": maxcorr, "linreg": linreg, "svcca": svcca, "pwcca": pwcca, "cka": cka}

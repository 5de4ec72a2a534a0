"""Sum outer products of one row per utterance and layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# Rows collected before they are multiplied: one product of many rows costs less than many products
# of one.
ROWS_KEPT = 1024


@dataclass(frozen=True)
class Outer:
    """What estimates of HSIC need of M = Σ s_u t_uᵀ.

    Attributes
    ----------
    inner
        Inner product of M with the cross-products of the layers.
    squares
        Sum of the squares of all entries, ‖M‖².
    between
        From vectors s, (Dx,), and t, (Dy,), to sᵀMt.
    """

    inner: float
    squares: float
    between: Callable[[Tensor, Tensor], float]


class OuterSums:
    """Mergeable sums Σ s_u t_uᵀ over utterances u, for pairs of layers with rows s_u and t_u.

    Parameters
    ----------
    names
        Names of the layers.
    pairs
        Pairs of these names to sum, each in one order.
    """

    def __init__(self, names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> None:
        self.pairs = pairs
        self._rows: dict[str, list[Tensor]] = {name: [] for name in names}
        self._waiting = 0
        self._products: dict[tuple[str, str], Tensor] = {}

    def add(self, rows: Sequence[Tensor]) -> None:
        """Add one utterance: a row of each layer, (D,), in the order of the names."""
        for collected, row in zip(self._rows.values(), rows, strict=True):
            collected.append(row[None])
        self._waiting += 1
        self._multiply()

    def product(self, a: str, b: str) -> Tensor:
        """Compute Σ s_u t_uᵀ of layers a and b, a pair in either order; shape (Da, Db).

        At least one row must have been added.
        """
        product = self._multiplied(a, b)
        if product is None:
            return self._joined(a).T @ self._joined(b)
        if not self._waiting:
            return product
        return torch.addmm(product, self._joined(a).T, self._joined(b))

    def factors(self, a: str, b: str) -> tuple[Tensor, Tensor]:
        """Return X, (K, Da), and Y, (K, Db), of which XᵀY is Σ s_u t_uᵀ, with as few rows as kept.

        They are the collected rows; what was multiplied is a factor of the identity. At least one
        row must have been added.
        """
        product = self._multiplied(a, b)
        if product is None:
            return self._joined(a), self._joined(b)
        identity = torch.eye(len(product)).to(product)
        if not self._waiting:
            return identity, product
        return torch.cat([identity, self._joined(a)]), torch.cat([product, self._joined(b)])

    def against(self, a: str, b: str, cross: Tensor) -> Outer:
        """Compare Σ s_u t_uᵀ of layers a and b, a pair in either order, with their products.

        Fewer utterances than neurons are compared row by row, without the sum itself.

        Parameters
        ----------
        a, b
            Names of the layers.
        cross
            Their cross-products, (Da, Db).
        """
        if self._products or self._waiting >= min(cross.shape):
            between = self.product(a, b)
            return Outer(
                float(torch.dot(cross.flatten(), between.flatten())),
                float(between.square().sum()),
                lambda s, t: float(s @ between @ t),
            )
        rows, columns = self._joined(a), self._joined(b)
        return Outer(
            float((rows @ cross * columns).sum()),
            float(outer_squares(rows, columns)),
            lambda s, t: float((rows @ s) @ (columns @ t)),
        )

    def _multiplied(self, a: str, b: str) -> Tensor | None:
        """Return the part of Σ s_u t_uᵀ that is multiplied; None if there is none."""
        product = self._products.get((a, b))
        if product is None and (b, a) in self._products:
            return self._products[b, a].T
        return product

    def _joined(self, name: str) -> Tensor:
        """Return all collected rows of a layer, (U, D)."""
        if len(self._rows[name]) > 1:
            self._rows[name] = [torch.cat(self._rows[name])]
        return self._rows[name][0]

    def _add_weighted(self, other: "OuterSums", weight: int) -> None:
        for name, rows in other._rows.items():
            self._rows[name] += rows if weight == 1 else [block * weight for block in rows]
        self._waiting += other._waiting
        for pair, product in other._products.items():
            own = self._products.get(pair)
            scaled = product * float(weight**2)
            self._products[pair] = scaled if own is None else own + scaled

    def _multiply(self) -> None:
        """Multiply the collected rows if there are enough of them."""
        if self._waiting <= ROWS_KEPT:
            return
        rows = {name: torch.cat(blocks) for name, blocks in self._rows.items()}
        for a, b in self.pairs:
            if (a, b) not in self._products:
                self._products[a, b] = rows[a].new_zeros(rows[a].shape[1], rows[b].shape[1])
            self._products[a, b].addmm_(rows[a].T, rows[b])
        self._rows = {name: [] for name in rows}
        self._waiting = 0


def outer_squares(x: Tensor, y: Tensor) -> Tensor:
    """Compute ‖XᵀY‖² of matrices (K, Dx) and (K, Dy), by what is smaller than K and the widths."""
    if len(x) < min(x.shape[1], y.shape[1]):
        return torch.sum((x @ x.T) * (y @ y.T))
    return (x.T @ y).square().sum()


def weighted_outer(groups: Sequence[OuterSums], weights: Sequence[int]) -> OuterSums:
    """Compute the sums over the utterances of all jackknife groups, with rows times a weight.

    Parameters
    ----------
    groups
        Sums of the same layers and pairs; not changed.
    weights
        Factor for the rows of each group; a group of weight 0 is left out.
    """
    result = OuterSums(list(groups[0]._rows), groups[0].pairs)
    for group, weight in zip(groups, weights, strict=True):
        if weight:
            result._add_weighted(group, int(weight))
    result._multiply()
    return result

"""Sum outer products of one row per utterance and layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from assonance.statistics.cross import Cross
from assonance.statistics.lazy import once

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
        product = self._products.get((a, b))
        if product is None and (b, a) in self._products:
            product = self._products[b, a].T
        if not self._waiting:
            assert product is not None  # noqa: S101 - rows were added
            return product
        rows, columns = self._joined(a), self._joined(b)
        return rows.T @ columns if product is None else torch.addmm(product, rows.T, columns)

    def against(self, a: str, b: str, cross: Cross) -> Outer:
        """Compare Σ s_u t_uᵀ of layers a and b, a pair in either order, with their products.

        Fewer utterances than neurons are compared row by row, without the sum itself.
        """
        if self._products or self._waiting >= min(self._width(a), self._width(b)):
            between = self.product(a, b)
            return Outer(
                cross.inner(between),
                float(between.square().sum()),
                lambda s, t: float(s @ between @ t),
            )
        rows, columns = self._joined(a), self._joined(b)
        return Outer(
            float((cross.rows(rows) * columns).sum()),
            float((self._gram(a) * self._gram(b)).sum()),
            lambda s, t: float((rows @ s) @ (columns @ t)),
        )

    def _width(self, name: str) -> int:
        return self._rows[name][0].shape[1]

    def _joined(self, name: str) -> Tensor:
        """Return all collected rows of a layer, (U, D)."""
        if len(self._rows[name]) > 1:
            self._rows[name] = [torch.cat(self._rows[name])]
        return self._rows[name][0]

    def _gram(self, name: str) -> Tensor:
        """Return the products of every two collected rows of a layer; (U, U)."""

        def make() -> Tensor:
            rows = self._joined(name)
            return rows @ rows.T

        return once(self, ("gram", name, self._waiting), make)

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

"""Sum outer products of one row per utterance and layer."""

from collections.abc import Sequence

import torch
from torch import Tensor

# Rows collected before they are multiplied: one product of many rows costs less than many products
# of one.
ROWS_KEPT = 1024


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
        for name in (a, b):
            if len(self._rows[name]) > 1:
                self._rows[name] = [torch.cat(self._rows[name])]
        product = self._products.get((a, b))
        if product is None and (b, a) in self._products:
            product = self._products[b, a].T
        if not self._waiting:
            assert product is not None  # noqa: S101 - rows were added
            return product
        rows, columns = self._rows[a][0], self._rows[b][0]
        return rows.T @ columns if product is None else torch.addmm(product, rows.T, columns)

    def _add_weighted(self, other: "OuterSums", weight: int) -> None:
        for name, rows in other._rows.items():
            self._rows[name] += [block * weight for block in rows]
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

"""Sums of outer products, where every utterance has one row of each layer."""

from collections.abc import Sequence

import torch
from torch import Tensor

# So many rows are kept as they are before they are multiplied: one product of many costs less
# than many of one.
ROWS_KEPT = 1024


class OuterSums:
    """Σ s_u t_uᵀ over utterances u, for pairs of layers.

    Parameters
    ----------
    names
        The layers.
    pairs
        Which of them, each in one order.
    """

    def __init__(self, names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> None:
        self.pairs = pairs
        self._rows: dict[str, list[Tensor]] = {name: [] for name in names}
        self._waiting = 0
        self._products: dict[tuple[str, str], Tensor] = {}

    def add(self, rows: Sequence[Tensor]) -> None:
        """Add one utterance's row of each layer, (D,), in the order of the names."""
        for kept, row in zip(self._rows.values(), rows, strict=True):
            kept.append(row[None])
        self._waiting += 1
        self._multiply()

    def product(self, a: str, b: str) -> Tensor:
        """Σ s_u t_uᵀ of a pair in either order, once there are rows; shape (Da, Db)."""
        for name in (a, b):
            if len(self._rows[name]) > 1:
                self._rows[name] = [torch.cat(self._rows[name])]
        product = self._products.get((a, b))
        if product is None and (b, a) in self._products:
            product = self._products[b, a].T
        if not self._waiting:
            assert product is not None  # noqa: S101 - there were rows
            return product
        rows, columns = self._rows[a][0], self._rows[b][0]
        return rows.T @ columns if product is None else torch.addmm(product, rows.T, columns)

    def _add_weighted(self, part: "OuterSums", times: int) -> None:
        for name, rows in part._rows.items():
            self._rows[name] += [some * times for some in rows]
        self._waiting += part._waiting
        for pair, product in part._products.items():
            known = self._products.get(pair)
            scaled = product * float(times**2)
            self._products[pair] = scaled if known is None else known + scaled

    def _multiply(self) -> None:
        if self._waiting <= ROWS_KEPT:
            return
        rows = {name: torch.cat(some) for name, some in self._rows.items()}
        for a, b in self.pairs:
            if (a, b) not in self._products:
                self._products[a, b] = rows[a].new_zeros(rows[a].shape[1], rows[b].shape[1])
            self._products[a, b].addmm_(rows[a].T, rows[b])
        self._rows = {name: [] for name in rows}
        self._waiting = 0


def weighted_outer(parts: Sequence[OuterSums], weights: Sequence[int]) -> OuterSums:
    """Return sums over the utterances of all parts, each row so many times as large.

    Parameters
    ----------
    parts
        Made with the same layers and pairs; not changed.
    weights
        By how much the rows of each part are multiplied.
    """
    result = OuterSums(list(parts[0]._rows), parts[0].pairs)
    for part, times in zip(parts, weights, strict=True):
        if times:
            result._add_weighted(part, int(times))
    result._multiply()
    return result

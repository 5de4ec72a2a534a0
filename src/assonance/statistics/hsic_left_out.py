"""Estimate HSIC of pairs of layers with each jackknife group left out."""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from assonance.statistics.adding import add_others
from assonance.statistics.hsic import PairSums, Powers
from assonance.statistics.hsic_sums import HsicBlockSums
from assonance.statistics.layer_groups import LayerGroups
from assonance.statistics.lazy import once
from assonance.statistics.outer_sums import outer_squares


class HsicLeftOut:
    """Estimates of HSIC with each jackknife group left out, over frames and over utterances.

    Sums that belong to a layer are added up over all other groups. Products of two layers are
    those of all groups less the group's own.

    Parameters
    ----------
    groups
        Sums of each group, about the same shift, for the same layers and pairs.
    """

    def __init__(self, groups: Sequence[HsicBlockSums]) -> None:
        self._groups = groups
        self._utterances = groups[0].utterances
        self._tables = add_others([group.tables for group in groups])
        self._norms = add_others([group.norms for group in groups])
        powers = [
            reduce(Powers.merge, (each.powers for each in groups if each is not group), Powers())
            for group in groups
        ]
        self._frames = self._tables.new_tensor([each.first for each in powers])
        of_frames = (Powers(*[each.first] * 4) for each in powers)
        self._counts = [
            [*self._tables.new_tensor([each.counts for each in kind]).T]
            for kind in (of_frames, powers)
        ]

    def estimates(self, x: LayerGroups, y: LayerGroups, cross: Tensor, squares: Tensor) -> Tensor:
        """Estimate HSIC of a pair of layers.

        Parameters
        ----------
        x, y
            The row and the column layer, one of the pairs that were summed, in either order.
        cross
            Their `LayerGroups.cross`; (G + 1, Dx, Dy).
        squares
            Sum of the squares of all cross-products about the means, without each group; (G,).

        Returns
        -------
        Tensor
            Over distinct frames and over distinct utterances, (2, G); NaN for fewer than four, and
            over utterances if no sums by utterance were kept.
        """
        a, b, n = x.name, y.name, self._frames
        first = self._groups[0]
        i, j = first.index[a], first.index[b]
        tables = self._tables[..., first.number[(a, b) if i <= j else (b, a)]].T
        s, t = self._sums(a), self._sums(b)
        outer = _Outer(self._factors(a, b), s, t)
        ends, mixed = outer.against(x, y, cross)
        x_total, y_total = (torch.linalg.vecdot(each, each) for each in (s, t))
        sums = PairSums(
            # About the shift, as the other sums.
            total=squares + 2 * ends / n - x_total * y_total / n**2,
            ends=ends,
            x_total=x_total,
            y_total=y_total,
            tables=[*tables],
            x_norms=[*self._norms[..., i].T],
            y_norms=[*self._norms[..., j].T],
            x_ends=[*self._vectors(a, j, s)],
            y_ends=[*self._vectors(b, i, t)],
        )
        of_frames, of_utterances = self._counts
        found = sums.over_frames.hsic(of_frames)
        if not self._utterances:
            return torch.stack([found, torch.full_like(found, torch.nan)])
        over_utterances = sums.over_utterances(
            mixed=mixed, between=outer.squares(), joint=outer.joint()
        )
        return torch.stack([found, over_utterances.hsic(of_utterances)])

    def _sums(self, name: str) -> Tensor:
        """Return Σx of a layer without each group; (G, D)."""
        return once(self, name, lambda: add_others([each.sums[name] for each in self._groups]))

    def _vectors(self, name: str, other: int, ends: Tensor) -> Tensor:
        """Multiply sums of a layer with another one by vectors, (G, D); (3, G)."""
        sums = add_others([each.vectors[name][..., other] for each in self._groups])
        products: Tensor = torch.linalg.vecdot(sums, ends[:, None])
        return products.T

    def _factors(self, a: str, b: str) -> list[tuple[Tensor, Tensor]]:
        """Return the factors of Σ s_u t_uᵀ in each group; without rows if none were kept."""
        if self._utterances:
            return [each.outer.factors(a, b) for each in self._groups]
        return [(each.sums[a][None][:0], each.sums[b][None][:0]) for each in self._groups]


class _Outer:
    """The sum M = Σ s_u t_uᵀ over utterances u, with each group left out.

    Parameters
    ----------
    factors
        For each group (K, Dx) and (K, Dy), of which the first transposed times the second is its
        part of M.
    s, t
        Sums over all frames of the other groups, (G, Dx) and (G, Dy).
    """

    def __init__(self, factors: Sequence[tuple[Tensor, Tensor]], s: Tensor, t: Tensor) -> None:
        self._factors = factors
        self._ends = s, t
        self._x, self._y = (torch.cat(side) for side in zip(*factors, strict=True))
        # 1 where a row of the factors belongs to a group, (K, G).
        sizes = torch.tensor([len(rows) for rows, _ in factors], device=s.device)
        self._groups = torch.eye(len(s)).to(s).repeat_interleave(sizes, 0, output_size=len(self._x))

    def against(self, x: LayerGroups, y: LayerGroups, cross: Tensor) -> tuple[Tensor, Tensor]:
        """Compute sᵀCt, and the inner product of C with M, for C without each group; (G,) each.

        Parameters
        ----------
        x, y, cross
            As for `HsicLeftOut.estimates`.
        """
        rows = len(self._x)
        norms = [each.all_frames.norms for each in (x, y)]
        # The largest norms are taken out, so that no float32 value is extreme.
        largest = [each.max().clamp(min=torch.finfo(each.dtype).tiny) for each in norms]
        left, right = (
            (torch.cat([vectors, ends]) * (each / most)).to(cross)
            for vectors, ends, each, most in zip(
                (self._x, self._y), self._ends, norms, largest, strict=True
            )
        )
        whole = (left @ cross[-1]).mul_(right).sum(1).to(torch.float64)
        own = torch.empty_like(whole)
        stop = 0
        for group, (table, (factor, _)) in enumerate(zip(cross[:-1], self._factors, strict=True)):
            start, stop, end = stop, stop + len(factor), rows + group
            mine, others = (
                torch.cat([side[start:stop], side[end : end + 1]]) for side in (left, right)
            )
            products = (mine @ table).mul_(others).sum(1).to(own)
            own[start:stop], own[end] = products[:-1], products[-1]
        outer = left[:rows].T @ right[:rows]
        toward = (
            torch.bmm(cross[:-1].transpose(0, 1), outer[:, :, None]).to(torch.float64).sum((0, 2))
        )
        by_group = whole[:rows] @ self._groups
        without = by_group.sum() - by_group - toward + own[:rows] @ self._groups
        scale = largest[0] * largest[1]
        return scale * (whole - own)[rows:], scale * without

    def squares(self) -> Tensor:
        """Compute ‖M‖²; (G,)."""
        x, y = self._x, self._y
        if len(x) < min(x.shape[1], y.shape[1]):
            products = self._groups.T @ ((x @ x.T) * (y @ y.T)) @ self._groups
            return products.diagonal() + products.sum() - 2 * products.sum(0)
        whole = x.T @ y
        toward = (x @ whole * y).sum(1) @ self._groups
        own = torch.stack([outer_squares(*each) for each in self._factors])
        return own - 2 * toward + whole.square().sum()

    def joint(self) -> Tensor:
        """Compute sᵀMt; (G,)."""
        s, t = self._ends
        return ((self._x @ s.T) * (self._y @ t.T) * (1 - self._groups)).sum(0)

"""Sums over utterances of the shape of every attention head: where it looks, and how sharply."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.special import xlogy
from torch import Tensor
from torch.nn.functional import pad

from assonance.statistics.head_kernels import add_log_sums, add_offsets


@dataclass
class HeadShapes:
    """Additive descriptions of N attention heads, one utterance's maps at a time.

    Parameters
    ----------
    count
        How many heads, N.

    Attributes
    ----------
    rows
        Rows (query frames) added, shape (N,); all tables are float64.
    entropy, evenness
        Σ over rows of the entropy in nats; of the entropy as a share of ln T; (N,).
    vertical
        Σ over utterances of 1 − the entropy, as a share of ln T, of the map averaged over queries;
        (N,).
    uneven
        Utterances of more than one frame, where those shares are defined; (N,).
    uneven_rows
        Their rows; (N,).
    beyond_even, positional
        Σ over utterances of ‖A − E‖² for the even map E = 1/T, and of ‖P − E‖² for the map P of
        equal values at each offset nearest to A; (N,).
    offsets
        Σ of the attention from every query to the key at each offset; (N, 2L − 1) for offsets
        1 − L … L − 1, L the longest utterance's frames.
    pairs
        How many queries have a key at each offset; (N, 2L − 1).
    """

    count: int
    rows: Tensor = field(init=False)
    entropy: Tensor = field(init=False)
    evenness: Tensor = field(init=False)
    vertical: Tensor = field(init=False)
    uneven: Tensor = field(init=False)
    uneven_rows: Tensor = field(init=False)
    beyond_even: Tensor = field(init=False)
    positional: Tensor = field(init=False)
    offsets: Tensor = field(init=False)
    pairs: Tensor = field(init=False)

    def __post_init__(self) -> None:
        for name in _SUMS:
            setattr(self, name, torch.zeros(self.count, dtype=torch.float64))
        for name in _PROFILES:
            setattr(self, name, torch.zeros(self.count, 1, dtype=torch.float64))

    def update(self, stack: Tensor, whole: Tensor) -> None:
        """Add the maps of one utterance.

        Parameters
        ----------
        stack
            Attention after the softmax, shape (N, T, T), float32 or float64; not changed.
        whole
            Which heads' maps to add, bool, shape (N,).
        """
        length = stack.shape[-1]
        logs, beyond_even = np.zeros((2, len(stack)))
        keys, offsets = np.zeros((len(stack), length)), np.zeros((len(stack), 2 * length - 1))
        # One map at a time: no second copy of them all.
        for head, one in enumerate(stack.numpy()):
            if whole[head]:
                flat = one.reshape(1, -1)
                add_log_sums(flat, flat, logs[head : head + 1, None])
                add_offsets(one, offsets[head])
                keys[head] = one.mean(0, dtype=np.float64)
                beyond_even[head] = np.square(one - 1 / length, dtype=np.float64).sum()
        profile = torch.from_numpy(offsets)
        # Σ 2p·log 2p is 2 Σ p·log p + 2 log 2 Σ p, and the rows sum to one.
        entropy = profile.sum(1) * math.log(2) - torch.from_numpy(logs) / 2
        pairs = length - torch.arange(1 - length, length).abs().to(torch.float64)
        log = math.log(length) or math.inf
        many = float(length > 1)
        added = {
            "rows": torch.full_like(entropy, length),
            "entropy": entropy,
            "evenness": entropy / log,
            "vertical": many + torch.from_numpy(xlogy(keys, keys).sum(1)) / log,
            "uneven": torch.full_like(entropy, many),
            "uneven_rows": torch.full_like(entropy, many * length),
            "beyond_even": torch.from_numpy(beyond_even),
            # The even map, of squares 1, is the nearest to itself.
            "positional": (profile.square() / pairs).sum(1) - 1,
        }
        for name, values in added.items():
            getattr(self, name).add_(values.where(whole, 0))
        self.offsets = _centred_sum(self.offsets, profile.where(whole[:, None], 0))
        self.pairs = _centred_sum(self.pairs, pairs * whole[:, None])

    def merge(self, other: "HeadShapes") -> "HeadShapes":
        """Return the sums over the utterances of both; neither is changed."""
        if self.count != other.count:
            raise ValueError("shapes of different heads cannot be merged")
        result = HeadShapes(self.count)
        for name in _SUMS:
            setattr(result, name, getattr(self, name) + getattr(other, name))
        for name in _PROFILES:
            setattr(result, name, _centred_sum(getattr(self, name), getattr(other, name)))
        return result

    def profile(self, reach: int) -> Tensor:
        """Share of the attention at each offset from −reach to reach; NaN without rows.

        Parameters
        ----------
        reach
            Frames.

        Returns
        -------
        Tensor
            Shape (N, 2·reach + 1); what lies further off is in none of them.
        """
        beyond = reach - self.offsets.shape[1] // 2
        return pad(self.offsets / self.rows[:, None], (beyond, beyond))

    def position_only(self, length: int) -> Tensor:
        """Make the maps of heads that know positions alone, with the same mean map over offsets.

        Parameters
        ----------
        length
            Frames, no more than in the longest utterance.

        Returns
        -------
        Tensor
            float32, shape (N, length, length), rows that sum to one: even where nothing is
            attended at any offset within reach, NaN for a head of which nothing was added.
        """
        middle = self.offsets.shape[1] // 2
        mean = (self.offsets / self.pairs).to(torch.float32)
        frames = torch.arange(length)
        maps = mean[:, middle + frames - frames[:, None]]
        sums = maps.sum(2, keepdim=True)
        return torch.where(sums > 0, maps / sums, maps * 0 + 1 / length)


_PROFILES = ("offsets", "pairs")


_SUMS = tuple(name for name in HeadShapes.__dataclass_fields__ if name not in ("count", *_PROFILES))


def _centred_sum(one: Tensor, two: Tensor) -> Tensor:
    """Add two tables of offsets about 0, of which one may reach further."""
    reach = max(one.shape[1], two.shape[1])
    return sum(
        (pad(each, ((reach - each.shape[1]) // 2,) * 2) for each in (one, two)),
        start=torch.zeros(()),
    )

"""Add up, for each attention head, where it attends and how sharply."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.special import xlogy
from torch import Tensor
from torch.nn.functional import pad

from assonance.statistics.head_kernels import add_log_sums, add_profile
from assonance.utils.cores import Map

# The pair of a single head with itself.
_ITSELF = np.array([[0, 1, 0, 1]])


@dataclass
class HeadProfiles:
    """Mergeable sums that describe N attention heads, one utterance's maps at a time.

    All sums are float64. Relative entropies are divided by their maximum, ln T; they are defined
    for utterances of at least two frames.

    Parameters
    ----------
    count
        Number of heads, N.

    Attributes
    ----------
    rows
        Number of rows (query frames) added; (N,).
    entropy, evenness
        Σ over rows of the entropy in nats, and of the relative entropy; (N,).
    verticality
        Σ over utterances of 1 − the relative entropy of the map averaged over queries; (N,).
    long_utterances, long_rows
        Number of utterances of at least two frames, and of their rows; (N,).
    deviation
        Σ over utterances of ‖A − E‖² with the even map E = 1/T; (N,).
    positional_deviation
        Σ over utterances of ‖P − E‖², where P is A averaged over each offset; (N,).
    offsets
        Σ of the attention from every query to the key at each offset; (N, 2L − 1) for offsets
        1 − L … L − 1, with L the number of frames of the longest utterance.
    pairs
        Number of queries with a key at each offset; (N, 2L − 1).
    """

    count: int
    rows: Tensor = field(init=False)
    entropy: Tensor = field(init=False)
    evenness: Tensor = field(init=False)
    verticality: Tensor = field(init=False)
    long_utterances: Tensor = field(init=False)
    long_rows: Tensor = field(init=False)
    deviation: Tensor = field(init=False)
    positional_deviation: Tensor = field(init=False)
    offsets: Tensor = field(init=False)
    pairs: Tensor = field(init=False)

    def __post_init__(self) -> None:
        for name in _SUMS:
            setattr(self, name, torch.zeros(self.count, dtype=torch.float64))
        for name in _PROFILES:
            setattr(self, name, torch.zeros(self.count, 1, dtype=torch.float64))

    def update(self, maps: Sequence[Tensor], valid: Tensor, pool_map: Map = map) -> None:
        """Add the maps of one utterance.

        Parameters
        ----------
        maps
            Attention after the softmax, the heads of one layer each, in order, shape (H, T, T),
            float32 or float64; not changed.
        valid
            Whether to add each head's map; bool, shape (N,).
        pool_map
            Describes heads, on several cores if it does.
        """
        length = maps[0].shape[-1]
        heads = [head for one in maps for head in one]
        logs, deviation = np.zeros((2, len(heads)))
        keys, offsets = np.zeros((len(heads), length)), np.zeros((len(heads), 2 * length - 1))

        def describe(head: int) -> None:
            attention = heads[head].numpy()
            add_log_sums(attention.reshape(1, -1), _ITSELF, logs[head : head + 1, None])
            deviation[head] = add_profile(attention, offsets[head], keys[head])

        for _ in pool_map(describe, valid.nonzero().flatten().tolist()):
            pass
        keys /= length
        profile = torch.from_numpy(offsets)
        # Σ 2p·log 2p = 2 Σ p·log p + 2 log 2 Σ p, where Σ p is the number of rows.
        entropy = profile.sum(1) * math.log(2) - torch.from_numpy(logs) / 2
        pairs = length - torch.arange(1 - length, length).abs().to(torch.float64)
        most = math.log(length) or math.inf
        long = float(length > 1)
        added = {
            "rows": torch.full_like(entropy, length),
            "entropy": entropy,
            "evenness": entropy / most,
            "verticality": long + torch.from_numpy(xlogy(keys, keys).sum(1)) / most,
            "long_utterances": torch.full_like(entropy, long),
            "long_rows": torch.full_like(entropy, long * length),
            "deviation": torch.from_numpy(deviation),
            # ‖P − E‖² = ‖P‖² − ‖E‖², and ‖E‖² is 1.
            "positional_deviation": (profile.square() / pairs).sum(1) - 1,
        }
        for name, values in added.items():
            getattr(self, name).add_(values.where(valid, 0))
        self.offsets = _centred_sum(self.offsets, profile.where(valid[:, None], 0))
        self.pairs = _centred_sum(self.pairs, pairs * valid[:, None])

    def merge(self, other: "HeadProfiles") -> "HeadProfiles":
        """Return the sums over the utterances of both; neither is changed."""
        if self.count != other.count:
            raise ValueError("profiles of different heads cannot be merged")
        result = HeadProfiles(self.count)
        for name in _SUMS:
            setattr(result, name, getattr(self, name) + getattr(other, name))
        for name in _PROFILES:
            setattr(result, name, _centred_sum(getattr(self, name), getattr(other, name)))
        return result

    def sums(self) -> dict[str, Tensor]:
        """Return all sums by name."""
        return {name: getattr(self, name) for name in (*_SUMS, *_PROFILES)}

    def set_sums(self, sums: Mapping[str, Tensor]) -> None:
        """Take over sums as `sums` returns them."""
        for name in (*_SUMS, *_PROFILES):
            setattr(self, name, sums[name])

    def profile(self, reach: int) -> Tensor:
        """Compute the share of the attention at each offset from −reach to reach.

        Parameters
        ----------
        reach
            Largest offset, in frames.

        Returns
        -------
        Tensor
            Shape (N, 2·reach + 1), without the attention beyond reach; NaN for a head without rows.
        """
        beyond = reach - self.offsets.shape[1] // 2
        return pad(self.offsets / self.rows[:, None], (beyond, beyond))

    def position_only(self, length: int) -> Tensor:
        """Compute maps that depend on the offset alone, from each head's mean over offsets.

        Parameters
        ----------
        length
            Number of frames, at most that of the longest utterance.

        Returns
        -------
        Tensor
            float32, shape (N, length, length), with rows that sum to 1. A row is even if no offset
            within it is ever attended. NaN for a head without any added map.
        """
        middle = self.offsets.shape[1] // 2
        mean = (self.offsets / self.pairs).to(torch.float32)
        frames = torch.arange(length)
        maps = mean[:, middle + frames - frames[:, None]]
        sums = maps.sum(2, keepdim=True)
        return torch.where(sums > 0, maps / sums, maps * 0 + 1 / length)


_PROFILES = ("offsets", "pairs")
_SUMS = tuple(
    name for name in HeadProfiles.__dataclass_fields__ if name not in ("count", *_PROFILES)
)


def _centred_sum(one: Tensor, two: Tensor) -> Tensor:
    """Add two tables of offsets centred on 0, possibly of different reach."""
    reach = max(one.shape[1], two.shape[1])
    return sum(
        (pad(each, ((reach - each.shape[1]) // 2,) * 2) for each in (one, two)),
        start=torch.zeros(()),
    )

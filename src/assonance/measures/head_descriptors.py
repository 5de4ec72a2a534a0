"""Describe single attention heads: where they attend, how sharply, and how much by position.

After Yang, Liu and Lee (2020), *Understanding self-attention of self-supervised audio
transformers*, who distinguish global, vertical and diagonal heads by such numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from assonance.statistics import HeadProfiles

# Frames on either side of an offset that still count as that offset.
_BESIDE = 1


@dataclass(frozen=True)
class Descriptor:
    """A number that describes a head, with its title, unit and meaning."""

    title: str
    unit: str
    meaning: str
    values: Tensor


def describe_heads(profiles: HeadProfiles) -> Mapping[str, Descriptor]:
    """Compute the descriptors of every head.

    Parameters
    ----------
    profiles
        Sums over utterances.

    Returns
    -------
    Mapping of str to Descriptor
        Values of shape (N,); NaN for a head without any valid map.
    """
    rows = profiles.rows.where(profiles.rows > 0, torch.nan)
    long_utterances = profiles.long_utterances.where(profiles.long_utterances > 0, torch.nan)
    long_rows = profiles.long_rows.where(profiles.long_rows > 0, torch.nan)
    profile = profiles.offsets / rows[:, None]
    reach = profile.shape[1] // 2
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64)
    commonest = offsets[profile.argmax(1)]
    near = (offsets - commonest[:, None]).abs() <= _BESIDE
    deviation = profiles.deviation.where(profiles.deviation > 1e-9 * profiles.rows, torch.nan)
    return {
        "entropy": Descriptor(
            "Entropy",
            "nats",
            "mean entropy of a row: 0 if each query attends to one key",
            profiles.entropy / rows,
        ),
        "evenness": Descriptor(
            "Evenness",
            "",
            "entropy relative to its maximum: 1 for even attention",
            profiles.evenness / long_rows,
        ),
        "distance": Descriptor(
            "Distance",
            "frames",
            "mean distance from the query to the attended keys",
            (profile * offsets.abs()).sum(1),
        ),
        "diagonality": Descriptor(
            "Diagonality",
            "",
            "share of the attention within one frame of the most frequent offset",
            (profile * near).sum(1),
        ),
        "peak_offset": Descriptor(
            "Peak offset",
            "frames",
            "the most frequent offset from query to key; later keys are positive",
            commonest.where(profiles.rows > 0, torch.nan),
        ),
        "verticality": Descriptor(
            "Verticality",
            "",
            "1 − the entropy of the map averaged over queries, relative to its maximum: 1 if all "
            "queries attend to one key, 0 if all keys are attended equally",
            profiles.verticality / long_utterances,
        ),
        "position_share": Descriptor(
            "Share explained by position",
            "",
            "share of a map's squared distance from even attention that its mean over relative "
            "offsets explains; undefined for even attention",
            profiles.positional_deviation / deviation,
        ),
    }

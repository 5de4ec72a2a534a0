"""What single attention heads look at: where, how sharply, and how much by position alone.

After Yang, Liu and Lee (2020), *Understanding self-attention of self-supervised audio
transformers*, who tell global, vertical and diagonal heads apart by such numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from assonance.statistics import HeadShapes

# Frames at either side of an offset that still count as looking there.
_BESIDE = 1


@dataclass(frozen=True)
class Descriptor:
    """A number that describes a head, with its title, unit and meaning."""

    title: str
    unit: str
    meaning: str
    values: Tensor


def describe_heads(shapes: HeadShapes) -> Mapping[str, Descriptor]:
    """Describe every head by what it looks at.

    Parameters
    ----------
    shapes
        Sums over the utterances.

    Returns
    -------
    Mapping of str to Descriptor
        Values of shape (N,); NaN for a head of which nothing was added.
    """
    rows = shapes.rows.where(shapes.rows > 0, torch.nan)
    uneven = shapes.uneven.where(shapes.uneven > 0, torch.nan)
    uneven_rows = shapes.uneven_rows.where(shapes.uneven_rows > 0, torch.nan)
    profile = shapes.offsets / rows[:, None]
    reach = profile.shape[1] // 2
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64)
    commonest = offsets[profile.argmax(1)]
    near = (offsets - commonest[:, None]).abs() <= _BESIDE
    beyond_even = shapes.beyond_even.where(shapes.beyond_even > 1e-9 * shapes.rows, torch.nan)
    return {
        "entropy": Descriptor(
            "Entropy",
            "nats",
            "mean entropy of a row: 0 where one key is attended",
            shapes.entropy / rows,
        ),
        "evenness": Descriptor(
            "Evenness",
            "",
            "entropy as a share of the highest there is: 1 for even attention",
            shapes.evenness / uneven_rows,
        ),
        "distance": Descriptor(
            "Distance",
            "frames",
            "mean distance of what is attended from the query",
            (profile * offsets.abs()).sum(1),
        ),
        "diagonality": Descriptor(
            "Diagonality",
            "",
            "share of the attention within one frame of the commonest offset",
            (profile * near).sum(1),
        ),
        "peak_offset": Descriptor(
            "Peak offset",
            "frames",
            "the commonest offset of what is attended; later keys are positive",
            commonest.where(shapes.rows > 0, torch.nan),
        ),
        "verticality": Descriptor(
            "Verticality",
            "",
            "1 − the entropy of the map averaged over queries, as a share of the highest there "
            "is: 1 where all queries attend to one key, 0 where all keys are attended alike",
            shapes.vertical / uneven,
        ),
        "position_share": Descriptor(
            "Share explained by position",
            "",
            "how much of a map's squared distance from even attention is that of its mean over "
            "relative offsets; not defined for even attention",
            shapes.positional / beyond_even,
        ),
    }

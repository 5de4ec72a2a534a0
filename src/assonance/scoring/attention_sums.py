"""Sums over a batch of utterances' attention maps, as a piece of work."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assonance.statistics import HeadMaps, HeadProfiles, HeadSums, UtteranceMaps
from assonance.utils.pieces import Piece, Pieces

# A batch has this much speech or more, in seconds or another unit of length; and there are at most
# about this many batches. They depend on the speech alone, as the order of summation does.
_LEAST = 600.0
_MOST_BATCHES = 256


@dataclass(frozen=True)
class Batch:
    """Utterances of one jackknife group whose maps are compared one after another.

    Attributes
    ----------
    group
        The group.
    utterances
        Their indices, ascending.
    size
        Their length, in seconds or another unit.
    """

    group: int
    utterances: tuple[int, ...]
    size: float


def batches(
    utterances: Sequence[int], groups: Sequence[int], durations: Sequence[float]
) -> list[Batch]:
    """Divide utterances into batches, in the order of their groups.

    Parameters
    ----------
    utterances
        Indices of the utterances to divide, ascending.
    groups, durations
        Jackknife group and length of every utterance.
    """
    most = max(_LEAST, sum(durations) / _MOST_BATCHES)
    by_group: dict[int, list[int]] = {}
    for index in utterances:
        by_group.setdefault(int(groups[index]), []).append(index)
    found = []
    for group, members in sorted(by_group.items()):
        waiting: list[int] = []
        size = 0.0
        for index in members:
            waiting.append(index)
            size += durations[index]
            if size >= most or index == members[-1]:
                found.append(Batch(group, tuple(waiting), size))
                waiting, size = [], 0.0
    return found


@dataclass
class AttentionSums:
    """Mergeable sums over utterances.

    Attributes
    ----------
    heads
        Comparisons of every two heads.
    shapes
        Descriptors of single heads; empty if they are not requested.
    maps
        Mean maps of single heads, likewise.
    shown
        The maps of the utterance that is shown, if it is among these.
    lengths
        Number of frames of each piece of an utterance.
    broken
        By the number of an utterance, names of the heads whose maps are broken.
    noted
        By the number of an utterance, what its source noted when it was read.
    """

    heads: HeadSums
    shapes: HeadProfiles
    maps: HeadMaps
    shown: UtteranceMaps | None = None
    lengths: list[int] = field(default_factory=list)
    broken: dict[int, list[str]] = field(default_factory=dict)
    noted: dict[int, list[str]] = field(default_factory=dict)

    def merge(self, other: "AttentionSums") -> "AttentionSums":
        """Return the sums over the utterances of both; neither is changed."""
        return AttentionSums(
            self.heads.merge(other.heads),
            self.shapes.merge(other.shapes),
            self.maps.merge(other.maps),
            self.shown or other.shown,
            self.lengths + other.lengths,
            self.broken | other.broken,
            self.noted | other.noted,
        )

    def note_broken(self, utterance: int) -> None:
        """Name the heads that have a broken map; the sums are of this utterance alone."""
        names = [
            f"{name} head {head}"
            for name, place in self.heads.slices().items()
            for head in self.heads.broken[place].nonzero().flatten().tolist()
        ]
        if names:
            self.broken[utterance] = names

    def piece(self, done: int) -> Piece:
        """Return the sums as a piece, of which some utterances are done."""
        tables = {f"heads/{name}": table for name, table in self.heads.tables.items()}
        shapes = {f"shapes/{name}": table for name, table in self.shapes.sums().items()}
        maps = {f"maps/{name}": table for name, table in self.maps.sums().items()}
        tensors = {**tables, **shapes, **maps, "broken": self.heads.broken}
        arrays: dict[str, NDArray[Any]] = {name: each.numpy() for name, each in tensors.items()}
        arrays["lengths"] = np.array(self.lengths, dtype=np.int64)
        about = {"done": done, "broken": [*self.broken.items()], "noted": [*self.noted.items()]}
        if self.shown:
            arrays["shown"] = self.shown.levels
            about["seconds"] = self.shown.seconds
        return Piece(arrays, about)

    def restore(self, piece: Piece) -> "AttentionSums":
        """Return the sums of a piece; these are empty sums of the same heads and pairs."""

        def under(prefix: str) -> dict[str, Tensor]:
            return {name: torch.from_numpy(array) for name, array in piece.under(prefix).items()}

        self.heads.tables |= under("heads/")
        self.heads.broken = torch.from_numpy(piece.arrays["broken"])
        self.shapes.set_sums(under("shapes/"))
        self.maps.set_sums(under("maps/"))
        shown = None
        if "shown" in piece.arrays:
            shown = UtteranceMaps(piece.arrays["shown"], piece.about["seconds"])
        return AttentionSums(
            self.heads,
            self.shapes,
            self.maps,
            shown,
            piece.arrays["lengths"].tolist(),
            dict(piece.about["broken"]),
            dict(piece.about["noted"]),
        )


class GroupSums(Sequence[HeadSums]):
    """Comparisons of heads by jackknife group.

    Those of kept pieces are read when they are needed: all groups together may exceed the memory.

    Parameters
    ----------
    empty
        Returns empty sums.
    groups
        Number of groups.
    pieces
        Where pieces are kept, if they are.
    """

    def __init__(self, empty: Callable[[], AttentionSums], groups: int, pieces: Pieces) -> None:
        self._empty = empty
        self._groups = groups
        self._pieces = pieces
        self._kept: dict[int, list[str]] = defaultdict(list)
        self._there: dict[int, HeadSums] = {}

    def add(self, group: int, name: str, piece: Piece) -> None:
        """Add the piece of a batch to its group."""
        if self._pieces.folder is not None:
            self._kept[group].append(name)
            return
        sums = self._empty().restore(piece).heads
        before = self._there.get(group)
        self._there[group] = sums if before is None else before.merge(sums)

    def __len__(self) -> int:
        return self._groups

    @overload
    def __getitem__(self, group: int) -> HeadSums: ...
    @overload
    def __getitem__(self, group: slice) -> Sequence[HeadSums]: ...
    def __getitem__(self, group: int | slice) -> HeadSums | Sequence[HeadSums]:
        """Return the sums of a group, which are empty if no utterance is in it."""
        if isinstance(group, slice):
            return [self[each] for each in range(*group.indices(len(self)))]
        if not 0 <= group < len(self):
            raise IndexError(group)
        if group in self._there:
            return self._there[group]
        names = self._kept.get(group, ())
        read = (self._empty().restore(self._pieces.read_again(name)) for name in names)
        return reduce(HeadSums.merge, (each.heads for each in read), self._empty().heads)


@dataclass(frozen=True)
class BatchState:
    """How many utterances of a batch are done, and their sums.

    The sums of complete batches are read one by one when they are needed: all would fill memory.
    """

    done: int = 0
    begun: Piece | None = None

    @classmethod
    def of(cls, piece: Piece | None, batch: Batch) -> "BatchState":
        """Return the state of a batch that a piece holds, if there is one."""
        if piece is None:
            return cls()
        done = int(piece.about["done"])
        return cls(done, piece if done < len(batch.utterances) else None)

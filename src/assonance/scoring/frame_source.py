"""Frames in groups, and how they are read: a chunk at a time, or paired with those further on."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from assonance.statistics import CHUNK_FRAMES

Frames = Mapping[str, Tensor]


class FrameSource(Protocol):
    """Layers seen at the same frames, in groups whose frames depend on each other."""

    @property
    def widths(self) -> Mapping[str, int]:
        """Layer name to its number of neurons, in order."""

    @property
    def sizes(self) -> Sequence[int]:
        """Frames of each group."""

    @property
    def units(self) -> Sequence[int]:
        """Number, from 0 on, of the unit that each group belongs to: what is left out whole."""

    def read(self, group: int, names: Sequence[str]) -> Mapping[str, Tensor]:
        """Frames of one group, shape (T, D) by layer name, float32 or float64."""

    def means(self) -> Mapping[str, Tensor]:
        """Mean of each neuron over all frames, float64, shape (D,) by layer name."""


class FrameReader:
    """Frames of a source, put where torch computes.

    Parameters
    ----------
    source
        The frames.
    device
        Where they go.
    """

    def __init__(self, source: FrameSource, device: str) -> None:
        self.source = source
        self.device = device

    def chunks(
        self, groups: Sequence[int], names: Sequence[str]
    ) -> Iterator[list[tuple[int, Mapping[str, Tensor]]]]:
        """Read groups, as many at a time as make a chunk of frames, each with its number."""
        waiting: list[tuple[int, Mapping[str, Tensor]]] = []
        frames = 0
        for number, group in enumerate(groups):
            waiting.append((group, self._read(group, names)))
            frames += self.source.sizes[group]
            if frames >= CHUNK_FRAMES or number == len(groups) - 1:
                yield waiting
                waiting, frames = [], 0

    def shifted(
        self, groups: Sequence[int], names: Sequence[str], share: float
    ) -> Iterator[tuple[Frames, Frames]]:
        """Read groups a chunk at a time, each with as many frames of groups further on.

        Groups are taken round in a circle; one that is alone is turned in itself.

        Parameters
        ----------
        groups, names
            What to read.
        share
            How far on, as a share of all the groups; between 0 and 1.
        """
        if len(groups) == 1:
            frames = self._read(groups[0], names)
            turn = -max(1, round(share * self.source.sizes[groups[0]]))
            yield frames, {name: values.roll(turn, 0) for name, values in frames.items()}
            return
        first = min(max(1, round(share * len(groups))), len(groups) - 1)
        further = _Stream(
            (self._read(group, names) for group in (*groups[first:], *groups[:first])), names
        )
        for chunk in self.chunks(groups, names):
            rows = {name: torch.cat([layers[name] for _, layers in chunk]) for name in names}
            yield rows, further.take(length(rows))

    def _read(self, group: int, names: Sequence[str]) -> Frames:
        layers = self.source.read(group, names)
        return {name: layers[name].to(self.device) for name in names}


class _Stream:
    """Frames of groups, one after the other, as many at a time as asked for."""

    def __init__(self, groups: Iterator[Frames], names: Sequence[str]) -> None:
        self._groups = groups
        self._names = names
        self._waiting: Frames = {}

    def take(self, count: int) -> Frames:
        """Give the next frames."""
        parts = [self._waiting] if self._waiting else []
        there = sum(map(length, parts))
        while there < count:
            parts.append(next(self._groups))
            there += length(parts[-1])
        joined = {name: torch.cat([part[name] for part in parts]) for name in self._names}
        self._waiting = {name: frames[count:] for name, frames in joined.items()}
        return {name: frames[:count] for name, frames in joined.items()}


def length(layers: Frames) -> int:
    """Frames in each layer."""
    return len(next(iter(layers.values())))

"""Frames of layers, read utterance by utterance: in chunks, or paired with shifted frames."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from assonance.statistics import CHUNK_FRAMES
from assonance.utils.cores import Map

Frames = Mapping[str, Tensor]


class FrameSource(Protocol):
    """The same frames in several layers, in utterances (clusters of dependent frames)."""

    @property
    def widths(self) -> Mapping[str, int]:
        """Layer name to its number of neurons, in order."""

    @property
    def sizes(self) -> Sequence[int]:
        """Number of frames of each utterance."""

    @property
    def units(self) -> Sequence[Hashable]:
        """Name of the unit of each utterance: a unit is never split."""

    def read(self, utterance: int, names: Sequence[str]) -> Mapping[str, Tensor]:
        """Return frames of one utterance, shape (T, D) by layer name, float32 or float64."""

    def means(self) -> Mapping[str, Tensor]:
        """Return the mean of each neuron over all frames, float64, shape (D,) by layer name."""


class FrameReader:
    """Reader of a source's frames on the device where torch computes.

    Parameters
    ----------
    source
        The frames.
    device
        Torch device to copy them to.
    """

    def __init__(self, source: FrameSource, device: str) -> None:
        self.source = source
        self.device = device

    def chunks(
        self, utterances: Sequence[int], names: Sequence[str], pool_map: Map = map
    ) -> Iterator[list[tuple[int, Frames]]]:
        """Yield chunks of at least `CHUNK_FRAMES` frames: utterances, each with its number.

        Parameters
        ----------
        utterances, names
            Utterances and layers to read.
        pool_map
            A `map` that may call its function from several threads.
        """
        waiting: list[int] = []
        frames = 0
        for number, utterance in enumerate(utterances):
            waiting.append(utterance)
            frames += self.source.sizes[utterance]
            if frames >= CHUNK_FRAMES or number == len(utterances) - 1:
                read = pool_map(lambda each: self._read(each, names), waiting)
                yield list(zip(waiting, read, strict=True))
                waiting, frames = [], 0

    def shifted(
        self,
        utterances: Sequence[int],
        rows: Sequence[str],
        columns: Sequence[str],
        shift: float,
        pool_map: Map = map,
    ) -> Iterator[tuple[Frames, Frames]]:
        """Yield chunks of frames paired with as many frames from later utterances.

        The shift is circular. A single utterance is rolled along its own time axis.

        Parameters
        ----------
        utterances, rows, columns
            Utterances to read, the layers whose frames stay and those whose frames are shifted.
        shift
            Size of the shift, as a fraction of the utterances, between 0 and 1.
        pool_map
            A `map` that may call its function from several threads.
        """
        if len(utterances) == 1:
            frames = self._read(utterances[0], [*dict.fromkeys([*rows, *columns])])
            roll = -max(1, round(shift * self.source.sizes[utterances[0]]))
            yield (
                {name: frames[name] for name in rows},
                {name: frames[name].roll(roll, 0) for name in columns},
            )
            return
        first = min(max(1, round(shift * len(utterances))), len(utterances) - 1)
        order = (*utterances[first:], *utterances[:first])
        chunks = self.chunks(order, columns, pool_map)
        later = _Stream((layers for chunk in chunks for _, layers in chunk), columns)
        for chunk in self.chunks(utterances, rows, pool_map):
            stays = {name: torch.cat([layers[name] for _, layers in chunk]) for name in rows}
            yield stays, later.take(length(stays))

    def _read(self, utterance: int, names: Sequence[str]) -> Frames:
        layers = self.source.read(utterance, names)
        return {name: layers[name].to(self.device) for name in names}


class _Stream:
    """Frames of consecutive utterances, taken a given number at a time."""

    def __init__(self, utterances: Iterator[Frames], names: Sequence[str]) -> None:
        self._utterances = utterances
        self._names = names
        self._waiting: Frames = {}

    def take(self, count: int) -> Frames:
        """Return the next `count` frames."""
        pieces = [self._waiting] if self._waiting else []
        total = sum(map(length, pieces))
        while total < count:
            pieces.append(next(self._utterances))
            total += length(pieces[-1])
        joined = {name: torch.cat([piece[name] for piece in pieces]) for name in self._names}
        self._waiting = {name: frames[count:] for name, frames in joined.items()}
        return {name: frames[:count] for name, frames in joined.items()}


def length(layers: Frames) -> int:
    """Return the number of frames, which is the same in each layer."""
    return len(next(iter(layers.values())))

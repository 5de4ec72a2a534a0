"""Attention maps of heads, read utterance by utterance."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from torch import Tensor

from assonance.statistics import on_grid


class MapSource(Protocol):
    """Attention maps of the same utterances by the heads of several layers."""

    @property
    def heads(self) -> Mapping[str, int]:
        """Layer name to its number of heads, in order."""

    @property
    def names(self) -> Sequence[str]:
        """Name of each utterance, for messages."""

    @property
    def durations(self) -> Sequence[float]:
        """Length of each utterance for progress, in seconds or another unit."""

    @property
    def pieces(self) -> Sequence[int]:
        """Number of equal pieces that each utterance is cut into."""

    @property
    def frames(self) -> Sequence[int]:
        """Number of frames T of each utterance's longest maps, or an upper bound."""

    def read(self, utterance: int) -> Iterable[Sequence[Tensor]]:
        """Yield the maps of one utterance, piece by piece; called from several threads.

        Returns
        -------
        iterable of sequence of Tensor
            For each piece the attention after the softmax of each layer, in order, shape (H, T, T),
            all float32 or all float64. A long utterance may be cut into several pieces.
        """

    def noted(self, utterance: int) -> Sequence[str]:
        """Return what a reader must know of an utterance that was read."""

    def recall(self, utterance: int, noted: Sequence[str]) -> None:
        """Take over what was noted of an utterance that another process read, or an earlier run."""


class MapsInMemory:
    """Attention maps that are in memory, as a `MapSource`.

    Parameters
    ----------
    maps
        Layer name to maps, one (H, T, T) an utterance; the same utterances for every layer.
    """

    def __init__(self, maps: Mapping[str, Sequence[Tensor]]) -> None:
        self._maps = maps
        self.heads = {name: values[0].shape[0] for name, values in maps.items()}
        # Utterances are assigned to groups by their length in the first layer.
        self.sizes = [one.shape[-1] for one in next(iter(maps.values()))]
        self.names = [f"utterance {index}" for index in range(len(self.sizes))]
        self.durations = [1.0] * len(self.sizes)
        self.pieces = [1] * len(self.sizes)
        self.frames = [
            min(one.shape[-1] for one in utterance)
            for utterance in zip(*maps.values(), strict=True)
        ]

    def read(self, utterance: int) -> Iterator[list[Tensor]]:
        """Yield the maps of one utterance on their coarsest grid, in one piece."""
        frames = self.frames[utterance]
        yield [on_grid(values[utterance], frames) for values in self._maps.values()]

    def noted(self, utterance: int) -> tuple[str, ...]:
        """Return nothing: the maps are as they were given."""
        return ()

    def recall(self, utterance: int, noted: Sequence[str]) -> None:
        """Do nothing."""

"""Attention maps of heads, read utterance by utterance."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from torch import Tensor


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
    def frames(self) -> Sequence[int]:
        """Number of frames T of each utterance's longest maps, or an upper bound."""

    def read(self, utterance: int) -> Iterable[Tensor]:
        """Yield the maps of one utterance, piece by piece; called from several threads.

        Returns
        -------
        iterable of Tensor
            Attention after the softmax of the heads of all layers in order, shape (N, T, T),
            float32 or float64. A long utterance may be cut into several pieces.
        """

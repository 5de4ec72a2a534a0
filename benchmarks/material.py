"""Layers to measure on: dependent frames in utterances, neurons that share signals."""

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
import torch
from torch import Tensor


def utterances(frames: int, seed: int = 0, shortest: int = 50, longest: int = 700) -> list[int]:
    """Draw lengths of utterances, in frames, that add up to `frames`."""
    rng = np.random.default_rng(seed)
    lengths: list[int] = []
    while (left := frames - sum(lengths)) > 0:
        length = int(rng.integers(shortest, longest + 1))
        lengths.append(left if left < length + shortest else length)
    return lengths


class Layers:
    """Layers whose frames are made when they are asked for, and the same every time.

    Every layer mixes the same latent signals with noise of its own. Signals fall off in variance
    as a power of their number, and follow each other smoothly in time.

    Parameters
    ----------
    count, width
        Layers and their neurons.
    lengths
        Frames of each utterance.
    decay
        Variance of the j-th direction is j^−decay: 0 is white, about 1 is what networks have.
    kept
        Whether the frames are kept in memory, as a caller of plain arrays has them.
    """

    def __init__(
        self, count: int, width: int, lengths: Sequence[int], decay: float = 1.0, *, kept: bool
    ) -> None:
        self.widths = {f"layer {number}": width for number in range(count)}
        self.sizes = list(lengths)
        self.units = range(len(lengths))
        self._deviations = torch.arange(1, width + 1).float() ** (-decay / 2)
        self._mixing = {
            name: torch.linalg.qr(torch.randn(width, width, generator=_generator(number)))[0]
            for number, name in enumerate(self.widths)
        }
        self._starts = np.cumsum([0, *lengths]).tolist()
        self._kept: dict[str, Tensor] = {}
        if kept:
            self._kept = {name: torch.empty(sum(lengths), width) for name in self.widths}
            for group, start in enumerate(self._starts[:-1]):
                for name, frames in self._make(group, list(self.widths)).items():
                    self._kept[name][start : start + len(frames)] = frames

    def read(self, utterance: int, names: Sequence[str]) -> Mapping[str, Tensor]:
        """Frames of one utterance."""
        if not self._kept:
            return self._make(utterance, names)
        start, stop = self._starts[utterance : utterance + 2]
        return {name: self._kept[name][start:stop] for name in names}

    def means(self) -> dict[str, Tensor]:
        """Mean of each neuron over all frames."""
        names = list(self.widths)
        totals = {
            name: torch.zeros(width, dtype=torch.float64) for name, width in self.widths.items()
        }
        for group in range(len(self.sizes)):
            for name, frames in self.read(group, names).items():
                totals[name] += frames.sum(0, dtype=torch.float64)
        return {name: total / sum(self.sizes) for name, total in totals.items()}

    def whole(self, name: str) -> Tensor:
        """All frames of a layer that keeps them, end to end."""
        return self._kept[name]

    def _make(self, group: int, names: Sequence[str]) -> dict[str, Tensor]:
        length, width = self.sizes[group], len(self._deviations)
        shared = _smooth(torch.randn(length, width, generator=_generator(group, 1)))
        frames = {}
        for name in names:
            number = list(self.widths).index(name)
            own = torch.randn(length, width, generator=_generator(group, 2 + number))
            frames[name] = ((shared + own) * self._deviations) @ self._mixing[name]
        return frames


def _smooth(signals: Tensor) -> Tensor:
    """Let each frame remember three quarters of the one before: five frames' running mean."""
    padded = torch.cat([signals[:4], signals])
    lagged = [padded[4 - lag : len(padded) - lag] for lag in range(5)]
    return reduce(torch.add, lagged) / 5**0.5


def _generator(*seeds: int) -> torch.Generator:
    return torch.Generator().manual_seed(int(np.random.SeedSequence(seeds).generate_state(1)[0]))

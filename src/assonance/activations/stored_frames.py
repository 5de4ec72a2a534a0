"""Frames of several models' layers, read from their activation stores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assonance.activations.pooling import FrameGroups
from assonance.activations.store import ActivationStore
from assonance.utils.scale import exponents, scaled

_JUDGED = 8  # utterances that show how large the values of a layer are


@dataclass(frozen=True)
class Layer:
    """A layer of a model, and the store that holds its frames."""

    model: str
    label: str
    store: ActivationStore


class StoredFrames:
    """Frames of layers, or rows pooled from them, utterance by utterance.

    Parameters
    ----------
    layers
        Layers by name, in order.
    ids
        Utterances that every store holds, in the order of the corpus.
    units
        Name of the unit of each utterance; None if each is a unit of its own.
    rows
        By model, the frames that are pooled to the rows of each utterance, as many rows for every
        model. None, or a model left out, if each frame is a row.
    """

    def __init__(
        self,
        layers: Mapping[str, Layer],
        ids: Sequence[str],
        units: Sequence[str] | None = None,
        rows: Mapping[str, Sequence[FrameGroups | None]] | None = None,
    ) -> None:
        self.layers = layers
        self.ids = ids
        self.units = ids if units is None else units
        self.widths = {name: layer.store.layers[layer.label] for name, layer in layers.items()}
        self._rows = rows or {}
        self.sizes = [self._size(utterance) for utterance in range(len(ids))]

    def read(self, utterance: int, names: Sequence[str]) -> dict[str, Tensor]:
        """Read one utterance's rows of some layers, each store once."""
        return {
            name: scaled(torch.from_numpy(array), self._exponents[name])
            for labels in self._by_store(names).values()
            for name, array in self._arrays(utterance, labels).items()
        }

    def means(self) -> dict[str, Tensor]:
        """Compute the mean of each neuron over all rows, of frames from the stores' sums."""
        totals = {name: np.zeros(width) for name, width in self.widths.items()}
        for store, labels in self._by_store(list(self.layers)).items():
            for utterance, id in enumerate(self.ids):
                if self._rows_of(next(iter(labels.values())), utterance) is None:
                    sums = store.sums(id)
                    for label, name in labels.items():
                        totals[name] += sums[label]
                else:
                    for name, array in self._arrays(utterance, labels).items():
                        totals[name] += array.sum(0, dtype=np.float64)
        return {
            name: scaled(torch.from_numpy(total / sum(self.sizes)), self._exponents[name])
            for name, total in totals.items()
        }

    @cached_property
    def _exponents(self) -> dict[str, int]:
        """By layer, the power of two that its frames are multiplied by.

        Means of the first utterance show whether a layer is extreme. Only then are frames read.
        """
        means = {}
        for name, layer in self.layers.items():
            sums = layer.store.sums(self.ids[0])[layer.label]
            means[name] = float(np.abs(sums).max()) / layer.store.n_frames(self.ids[0])
        if not any(exponents(means).values()):
            return dict.fromkeys(means, 0)
        largest = dict.fromkeys(self.layers, 0.0)
        for utterance in range(min(len(self.ids), _JUDGED)):
            for labels in self._by_store([*self.layers]).values():
                for name, array in self._arrays(utterance, labels).items():
                    largest[name] = max(largest[name], float(np.abs(array).max(initial=0.0)))
        return exponents(largest)

    def _arrays(self, utterance: int, labels: Mapping[str, str]) -> dict[str, NDArray[np.float32]]:
        """Read the rows of layers of one store; `labels` are layer names by label."""
        first = next(iter(labels.values()))
        rows = self._rows_of(first, utterance)
        frames = self.layers[first].store.read(self.ids[utterance], list(labels))
        return {
            name: frames[label] if rows is None else rows.of(frames[label])
            for label, name in labels.items()
        }

    def _rows_of(self, name: str, utterance: int) -> FrameGroups | None:
        rows = self._rows.get(self.layers[name].model)
        return None if rows is None else rows[utterance]

    def _size(self, utterance: int) -> int:
        first, layer = next(iter(self.layers.items()))
        rows = self._rows_of(first, utterance)
        return layer.store.n_frames(self.ids[utterance]) if rows is None else len(rows)

    def _by_store(self, names: Sequence[str]) -> dict[ActivationStore, dict[str, str]]:
        """Return the layers' names by label, for each store."""
        stores: dict[ActivationStore, dict[str, str]] = {}
        for name in names:
            stores.setdefault(self.layers[name].store, {})[self.layers[name].label] = name
        return stores

"""Layers of several models, read from their activation stores as the pass over frames asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assonance.activations.pooling import FrameGroups
from assonance.activations.store import ActivationStore


@dataclass(frozen=True)
class Layer:
    """Where a layer's frames are."""

    model: str
    label: str
    store: ActivationStore


class StoredFrames:
    """Frames of layers, or rows made of them, utterance by utterance.

    Parameters
    ----------
    layers
        By name, in order.
    ids
        The utterances that every store holds, in the corpus's order.
    units
        Number of the unit that each belongs to; each one of its own where None.
    rows
        By model, which frames make the rows of each utterance, as many for every model; None, or
        no such model, where each frame is a row.
    """

    def __init__(
        self,
        layers: Mapping[str, Layer],
        ids: Sequence[str],
        units: Sequence[int] | None = None,
        rows: Mapping[str, Sequence[FrameGroups | None]] | None = None,
    ) -> None:
        self.layers = layers
        self.ids = ids
        self.units = range(len(ids)) if units is None else units
        self.widths = {name: layer.store.layers[layer.label] for name, layer in layers.items()}
        self._rows = rows or {}
        self.sizes = [self._size(group) for group in range(len(ids))]

    def read(self, group: int, names: Sequence[str]) -> dict[str, Tensor]:
        """Read one utterance's rows of some layers, each store once."""
        return {
            name: torch.from_numpy(array)
            for labels in self._by_store(names).values()
            for name, array in self._arrays(group, labels).items()
        }

    def means(self) -> dict[str, Tensor]:
        """Mean of each neuron over all rows: of frames from the sums that the stores keep."""
        totals = {name: np.zeros(width) for name, width in self.widths.items()}
        for store, labels in self._by_store(list(self.layers)).items():
            for group, id in enumerate(self.ids):
                if self._rows_of(next(iter(labels.values())), group) is None:
                    sums = store.sums(id)
                    for label, name in labels.items():
                        totals[name] += sums[label]
                else:
                    for name, array in self._arrays(group, labels).items():
                        totals[name] += array.sum(0, dtype=np.float64)
        return {name: torch.from_numpy(total / sum(self.sizes)) for name, total in totals.items()}

    def _arrays(self, group: int, labels: Mapping[str, str]) -> dict[str, NDArray[np.float32]]:
        """Read rows of layers of one store, given by label and name, by name."""
        first = next(iter(labels.values()))
        rows = self._rows_of(first, group)
        frames = self.layers[first].store.read(self.ids[group], list(labels))
        return {
            name: frames[label] if rows is None else rows.of(frames[label])
            for label, name in labels.items()
        }

    def _rows_of(self, name: str, group: int) -> FrameGroups | None:
        rows = self._rows.get(self.layers[name].model)
        return None if rows is None else rows[group]

    def _size(self, group: int) -> int:
        first, layer = next(iter(self.layers.items()))
        rows = self._rows_of(first, group)
        return layer.store.n_frames(self.ids[group]) if rows is None else len(rows)

    def _by_store(self, names: Sequence[str]) -> dict[ActivationStore, dict[str, str]]:
        """Layers' names by label, store by store."""
        stores: dict[ActivationStore, dict[str, str]] = {}
        for name in names:
            stores.setdefault(self.layers[name].store, {})[self.layers[name].label] = name
        return stores

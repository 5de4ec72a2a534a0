"""Layers of several models, read from their activation stores as the pass over frames asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from assonance.store import ActivationStore


@dataclass(frozen=True)
class Layer:
    """Where a layer's frames are."""

    model: str
    label: str
    store: ActivationStore


class StoredLayers:
    """Frames of layers, utterance by utterance.

    Parameters
    ----------
    layers
        By name, in order.
    ids
        The utterances that every store holds, in the corpus's order.
    units
        Number of the unit that each belongs to; each one of its own where None.
    """

    def __init__(
        self, layers: Mapping[str, Layer], ids: Sequence[str], units: Sequence[int] | None = None
    ) -> None:
        self.layers = layers
        self.ids = ids
        self.units = range(len(ids)) if units is None else units
        self.widths = {name: layer.store.layers[layer.label] for name, layer in layers.items()}
        store = next(iter(layers.values())).store
        self.sizes = [store.n_frames(id) for id in ids]

    def read(self, group: int, names: Sequence[str]) -> dict[str, Tensor]:
        """Read one utterance's frames of some layers, each store once."""
        frames = {}
        for store, labels in self._by_store(names).items():
            arrays = store.read(self.ids[group], list(labels))
            for label, name in labels.items():
                frames[name] = torch.from_numpy(arrays[label])
        return frames

    def means(self) -> dict[str, Tensor]:
        """Mean of each neuron over all frames, from the sums that the stores keep."""
        totals = {
            name: torch.zeros(width, dtype=torch.float64) for name, width in self.widths.items()
        }
        for store, labels in self._by_store(list(self.layers)).items():
            for id in self.ids:
                sums = store.sums(id)
                for label, name in labels.items():
                    totals[name] += torch.from_numpy(sums[label])
        return {name: total / sum(self.sizes) for name, total in totals.items()}

    def _by_store(self, names: Sequence[str]) -> dict[ActivationStore, dict[str, str]]:
        """Layers' names by label, store by store."""
        stores: dict[ActivationStore, dict[str, str]] = {}
        for name in names:
            stores.setdefault(self.layers[name].store, {})[self.layers[name].label] = name
        return stores

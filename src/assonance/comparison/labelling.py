"""Label flat layers by model and layer."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from assonance.comparison.result import CELL


class LayerLabels:
    """Models and layer labels of the flat layers that passes score.

    Parameters
    ----------
    models
        Names of all models, in order.
    layers
        Name of a flat layer to its model and its label there, in order.
    """

    def __init__(self, models: Sequence[str], layers: Mapping[str, tuple[str, str]]) -> None:
        self._layers = layers
        labels = list(dict.fromkeys(label for _, label in layers.values()))
        self._models = {name: index for index, name in enumerate(models)}
        self._labels = {label: index for index, label in enumerate(labels)}
        self.coordinates: dict[str, list[str]] = dict(
            zip(CELL, (list(models), labels, list(models), labels), strict=True)
        )

    @property
    def empty(self) -> xr.Dataset:
        """A dataset with the coordinates of all models and layers, and no variables."""
        return xr.Dataset(coords=self.coordinates)

    def label(self, flat: xr.Dataset, dtype: DTypeLike | None = None) -> xr.Dataset:
        """Split each layer dimension into model and layer.

        Parameters
        ----------
        flat
            Variables with dimensions layer_row, or layer_row and layer_col, first.
        dtype
            Type of the result's floating-point numbers; their own if None.

        Returns
        -------
        xarray.Dataset
            NaN (−1 for integers) where a model lacks a layer.
        """
        places = [self._layers[layer] for layer in flat["layer_row"].values] if flat else []
        at = (
            np.array([self._models[model] for model, _ in places], dtype=int),
            np.array([self._labels[label] for _, label in places], dtype=int),
        )
        result = self.empty
        for name, array in flat.data_vars.items():
            square = "layer_col" in array.dims
            dims = CELL if square else CELL[:2]
            inner = array.dims[2 if square else 1 :]
            real = array.dtype.kind == "f"
            shape = [len(self.coordinates[str(dim)]) for dim in dims]
            shape += [flat.sizes[dim] for dim in inner]
            kind = dtype if real and dtype is not None else array.dtype
            values = np.full(shape, np.nan if real else -1, dtype=kind)
            index = (*(each[:, None] for each in at), *at) if square else at
            values[index] = array.values
            result[name] = ((*dims, *inner), values, array.attrs)
        return result

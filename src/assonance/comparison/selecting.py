"""Select models and layers of a comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from assonance.comparison.lookup import find_layer, find_model
from assonance.comparison.records import ModelRecord
from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError

Layers = Sequence[str | int] | Mapping[str, Sequence[str | int]]
_SIDES = ("row", "col")


def select(
    comparison: Comparison, models: Sequence[str] | None = None, layers: Layers | None = None
) -> Comparison:
    """Return a comparison of some of the models and layers.

    Parameters
    ----------
    comparison
        The comparison.
    models
        Names of the models to keep, in the order wanted; all by default. Their random twins and
        the baseline are kept with them.
    layers
        Labels of the layers to keep, or the numbers in which they end: the same for all models
        that have them, or by model. All by default. A random twin keeps the layers of its models.

    Returns
    -------
    Comparison
        No score changes. What was computed over all layers, such as `mincorr`, remains so.

    Raises
    ------
    AssonanceError
        There is no such model or layer.
    """
    names = [find_model(comparison, each) for each in models or comparison.models]
    if not names:
        raise AssonanceError("models: none to select; name at least one")
    kept = {name: _layers(comparison, name, layers) for name in dict.fromkeys(names)}
    ordered = _ordered(comparison.provenance.models, list(kept))
    return _restricted(comparison, [_reduced(each, kept) for each in ordered])


def without_floors(comparison: Comparison) -> Comparison:
    """Return a comparison of its models, without random twins and the baseline."""
    models = comparison.provenance.models
    return _restricted(comparison, [each for each in models if not (each.twin_of or each.baseline)])


def _restricted(comparison: Comparison, records: Sequence[ModelRecord]) -> Comparison:
    """Return a comparison of the models and layers that records have."""
    provenance = replace(comparison.provenance, models=tuple(records))
    wanted = {each.name: tuple(each.layers) for each in records}
    data = {
        name: _cut(value, wanted)
        for name, value in vars(comparison).items()
        if isinstance(value, xr.Dataset)
    }
    return replace(comparison, provenance=provenance, **data)


def _layers(comparison: Comparison, model: str, layers: Layers | None) -> tuple[str, ...]:
    """Return the labels to keep of a model, from the input up."""
    own = comparison.layers(model)
    if layers is None:
        return own
    if isinstance(layers, Mapping):
        given = {find_model(comparison, name): each for name, each in layers.items()}
        if model not in given:
            return own
        found = {find_layer(comparison, model, each) for each in given[model]}
    else:
        found = set()
        for each in layers:
            if any(_has(comparison, other, each) for other in comparison.models):
                found |= (
                    {find_layer(comparison, model, each)}
                    if _has(comparison, model, each)
                    else set()
                )
            else:
                find_layer(comparison, model, each)  # raises, with the nearest
    if not found:
        raise AssonanceError(f"layers: {model} has none of them; name one of {', '.join(own)}")
    return tuple(label for label in own if label in found)


def _has(comparison: Comparison, model: str, layer: str | int) -> bool:
    labels = comparison.layers(model)
    return str(layer) in labels or str(layer) in {each.rpartition(".")[2] for each in labels}


def _ordered(records: Sequence[ModelRecord], names: Sequence[str]) -> list[ModelRecord]:
    """Return the records of the models in their order, then those of their controls."""
    by_name = {each.name: each for each in records}
    controls = [each for each in records if each.baseline or set(each.twin_of) & set(names)]
    return [by_name[name] for name in names] + [each for each in controls if each.name not in names]


def _reduced(record: ModelRecord, kept: Mapping[str, Sequence[str]]) -> ModelRecord:
    """Return the record of a model with the layers to keep, and without models that are not."""
    of = tuple(name for name in record.twin_of if name in kept)
    wanted = {label for name in of for label in kept[name]} if of else set(record.layers)
    wanted = set(kept.get(record.name, wanted))
    return replace(
        record,
        layers={label: text for label, text in record.layers.items() if label in wanted},
        twin_of=of,
        seed_of=record.seed_of if record.seed_of in kept else None,
        tuned_from=record.tuned_from if record.tuned_from in kept else None,
    )


def _cut(data: xr.Dataset, wanted: Mapping[str, Sequence[str]]) -> xr.Dataset:
    """Keep the rows and columns of the wanted models and layers; others are undefined."""
    labels = (
        [
            label
            for label in data.coords["layer_row"].values.tolist()
            if any(label in each for each in wanted.values())
        ]
        if "layer_row" in data.coords
        else []
    )
    for side in _SIDES:
        model, layer = f"model_{side}", f"layer_{side}"
        if model not in data.dims:
            continue
        data = data.sel({model: list(wanted), layer: labels})
        there = xr.DataArray(
            np.array([[label in each for label in labels] for each in wanted.values()]),
            dims=(model, layer),
            coords={model: list(wanted), layer: labels},
        )
        data = data.assign(
            {
                name: array.where(there, np.nan if array.dtype.kind == "f" else -1).transpose(
                    *array.dims
                )
                for name, array in data.data_vars.items()
                if model in array.dims
            }
        )
    return data

"""Read the values of the paper's figures, and find them for layers of other models."""

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources

import numpy as np
import xarray as xr
from numpy.typing import NDArray

# Blocks of the models in the paper.
BLOCKS = {"hubert-base": 12, "hubert-large": 24, "wav2vec2-base": 12, "wav2vec2-large": 24}
TUNED = "-finetuned"
_LABEL = re.compile(r"encoder\.(\d+)")

Values = NDArray[np.float64]


@cache
def figures() -> xr.Dataset:
    """Load the values of all figures, with their source among the attributes.

    Returns
    -------
    xarray.Dataset
        One square variable for each measure. Its rows and columns are the layers of the four
        pretrained models (``layer_model``, ``layer_number``), or the attention of their blocks
        (``map_model``, ``map_number``). A variable ``<model>-finetuned.<measure>`` has the layers
        of a pretrained model as rows and those of its fine-tuned counterpart as columns.

    Examples
    --------
    >>> from assonance.report.study.published import figures
    >>> figures()["maxcorr"].shape
    (74, 74)
    """
    file = resources.files("assonance.report.study").joinpath("published.nc")
    with resources.as_file(file) as path:
        return xr.load_dataset(path, engine="h5netcdf")


def measures() -> tuple[str, ...]:
    """Name the measures that the paper has a figure of all layers for."""
    return tuple(str(name) for name in figures().data_vars if "." not in str(name))


def block(measure: str, row: str, col: str) -> Values | None:
    """Return the published values of the layers of one model (rows) with those of another.

    Parameters
    ----------
    measure
        A measure of the paper.
    row, col
        Models of the paper: a key of `BLOCKS`, or one with `TUNED` as a column.

    Returns
    -------
    numpy.ndarray or None
        Shape (layers of the row model, layers of the column model); None if the paper has no such
        figure.
    """
    data = figures()
    tuned = f"{col}.{measure}"
    if col == row + TUNED and tuned in data:
        return data[tuned].to_numpy()
    if measure not in data or row not in BLOCKS or col not in BLOCKS:
        return None
    array = data[measure]
    models = data[f"{array.dims[0]}_model"].to_numpy()
    return array.to_numpy()[np.ix_(models == row, models == col)]


def counterparts(
    measure: str, row: str, row_layers: Sequence[str], col: str, col_layers: Sequence[str]
) -> Values:
    """Find the published value of each pair of layers of two models.

    Depth is counted in blocks: layer k of a model with B blocks has its counterpart k·P/B layers up
    in a published model with P blocks. Between two published layers the value is interpolated
    linearly. Layers above the last published one have no counterpart.

    Parameters
    ----------
    measure
        A measure of the paper.
    row, col
        Models of the paper that the two models stand for; see `block`.
    row_layers, col_layers
        All layers of the two models: ``encoder.0`` is the input of the first block, ``encoder.k``
        the output of block k.

    Returns
    -------
    numpy.ndarray
        Shape (row layers, column layers); NaN without a counterpart.

    Examples
    --------
    >>> from assonance.report.study.published import counterparts
    >>> half = [f"encoder.{k}" for k in range(7)]
    >>> counterparts("cka", "hubert-base", half, "wav2vec2-base", half).shape
    (7, 7)
    """
    values = block(measure, row, col)
    if values is None:
        return np.full((len(row_layers), len(col_layers)), np.nan)
    first = 1 if measure.startswith("attn_") else 0  # the block of the first published layer
    for axis, (model, layers) in enumerate(((row, row_layers), (col, col_layers))):
        places = _places(layers, BLOCKS[model.removesuffix(TUNED)], first)
        values = np.moveaxis(_interpolated(np.moveaxis(values, axis, 0), places), 0, axis)
    return values


def _places(layers: Sequence[str], published_blocks: int, first: int) -> Values:
    """Return the place of each layer among the published ones, from 0; NaN for other layers."""
    found = [_LABEL.fullmatch(layer) for layer in layers]
    numbers = np.array([float(each[1]) if each else np.nan for each in found])
    places: Values = numbers * published_blocks / np.nanmax(numbers, initial=1) - first
    return places


def _interpolated(values: Values, places: Values) -> Values:
    """Interpolate along the first axis; NaN outside it."""
    inside = (places >= 0) & (places <= len(values) - 1)
    below = np.where(inside, np.floor(places), 0).astype(int)
    above = np.where(inside, np.ceil(places), 0).astype(int)
    share = (np.where(inside, places, 0) - below)[:, None]
    # Where a layer has an exact counterpart, its neighbour may be missing.
    between = np.where(
        share > 0, (1 - share) * values[below] + share * values[above], values[below]
    )
    found: Values = np.where(inside[:, None], between, np.nan)
    return found

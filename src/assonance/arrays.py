"""Similarity of plain arrays: the measures without models or audio, for any field."""

import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations_with_replacement

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor

from assonance.cautions import constant_neurons, too_few_frames
from assonance.errors import AssonanceError, AssonanceWarning
from assonance.measures import Measure, Settings, find, find_settings
from assonance.scores import HeadScores, Scores
from assonance.statistics import (
    CHUNK_FRAMES,
    BlockSums,
    FoldedMoments,
    HeadSums,
    KernelSample,
    Moments,
    assign_folds,
    sample_indices,
)


def similarity(
    X: ArrayLike,
    Y: ArrayLike,
    measure: str,
    *,
    groups: Sequence[Hashable] | None = None,
    settings: str | Settings = "default",
) -> float:
    """Compare two arrays by one measure.

    Parameters
    ----------
    X, Y
        Frames × neurons, shapes (T, Dx) and (T, Dy).
    measure
        Name of a neuron or layer measure.
    groups, settings
        As in `similarity_matrix`.

    Returns
    -------
    float
        The similarity of X (row) to Y (column), in the measure's range.

    Raises
    ------
    AssonanceError
        As `similarity_matrix`.
    """
    result = similarity_matrix(
        {"X": X, "Y": Y}, measures=[measure], groups=groups, settings=settings
    )
    cell = result[measure].sel(layer_row="X")
    return float(cell.sel(layer_col="Y") if "layer_col" in cell.dims else cell)


def similarity_matrix(
    layers: Mapping[str, ArrayLike],
    measures: Iterable[str] = ("maxcorr", "linreg", "svcca", "pwcca", "cka"),
    *,
    groups: Sequence[Hashable] | None = None,
    settings: str | Settings = "default",
    per_neuron: bool = False,
) -> xr.Dataset:
    """Compare every array with every other.

    Parameters
    ----------
    layers
        Name to activations, frames × neurons, the same frames in every array.
    measures
        Names of neuron and layer measures.
    groups
        The group (utterance) of each frame, length T. Held-out measures hold out whole groups;
        `cka_utterance` compares frames of different groups only.
    settings
        ``"default"``, ``"elkheir2024"`` for the published definitions, or `Settings`.
    per_neuron
        Add, for each neuron measure, `<measure>_by_neuron` with dimensions layer_row, layer_col,
        neuron, and `<measure>_match` with the matched neuron where there is one (−1: none).

    Returns
    -------
    xarray.Dataset
        One variable a measure with dimensions layer_row, layer_col; `mincorr`, which looks at
        all other layers at once, has layer_row alone.

    Raises
    ------
    AssonanceError
        When arrays are not 2-D, not finite or of different lengths, a measure or setting is
        unknown, a measure needs groups and has none, or a held-out measure has fewer than two.
    """
    chosen = find(measures, ("neuron", "layer"))
    settings = find_settings(settings)
    arrays = {name: _frames(name, values) for name, values in layers.items()}
    n = _common_length(arrays)
    numbers = _group_numbers(groups, n, chosen)
    folds = _folds(numbers, n, chosen, settings)
    moments = FoldedMoments(_moments(arrays, folds))
    widths = {name: values.shape[1] for name, values in arrays.items()}
    for name in arrays:
        _warn(constant_neurons(name, moments.layer(name)))
    _warn(too_few_frames(n, widths, chosen))

    rows = torch.from_numpy(sample_indices(n, settings.sample_frames, settings.seed))
    samples = {name: KernelSample(values[rows]) for name, values in arrays.items()}

    blocks = _blocks(arrays, numbers, chosen)
    scores = Scores(widths, chosen)
    for a, b in combinations_with_replacement(arrays, 2):
        pair = moments.pair(a, b, (samples[a], samples[b]))
        if blocks:
            pair.blocks = blocks.pair(a, b, pair.cross, pair.x.scatter, pair.y.scatter)
        scores.add(a, b, pair, settings)
    result = scores.dataset(per_neuron=per_neuron)
    result.attrs.update(settings=settings.name, frames=n, sample_frames=len(rows))
    return result


def head_similarity_matrix(
    layers: Mapping[str, Sequence[ArrayLike]],
    measures: Iterable[str] = ("attn_frobenius", "attn_pearson", "attn_js"),
    *,
    settings: str | Settings = "default",
    per_head: bool = False,
) -> xr.Dataset:
    """Compare the attention heads of every layer with those of every other.

    Parameters
    ----------
    layers
        Name to one array an utterance, heads × queries × keys, shape (H, T, T), rows summing to
        one; the same utterances, in one order, for every layer.
    measures
        Names of head measures.
    settings
        ``"default"``, ``"elkheir2024"`` or `Settings`.
    per_head
        Add, for each measure, the table `<measure>_by_head` with dimensions layer_row,
        layer_col, head_row, head_col.

    Returns
    -------
    xarray.Dataset
        One variable a measure with dimensions layer_row, layer_col: each row head's best match
        among the column layer's heads, averaged over the row's heads.

    Raises
    ------
    AssonanceError
        When maps are not (H, T, T), not finite, or differ in number or length between layers.
    """
    chosen = find(measures, ("head",))
    settings = find_settings(settings)
    if not layers:
        raise AssonanceError("no layers to compare; give at least one")
    maps = {name: [_maps(name, one) for one in values] for name, values in layers.items()}
    if len({len(values) for values in maps.values()}) != 1:
        counts = {name: len(values) for name, values in maps.items()}
        raise AssonanceError(f"layers have different numbers of utterances: {counts}")
    if not all(maps.values()):
        raise AssonanceError("there are no attention maps; give at least one utterance")
    heads = {name: values[0].shape[0] for name, values in maps.items()}
    for index, utterance in enumerate(zip(*maps.values(), strict=True)):
        sizes = {name: tuple(one.shape) for name, one in zip(maps, utterance, strict=True)}
        if len({shape[1] for shape in sizes.values()}) != 1 or any(
            sizes[name][0] != count for name, count in heads.items()
        ):
            raise AssonanceError(f"the maps of utterance {index} do not fit together: {sizes}")
    sums = HeadSums(heads, combinations_with_replacement(maps, 2))
    for utterance in zip(*maps.values(), strict=True):
        sums.update(dict(zip(maps, utterance, strict=True)))
    scores = HeadScores(heads, chosen)
    for a, b in combinations_with_replacement(maps, 2):
        scores.add(a, b, sums.pair(a, b), settings)
    result = scores.dataset(per_head=per_head)
    result.attrs.update(settings=settings.name)
    return result


def _warn(cautions: Iterable[str]) -> None:
    for caution in cautions:
        warnings.warn(caution, AssonanceWarning, stacklevel=3)


def _array(name: str, values: ArrayLike) -> np.ndarray:
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise AssonanceError(f"layer {name!r} cannot be made an array: {error}") from error
    if array.dtype.kind not in "fiu":
        raise AssonanceError(f"layer {name!r} must hold real numbers; got {array.dtype}")
    return array


def _frames(name: str, values: ArrayLike) -> Tensor:
    array = _array(name, values)
    if array.ndim != 2 or not array.shape[1]:
        raise AssonanceError(f"layer {name!r} must be frames × neurons; got {array.shape}")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise AssonanceError(f"layer {name!r} has {bad} values that are NaN or infinite")
    return torch.from_numpy(np.array(array, dtype=np.float64))


def _maps(name: str, values: ArrayLike) -> Tensor:
    array = _array(name, values)
    if array.ndim != 3 or array.shape[1] != array.shape[2] or not array.size:
        raise AssonanceError(
            f"layer {name!r}: attention must be heads × T × T for each utterance; got {array.shape}"
        )
    if not np.isfinite(array).all():
        raise AssonanceError(f"layer {name!r} has attention that is NaN or infinite")
    return torch.from_numpy(np.array(array, dtype=np.float64))


def _common_length(arrays: Mapping[str, Tensor]) -> int:
    if not arrays:
        raise AssonanceError("no layers to compare; give at least one")
    lengths = {name: len(values) for name, values in arrays.items()}
    if len(set(lengths.values())) != 1:
        raise AssonanceError(f"layers have different frame counts: {lengths}")
    n = next(iter(lengths.values()))
    if n < 2:
        raise AssonanceError(f"{n} frames are too few to compare layers; give at least 2")
    return n


def _group_numbers(
    groups: Sequence[Hashable] | None, n: int, measures: Sequence[Measure]
) -> np.ndarray | None:
    """Give each frame the number of its group; None where no measure asks for it."""
    grouped = [each.name for each in measures if each.needs in ("folds", "blocks")]
    if not grouped:
        return None
    if groups is None:
        raise AssonanceError(
            f"{grouped[0]} tells groups of frames apart: give groups=, the utterance of each"
        )
    if len(groups) != n:
        raise AssonanceError(f"groups= has {len(groups)} entries for {n} frames")
    index = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return np.fromiter((index[group] for group in groups), np.int64, n)


def _folds(
    groups: np.ndarray | None, n: int, measures: Sequence[Measure], settings: Settings
) -> np.ndarray:
    """Fold of each frame; all 0 where no measure holds anything out."""
    held_out = [each.name for each in measures if each.needs == "folds"]
    if not held_out or groups is None:
        return np.zeros(n, dtype=np.int64)
    sizes = np.bincount(groups)
    if len(sizes) < 2:
        raise AssonanceError(f"{held_out[0]} needs at least 2 groups of frames; got {len(sizes)}")
    assigned = assign_folds(sizes.tolist(), settings.folds, settings.seed)
    return np.take(assigned, groups)


def _blocks(
    arrays: Mapping[str, Tensor], groups: np.ndarray | None, measures: Sequence[Measure]
) -> BlockSums | None:
    """Add up groups about the mean of all frames; None where no measure needs it."""
    needs = {each.needs for each in measures}
    if not needs & {"norms", "blocks"}:
        return None
    mean = {name: values.mean(0) for name, values in arrays.items()}
    pairs = combinations_with_replacement(arrays, 2)
    sums = BlockSums(mean, pairs, utterances="blocks" in needs)
    if sums.utterances and groups is not None:
        order = torch.from_numpy(np.argsort(groups, kind="stable"))
        chunks = torch.split(order, np.bincount(groups).tolist())
    else:
        chunks = torch.split(torch.arange(len(next(iter(arrays.values())))), CHUNK_FRAMES)
    for rows in chunks:
        sums.update({name: values[rows] for name, values in arrays.items()})
    return sums


def _moments(arrays: Mapping[str, Tensor], folds: np.ndarray) -> list[Moments]:
    shift = {name: values[:CHUNK_FRAMES].mean(0) for name, values in arrays.items()}
    parts = []
    for fold in np.unique(folds):
        part = Moments(shift, combinations_with_replacement(arrays, 2))
        for rows in torch.split(torch.from_numpy(np.flatnonzero(folds == fold)), CHUNK_FRAMES):
            part.update({name: values[rows] for name, values in arrays.items()})
        parts.append(part)
    return parts

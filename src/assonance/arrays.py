"""Similarity of plain arrays: the measures without models or audio, for any field."""

import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations_with_replacement

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor

from assonance.errors import AssonanceError, AssonanceWarning
from assonance.inference import intervals
from assonance.inference.resampling import groups_left_out, weights_of_replicates
from assonance.measures import Measure, find
from assonance.scoring.caveats import ONE_GROUP, too_few_frames
from assonance.scoring.frame_pass import FramePass
from assonance.scoring.head_scores import head_scores
from assonance.settings import Settings, find_settings
from assonance.statistics import CHUNK_FRAMES, HeadSums, on_grid
from assonance.utils.memory import MEMORY, parse_bytes
from assonance.utils.progress import Silent


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
    intervals: bool = False,
    shifts: bool = False,
) -> xr.Dataset:
    """Compare every array with every other.

    Parameters
    ----------
    layers
        Name to activations, frames × neurons, the same frames in every array. What is float32 (or
        less) is multiplied in float32 where that leaves scores of moments right to 10⁻⁶, and in
        float64 otherwise; all else is float64 throughout. See "Precision" in docs/architecture.md.
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
    intervals
        Add, for each measure that has one, `<measure>_interval` with a last dimension statistic:
        the bias-corrected estimate and the low and high end of its 95 % interval, from scores
        without each of `settings.groups` groups of utterances, or of groups drawn with replacement
        where `settings.bootstrap` says how often: `<measure>_replicates`, with a last dimension
        group or draw. See `assonance.inference.intervals.jackknife` and `bootstrap`.
    shifts
        Add, for each measure of moments, folds or samples, `<measure>_shifted` with a last
        dimension shift: what it reads where the column layer's frames are those of another place.

    Returns
    -------
    xarray.Dataset
        One variable a measure with dimensions layer_row, layer_col; `mincorr`, which looks at
        all other layers at once, has layer_row alone. `<measure>_rank` counts the canonical
        correlations that went into a score. With dimension layer_row what describes a layer by
        itself: see `assonance.measures.layer_descriptors.DESCRIPTORS`.

    Raises
    ------
    AssonanceError
        When arrays are not 2-D, not finite or of different lengths, a measure or setting is
        unknown, a measure needs groups and has none, or every measure is held out and needs more.

    Warns
    -----
    AssonanceWarning
        Of what a reader must know, such as too few groups: a measure that needs more than there
        are is NaN, and where there is one alone, or too few without it, no score has an interval.
    """
    chosen = find(measures, ("neuron", "layer"))
    settings = find_settings(settings)
    arrays = {name: _frames(name, values) for name, values in layers.items()}
    n = _common_length(arrays)
    source = _Arrays(arrays, _group_numbers(groups, n, chosen, apart=intervals or shifts))
    _warn(too_few_frames(n, source.widths, chosen))
    frame_pass = FramePass(
        source,
        chosen,
        settings,
        replicates=_all if intervals else None,
        shifts=_all if shifts else None,
    )
    unscored = frame_pass.unscored
    if unscored and all(each.needs == "folds" and each.name in unscored for each in chosen):
        raise AssonanceError(next(iter(unscored.values())))
    found = frame_pass.run(None, memory=parse_bytes(MEMORY), progress=Silent())
    _warn(found.cautions)
    result = found.scores.dataset(per_neuron=per_neuron)
    if intervals:
        draws = found.scores.draws_dataset()
        result = _with_intervals(result, found.replicates.dataset(settings.replicated), draws)
    if shifts:
        result = result.merge(_ending(found.nulls.dataset("shift"), "shifted"))
    result.attrs.update(
        settings=settings.name, frames=n, sample_frames=len(frame_pass.plan.sampled)
    )
    return result


class _Arrays:
    """Frames of plain arrays, group by group.

    Parameters
    ----------
    arrays
        Layer name to frames, shape (T, D).
    groups
        Number of each frame's group, from 0 on; None where frames have none, and are cut anyhow.
    """

    def __init__(self, arrays: Mapping[str, Tensor], groups: np.ndarray | None) -> None:
        self.arrays = arrays
        self.widths = {name: values.shape[1] for name, values in arrays.items()}
        if groups is None:
            groups = np.arange(len(next(iter(arrays.values())))) // CHUNK_FRAMES
        self.sizes = np.bincount(groups).tolist()
        self.units = range(len(self.sizes))
        self._starts = np.cumsum([0, *self.sizes])
        self._order = np.argsort(groups, kind="stable")

    def read(self, group: int, names: Sequence[str]) -> dict[str, Tensor]:
        """Rows of one group; a view where they follow each other."""
        rows = self._order[self._starts[group] : self._starts[group + 1]]
        if rows[-1] - rows[0] == len(rows) - 1:
            return {name: self.arrays[name][rows[0] : rows[-1] + 1] for name in names}
        return {name: self.arrays[name][torch.from_numpy(rows)] for name in names}

    def means(self) -> dict[str, Tensor]:
        """Mean of each neuron over all frames."""
        means = {}
        for name, values in self.arrays.items():
            sums = [part.to(torch.float64).sum(0) for part in torch.split(values, CHUNK_FRAMES)]
            means[name] = torch.stack(sums).sum(0) / len(values)
        return means


def head_similarity_matrix(
    layers: Mapping[str, Sequence[ArrayLike]],
    measures: Iterable[str] = ("attn_frobenius", "attn_pearson", "attn_js"),
    *,
    settings: str | Settings = "default",
    per_head: bool = False,
    intervals: bool = False,
) -> xr.Dataset:
    """Compare the attention heads of every layer with those of every other.

    Parameters
    ----------
    layers
        Name to one array an utterance, heads × queries × keys, shape (H, T, T), rows summing to
        one; the same utterances, in one order, for every layer. Maps of one utterance that differ
        in T are compared on the grid of the smallest: queries averaged, keys summed.
    measures
        Names of head measures.
    settings
        ``"default"``, ``"elkheir2024"`` or `Settings`.
    per_head
        Add, for each measure, the table `<measure>_by_head` with dimensions layer_row,
        layer_col, head_row, head_col, and `<measure>_match` with the best match of each head_row
        (−1: none).
    intervals
        Add `<measure>_interval` and `<measure>_replicates`, as in `similarity_matrix`; groups are
        of utterances.

    Returns
    -------
    xarray.Dataset
        One variable a measure with dimensions layer_row, layer_col: each row head's best match
        among the column layer's heads, averaged over the row's heads.

    Raises
    ------
    AssonanceError
        When maps are not (H, T, T), not finite, have rows that do not sum to one, or differ in
        number between layers or in heads between utterances.
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
        if any(sizes[name][0] != count for name, count in heads.items()):
            raise AssonanceError(f"the maps of utterance {index} do not fit together: {sizes}")
    needs = {each.needs for each in chosen}
    lengths = [one.shape[-1] for one in next(iter(maps.values()))]
    parts, folds = groups_left_out(lengths, range(len(lengths)), settings)
    replicates = weights_of_replicates(folds.tolist(), settings) if intervals else []
    if intervals and not replicates:
        _warn([ONE_GROUP])
    sums = [
        HeadSums(
            heads,
            combinations_with_replacement(maps, 2),
            divergences="head divergences" in needs,
            kernels="head kernels" in needs,
        )
        for _ in range(int(parts.max()) + 1)
    ]
    for index, utterance in enumerate(zip(*maps.values(), strict=True)):
        frames = min(one.shape[-1] for one in utterance)
        stack = torch.cat([on_grid(one, frames) for one in utterance])
        if not sums[parts[index]].update(stack).all():
            raise AssonanceError(
                f"the maps of utterance {index} have rows that do not sum to one; "
                "give attention after the softmax"
            )
    result = head_scores(sums, chosen, settings, per_head=per_head, replicates=replicates)
    again = {f"{each.name}_replicates": each.name for each in chosen}
    if again.keys() <= result.data_vars.keys():
        repeated = result[list(again)].rename(again)
        result = _with_intervals(result.drop_vars(list(again)), repeated)
    result.attrs.update(settings=settings.name)
    return result


def _with_intervals(
    scores: xr.Dataset, replicates: xr.Dataset, draws: xr.Dataset | None = None
) -> xr.Dataset:
    """Put intervals, which also depend on what was drawn, and replicates beside scores."""
    repeated = replicates if draws is None else replicates.merge(draws)
    known = _ending(intervals.intervals(scores, repeated), "interval")
    return scores.merge(known).merge(_ending(replicates, "replicates"))


def _ending(dataset: xr.Dataset, ending: str) -> xr.Dataset:
    return dataset.rename({name: f"{name}_{ending}" for name in dataset})


def _all(a: str, b: str) -> bool:
    return True


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
    precise = array.dtype.kind in "iu" or array.dtype.itemsize > 4
    return torch.from_numpy(np.array(array, dtype=np.float64 if precise else np.float32))


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
    groups: Sequence[Hashable] | None, n: int, measures: Sequence[Measure], *, apart: bool
) -> np.ndarray | None:
    """Give each frame the number of its group; None where nothing asks for it."""
    grouped = [each.name for each in measures if each.needs in ("folds", "blocks")]
    if apart:
        grouped.append("what says how sure a score is")
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

"""Similarity of plain arrays: the measures without models or audio, for any field."""

import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from assonance.errors import AssonanceError, AssonanceWarning
from assonance.inference.intervals import intervals as compute_intervals
from assonance.inference.localisation import DRAWS, ROTATED
from assonance.inference.resampling import Resampling
from assonance.measures import MEASURES, Measure, find
from assonance.measures.chance import mostly_chance
from assonance.scoring.attention_pass import AttentionPass
from assonance.scoring.caveats import too_few_frames
from assonance.scoring.frame_pass import FramePass
from assonance.scoring.map_source import MapsInMemory
from assonance.scoring.pair_rules import EVERY_PAIR, PairRules
from assonance.scoring.pass_result import PassResult, named_beside
from assonance.scoring.resampled import resample_frames
from assonance.settings import Settings, find_settings
from assonance.statistics import CHUNK_FRAMES
from assonance.utils import arguments
from assonance.utils.memory import MEMORY, parse_bytes
from assonance.utils.progress import Silent
from assonance.utils.scale import exponents, scaled


def similarity(
    X: ArrayLike,
    Y: ArrayLike,
    measure: str,
    *,
    groups: Sequence[Hashable] | None = None,
    settings: str | Settings = "default",
) -> float:
    """Compute the similarity of two arrays by one measure.

    Parameters
    ----------
    X, Y
        Activations, frames × neurons, shapes (T, Dx) and (T, Dy).
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
        As for `similarity_matrix`.

    Examples
    --------
    >>> import numpy as np
    >>> import assonance
    >>> X = np.random.default_rng(0).normal(size=(500, 8))
    >>> round(assonance.similarity(X, X[:, ::-1], "cka"), 6)
    1.0
    """
    result = _similarities({"X": X, "Y": Y}, [measure], groups, settings, _ACROSS)
    cell = result[measure].sel(layer_row="X")
    return float(cell.sel(layer_col="Y") if "layer_col" in cell.dims else cell)


class _Across(PairRules):
    """Rules by which no layer is compared with itself."""

    def is_scored(self, a: str, b: str) -> bool:
        """Whether the layers differ."""
        return a != b


_ACROSS = _Across()


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
    """Compute the similarity of every array to every other.

    Parameters
    ----------
    layers
        Name to activations, frames × neurons, the same frames in every array. Products of float32
        frames are computed in float32 where scores of moments stay within 10⁻⁶ of float64, and in
        float64 otherwise; see "How frames are compared" in docs/architecture.md.
    measures
        Names of neuron and layer measures.
    groups
        What each frame belongs to, length T: its speaker, or its utterance if speakers are unknown.
        Held-out measures hold out whole groups, and intervals generalise to other groups. The names
        decide which groups are held out together, and their order is of no consequence. By
        utterance they are too short for other speakers. For `cka_utterance`, groups are the
        utterances.
    settings
        ``"default"``, ``"elkheir2024"`` for the published definitions, or `Settings`.
    per_neuron
        Add `<measure>_by_neuron`, and `<measure>_match`, the matching neuron (−1: none).
    intervals
        Add `<measure>_interval` for each measure that has one, with a last dimension statistic:
        the bias-corrected estimate and the ends of its 95 % interval. It is computed from
        `<measure>_replicates`, with a last dimension group (jackknife) or draw (bootstrap).
    shifts
        Add `<measure>_shifted`, the circular-shift null, with a last dimension shift.

    Returns
    -------
    xarray.Dataset
        One variable a measure with dimensions layer_row, layer_col; `mincorr` and the descriptors
        of `assonance.measures.layer_descriptors.DESCRIPTORS` have layer_row alone.
        `<measure>_rank` is the number of canonical correlations used.

    Raises
    ------
    AssonanceError
        If arrays are not 2-D, finite and of one length, a measure or setting is unknown, a measure
        needs `groups` and has none, or every measure is held out and there is too little speech.

    Warns
    -----
    AssonanceWarning
        Of whatever a reader must know. For example, a measure is NaN, or has no interval, if there
        are too few utterances.

    Examples
    --------
    >>> import numpy as np
    >>> import assonance
    >>> X = np.random.default_rng(0).normal(size=(500, 8))
    >>> scores = assonance.similarity_matrix({"a": X, "b": X[:, :4]}, ["cka", "linreg"])
    >>> round(float(scores["linreg"].sel(layer_row="b", layer_col="a")), 6)
    1.0
    """
    which = per_neuron, intervals, shifts
    return _similarities(layers, measures, groups, settings, EVERY_PAIR, *which)


def _similarities(
    layers: Mapping[str, ArrayLike],
    measures: Iterable[str],
    groups: Sequence[Hashable] | None,
    settings: str | Settings,
    rules: PairRules,
    per_neuron: bool = False,
    intervals: bool = False,
    shifts: bool = False,
) -> xr.Dataset:
    """Score the pairs of arrays that the rules name; see `similarity_matrix`."""
    chosen = find(measures, ("neuron", "layer"))
    settings = find_settings(settings)
    arguments.check_mapping(layers, "its frames")
    arrays = {name: arguments.frames(name, values) for name, values in layers.items()}
    n = _common_length(arrays)
    powers = exponents({name: float(values.abs().max()) for name, values in arrays.items()})
    arrays = {name: scaled(values, powers[name]) for name, values in arrays.items()}
    needing = _needing_groups(chosen, resampled=intervals or shifts)
    source = _Arrays(arrays, _group_numbers(groups, n, needing) if needing else None)
    _warn(too_few_frames(n, source.widths, chosen), between=1)
    _warn(mostly_chance(n, source.widths, chosen), between=1)
    resampling = resample_frames(source, chosen, settings, intervals=intervals, nulls=shifts)
    frame_pass = FramePass(
        source, chosen, settings, resampling, rules=rules, single_intervals=False
    )
    unscored = frame_pass.unscored
    if unscored and all(each.needs == "folds" and each.name in unscored for each in chosen):
        raise AssonanceError(next(iter(unscored.values())))
    found = frame_pass.run(memory=parse_bytes(MEMORY), progress=Silent())
    _warn(found.caveats, between=1)
    result = _public(found, "neuron", singles=per_neuron, intervals=intervals)
    return result.assign_attrs(
        settings=settings.name, frames=n, sample_frames=len(frame_pass.plan.sampled)
    )


class _Arrays:
    """Frames of plain arrays as a `FrameSource`.

    Parameters
    ----------
    arrays
        Layer name to frames, shape (T, D).
    groups
        Number of each frame's utterance, from 0 on, and the names of the utterances; None to cut
        frames into chunks instead.
    """

    def __init__(
        self,
        arrays: Mapping[str, Tensor],
        groups: tuple[NDArray[np.int64], Sequence[Hashable]] | None,
    ) -> None:
        self.arrays = arrays
        self.widths = {name: values.shape[1] for name, values in arrays.items()}
        if groups is None:
            numbers = np.arange(len(next(iter(arrays.values())))) // CHUNK_FRAMES
            groups = numbers, range(int(numbers[-1]) + 1)
        numbers, self.units = groups
        self.sizes = np.bincount(numbers).tolist()
        self._starts = np.cumsum([0, *self.sizes])
        self._order = np.argsort(numbers, kind="stable")

    def read(self, utterance: int, names: Sequence[str]) -> dict[str, Tensor]:
        """Return the rows of one utterance; a view if they are contiguous."""
        rows = self._order[self._starts[utterance] : self._starts[utterance + 1]]
        if rows[-1] - rows[0] == len(rows) - 1:
            return {name: self.arrays[name][rows[0] : rows[-1] + 1] for name in names}
        return {name: self.arrays[name][torch.from_numpy(rows)] for name in names}

    def means(self) -> dict[str, Tensor]:
        """Compute the mean of each neuron over all frames."""
        means = {}
        for name, values in self.arrays.items():
            sums = [chunk.to(torch.float64).sum(0) for chunk in torch.split(values, CHUNK_FRAMES)]
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
    """Compute the similarity of every layer's attention heads to those of every other layer.

    Parameters
    ----------
    layers
        Name to one array an utterance, heads × queries × keys, shape (H, T, T), rows summing to
        one; the same utterances, in the same order, for every layer. Intervals depend a little on
        that order: utterances are put into jackknife groups by their places. Maps of one utterance
        that differ in T are compared on the coarsest grid: queries averaged, keys summed. If no map
        is more precise than float32, maps are compared in float32 and scores are accurate to a few
        millionths; otherwise in float64.
    measures
        Names of head measures.
    settings
        ``"default"``, ``"elkheir2024"`` or `Settings`.
    per_head
        Add `<measure>_by_head` for each measure, with dimensions layer_row, layer_col, head_row,
        head_col; and `<measure>_match`, the best match of each head_row (−1: none).
    intervals
        Add `<measure>_interval` and `<measure>_replicates`, as in `similarity_matrix`.

    Returns
    -------
    xarray.Dataset
        One variable a measure with dimensions layer_row, layer_col: each row head's best match
        among the column layer's heads, averaged over the row's heads.

    Raises
    ------
    AssonanceError
        If maps are not (H, T, T) or not finite, their rows do not sum to one, or layers differ in
        their number of utterances, or utterances in their number of heads.

    Examples
    --------
    >>> import numpy as np
    >>> import assonance
    >>> maps = np.random.default_rng(0).dirichlet(np.ones(6), size=(2, 4, 6))  # utterances, heads
    >>> scores = assonance.head_similarity_matrix({"a": maps, "b": maps[:, ::-1]}, ["attn_js"])
    >>> round(float(scores["attn_js"].sel(layer_row="a", layer_col="b")), 6)
    1.0
    """
    arguments.check_sequences(layers)
    chosen = find(measures, ("head",))
    settings = find_settings(settings)
    maps = _checked_maps(layers)
    source = MapsInMemory(maps)
    resampling = Resampling.of_groups(source.sizes, range(len(source.sizes)), settings)
    if not intervals:
        resampling = resampling.without_replicates()
    attention = AttentionPass(source, chosen, settings, resampling, descriptors=False)
    # The maps are in memory already.
    found = attention.run(memory=np.inf, progress=Silent())
    for utterances in found.broken.values():
        _refuse_infinite(maps)
        raise AssonanceError(
            f"the maps of {utterances[0]} have rows that do not sum to one; "
            "give attention after the softmax"
        )
    _warn(found.caveats)
    result = _public(found, "head", singles=per_head, intervals=intervals)
    return result.assign_attrs(settings=settings.name)


def _checked_maps(layers: Mapping[str, Sequence[ArrayLike]]) -> dict[str, list[Tensor]]:
    """Return maps as tensors, by layer one an utterance, or raise if they do not fit together."""
    arrays = {name: [_maps(name, one) for one in values] for name, values in layers.items()}
    dtypes = [one.dtype for values in arrays.values() for one in values]
    dtype = np.float32 if all(each.kind == "f" and each.itemsize <= 4 for each in dtypes) else float
    # Copies only what has another number format or order in memory, or is read-only.
    maps = {
        name: [torch.from_numpy(np.require(one, dtype, ["C", "W"])) for one in values]
        for name, values in arrays.items()
    }
    if len({len(values) for values in maps.values()}) != 1:
        counts = {name: len(values) for name, values in maps.items()}
        raise AssonanceError(f"layers have different numbers of utterances: {counts}")
    if not all(maps.values()):
        raise AssonanceError("there are no attention maps; give at least one utterance")
    heads = {name: values[0].shape[0] for name, values in maps.items()}
    for index, utterance in enumerate(zip(*maps.values(), strict=True)):
        sizes = {name: tuple(one.shape) for name, one in zip(maps, utterance, strict=True)}
        if any(sizes[name][0] != count for name, count in heads.items()):
            raise AssonanceError(
                f"the number of heads in utterance {index} differs from utterance 0: {sizes}"
            )
    return maps


def _public(
    found: PassResult, unit: Literal["neuron", "head"], *, singles: bool, intervals: bool
) -> xr.Dataset:
    """Join the datasets of a pass under the names that the front doors document."""
    parts = {"": found.scores}
    if singles:
        parts |= {f"_by_{unit}": found.singles, "_match": found.matches}
    if intervals:
        repeated = found.replicates
        if ROTATED in found.draws:
            repeated = repeated.assign({DRAWS: found.draws[ROTATED]})
        parts["_interval"] = compute_intervals(found.scores, repeated)
        parts["_replicates"] = found.replicates
    return named_beside(parts | {"_shifted": found.nulls})


def _warn(caveats: Iterable[str], *, between: int = 0) -> None:
    """Warn the caller of the public function, with so many private functions in between."""
    for caveat in caveats:
        warnings.warn(caveat, AssonanceWarning, stacklevel=3 + between)


def _maps(name: str, values: ArrayLike) -> np.ndarray:
    """Return a layer's attention maps of one utterance, (H, T, T), or raise."""
    array = arguments.real_numbers(name, values)
    if array.ndim != 3 or array.shape[1] != array.shape[2] or not array.size:
        raise AssonanceError(
            f"layer {name!r}: attention must be heads × T × T for each utterance; got {array.shape}"
        )
    return array


def _refuse_infinite(maps: Mapping[str, Sequence[Tensor]]) -> None:
    """Raise if an attention map is not finite."""
    for name, values in maps.items():
        if not all(one.isfinite().all() for one in values):
            raise AssonanceError(f"layer {name!r} has attention that is NaN or infinite")


def _common_length(arrays: Mapping[str, Tensor]) -> int:
    """Return the number of frames, or raise if arrays differ in it or it is below two."""
    lengths = {name: len(values) for name, values in arrays.items()}
    if len(set(lengths.values())) != 1:
        raise AssonanceError(f"layers have different frame counts: {lengths}")
    n = next(iter(lengths.values()))
    if n < 2:
        raise AssonanceError(f"{n} frames are too few to compare layers; give at least 2")
    return n


def _needing_groups(measures: Sequence[Measure], *, resampled: bool) -> list[str]:
    """Name what needs the utterance of each frame: measures, then intervals and shifts."""
    names = [each.name for each in measures if each.needs in ("folds", "blocks")]
    return [*names, *(["intervals and shifts"] if resampled else [])]


def _group_numbers(
    groups: Sequence[Hashable] | None, n: int, needing: Sequence[str]
) -> tuple[NDArray[np.int64], list[Hashable]]:
    """Return numbers and names of the frames' utterances, or raise if none are given."""
    if groups is None:
        verb = "needs" if needing[0] in MEASURES else "need"
        raise AssonanceError(
            f"{needing[0]} {verb} groups=: for each frame, the utterance it belongs to"
        )
    return arguments.group_numbers(groups, n)

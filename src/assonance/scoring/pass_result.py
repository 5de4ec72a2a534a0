"""Labelled scores of one pass over frames or attention maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import xarray as xr

# One for all: making it takes longer than comparing a few heads. Nothing changes a dataset.
_NOTHING = xr.Dataset()


def _nothing() -> xr.Dataset:
    return _NOTHING


@dataclass(frozen=True)
class PassResult:
    """Scores of all layers against all layers; of a pass over frames, or over attention maps.

    Each dataset has one variable a measure, under the measure's name, with dimensions layer_row,
    layer_col. `mincorr` and descriptors have layer_row alone. A dataset is empty if nothing in it
    was requested. NaN (−1 for matches) where a pair was not scored.

    Attributes
    ----------
    scores
        Scores of layers, their localisation index and the descriptors of single layers.
        ``<measure>_rank`` is the number of canonical correlations used.
    singles
        Scores of single neurons, with a last dimension ``neuron``; or of single attention heads,
        with last dimensions ``head_row``, ``head_col``, and their descriptors.
    maps
        Mean maps of single attention heads, and their maps of one utterance, by layer_row and
        head_row.
    matches
        Index of the best match of each neuron or head of the row layer in the column layer.
    single_intervals
        Jackknife intervals of single neurons, with last dimensions ``neuron``, ``statistic``.
    replicates
        Scores in each replicate, with a last dimension ``group`` or ``draw``.
    draws
        Scores in each random basis, with a last dimension ``rotation``.
    nulls
        Scores under each circular shift, with a last dimension ``shift``.
    halves
        Scores of one random half of a layer's neurons against the other, by layer_row.
    position_scores, position_singles
        Scores of attention heads that attend by position alone, as in `scores` and `singles`.
    broken
        Names of the utterances with broken maps, by attention head, the first found first.
    caveats
        Sentences that a reader must know before believing the scores.
    """

    scores: xr.Dataset = field(default_factory=_nothing)
    singles: xr.Dataset = field(default_factory=_nothing)
    maps: xr.Dataset = field(default_factory=_nothing)
    matches: xr.Dataset = field(default_factory=_nothing)
    single_intervals: xr.Dataset = field(default_factory=_nothing)
    replicates: xr.Dataset = field(default_factory=_nothing)
    draws: xr.Dataset = field(default_factory=_nothing)
    nulls: xr.Dataset = field(default_factory=_nothing)
    halves: xr.Dataset = field(default_factory=_nothing)
    position_scores: xr.Dataset = field(default_factory=_nothing)
    position_singles: xr.Dataset = field(default_factory=_nothing)
    broken: Mapping[str, Sequence[str]] = field(default_factory=dict)
    caveats: Sequence[str] = ()


def named_beside(datasets: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Merge datasets that have one variable a measure, under names that differ in their endings.

    Parameters
    ----------
    datasets
        Ending of the names, such as ``"_match"``, to a dataset.

    Returns
    -------
    xarray.Dataset
        Every variable as its name and the ending; those of one measure follow each other.
    """
    names = dict.fromkeys(name for dataset in datasets.values() for name in dataset.data_vars)
    labelled = [dataset.coords.to_dataset() for dataset in datasets.values() if dataset.coords]
    result = labelled[0] if len(labelled) == 1 else xr.merge(labelled, join="exact")
    return result.assign(
        {
            f"{name}{ending}": dataset[name].variable
            for name in names
            for ending, dataset in datasets.items()
            if name in dataset
        }
    )

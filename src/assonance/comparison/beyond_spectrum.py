"""Linear similarity of layers with the log-mel spectrum partialled out of both.

Two layers can predict each other because both carry the spectrum that they were computed from. The
partial R² leaves it out: of the variance of a layer's neurons that the spectrum leaves unexplained,
the share that the other layer explains, on held-out speech (Cohen & Cohen 1975). It equals the R²
between the residuals of the two layers after regression on the spectrum.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from assonance.comparison.extracted import extract_all
from assonance.comparison.prepared import Prepared
from assonance.errors import AssonanceError, printable
from assonance.measures import find
from assonance.scoring.frame_pass import FramePass
from assonance.scoring.frame_source import FrameSource
from assonance.scoring.pair_rules import PairRules
from assonance.scoring.resampled import resample_frames
from assonance.settings import Settings
from assonance.utils.memory import MEMORY, parse_bytes
from assonance.utils.progress import Progress

MEASURE = "linreg_heldout"
# Frames of the spectrum that are partialled out: the frame itself, and those 80 ms before and
# after, since a layer draws on neighbouring frames.
STEPS = (-4, 0, 4)
PAIR = "pair"
_SPECTRUM = "spectrum"
_BOTH = " with the spectrum"

# The names of a row layer and a column layer.
Ends = tuple[str, str]


@dataclass(frozen=True)
class BesideSpectrum:
    """Frames of layers, of the spectrum, and of each layer joined with the spectrum.

    Attributes
    ----------
    source
        The layers, the spectrum among them.
    spectrum
        Name of the spectrum's layer.
    rows, columns
        Layers to read alone, and layers to read alone and joined with the spectrum.
    steps
        Distances, in frames, of the spectral frames that count as the spectrum of a frame. Beyond
        an end of an utterance its last frame is repeated.
    """

    source: FrameSource
    spectrum: str
    rows: Collection[str]
    columns: Collection[str]
    steps: tuple[int, ...] = STEPS

    @property
    def widths(self) -> Mapping[str, int]:
        """Name of a layer to its number of neurons."""
        own = self.source.widths
        around = own[self.spectrum] * len(self.steps)
        return {
            **{name: own[name] for name in dict.fromkeys((*self.rows, *self.columns))},
            _SPECTRUM: around,
            **{name + _BOTH: own[name] + around for name in self.columns},
        }

    @property
    def sizes(self) -> Sequence[int]:
        """Number of frames of each utterance."""
        return self.source.sizes

    @property
    def units(self) -> Sequence[Hashable]:
        """Name of the unit of each utterance."""
        return self.source.units

    def read(self, utterance: int, names: Sequence[str]) -> dict[str, Tensor]:
        """Return frames of one utterance, shape (T, D) by layer name."""
        wanted = dict.fromkeys(name.removesuffix(_BOTH) for name in names if name != _SPECTRUM)
        frames = self.source.read(utterance, [*wanted, self.spectrum])
        around = self._around(frames[self.spectrum])
        read = {}
        for name in names:
            own = frames.get(name.removesuffix(_BOTH))
            if own is None or name == _SPECTRUM:
                read[name] = around
            else:
                read[name] = torch.cat([own, around], 1) if name.endswith(_BOTH) else own
        return read

    def means(self) -> dict[str, Tensor]:
        """Return the mean of each neuron over all frames, float64."""
        own, n = self.source.means(), sum(self.sizes)
        total = torch.zeros(self.widths[_SPECTRUM], dtype=torch.float64)
        for utterance in range(len(self.sizes)):
            frames = self.source.read(utterance, [self.spectrum])[self.spectrum]
            total += self._around(frames).to(torch.float64).sum(0)
        spectrum = total / n
        return {
            name: spectrum
            if name == _SPECTRUM
            else torch.cat([own[name.removesuffix(_BOTH)], spectrum])
            if name.endswith(_BOTH)
            else own[name]
            for name in self.widths
        }

    def _around(self, frames: Tensor) -> Tensor:
        """Join each frame of the spectrum with its neighbours, shape (T, D × steps)."""
        places = torch.arange(len(frames))
        last = len(frames) - 1
        return torch.cat([frames[(places + step).clamp(0, last)] for step in self.steps], 1)


class _Wanted(PairRules):
    """Scores the given pairs: with the column alone, with the spectrum, and with both."""

    def __init__(self, pairs: Collection[Ends]) -> None:
        ends = {*pairs, *((row, col + _BOTH) for row, col in pairs)}
        ends |= {(row, _SPECTRUM) for row, _ in pairs}
        self._wanted = ends | {(b, a) for a, b in ends}

    def is_scored(self, a: str, b: str) -> bool:
        """Whether to score the pair."""
        return (a, b) in self._wanted

    def gets_interval(self, a: str, b: str) -> bool:
        """Whether to score the pair in each replicate."""
        return self.is_scored(a, b)

    def gets_null(self, a: str, b: str) -> bool:
        """Score no pair under shifts."""
        return False


def partial_similarity(
    source: FrameSource,
    spectrum: str,
    pairs: Sequence[Ends],
    settings: Settings,
    progress: Progress,
    *,
    steps: tuple[int, ...] = STEPS,
) -> xr.Dataset:
    """Score pairs of layers with the spectrum left in, and with it partialled out.

    Parameters
    ----------
    source
        Frames of the layers and of the spectrum.
    spectrum
        Name of the spectrum's layer.
    pairs
        Row layer, whose neurons are predicted, and column layer, which predicts them.
    settings
        Folds and jackknife groups.
    progress
        Receives the stages.
    steps
        See `BesideSpectrum`.

    Returns
    -------
    xarray.Dataset
        Held-out R², mean over the row layer's neurons: ``whole``, from the column layer;
        ``spectrum``, from the spectrum; ``both``, from the two together; and ``beyond``, the
        partial R² (both − spectrum)/(1 − spectrum). Dimension pair, with coordinates row and col;
        the same with ``_replicates`` and a last dimension group.
    """
    rows, columns = ([*dict.fromkeys(each)] for each in zip(*pairs, strict=True))
    beside = BesideSpectrum(source, spectrum, rows, columns, steps)
    measures = find([MEASURE], ("neuron",))
    resampling = resample_frames(beside, measures, settings, intervals=True)
    frame_pass = FramePass(
        beside, measures, settings, resampling, rules=_Wanted(pairs), single_intervals=False
    )
    found = frame_pass.run(memory=parse_bytes(MEMORY), progress=progress)
    result = xr.Dataset(coords={"row": (PAIR, [a for a, _ in pairs])}).assign_coords(
        col=(PAIR, [b for _, b in pairs])
    )
    for ending, table in (("", found.scores[MEASURE]), ("_replicates", found.replicates[MEASURE])):
        whole, both, alone = (
            _at(table, [(row, name(col)) for row, col in pairs])
            for name in (str, lambda col: col + _BOTH, lambda _: _SPECTRUM)
        )
        dims = (PAIR, *table.dims[2:])
        result[f"whole{ending}"] = dims, whole
        result[f"spectrum{ending}"] = dims, alone
        result[f"both{ending}"] = dims, both
        result[f"beyond{ending}"] = dims, (both - alone) / (1 - alone)
    return result


def of_models(
    prepared: Prepared, pairs: Sequence[tuple[Ends, Ends]], folder: Path, progress: Progress
) -> xr.Dataset:
    """Score pairs of layers of a prepared comparison; see `partial_similarity`.

    Parameters
    ----------
    prepared
        Models, random twins, baseline and speech.
    pairs
        Row and column, each a model and one of its layers.
    folder
        Folder of the activations; those that are there are not computed again.
    progress
        Receives the stages.

    Raises
    ------
    AssonanceError
        Log-mel frames were left out of the comparison.
    """
    extracted = extract_all(
        prepared.roster, prepared.speech, prepared.measures, prepared.request, folder, progress
    )
    baseline = next((name for name, each in extracted.roster.items() if each.baseline), None)
    if baseline is None:
        raise AssonanceError(
            f"{printable(prepared.speech.name)}: log-mel frames are not among the models, so "
            "nothing can be partialled out; compare with random twins and speech that log-mel can "
            "use"
        )
    plan = prepared.plan(extracted)
    (spectrum,) = (name for name, each in plan.source.layers.items() if each.model == baseline)
    named = [(f"{row} {of_row}", f"{col} {of_col}") for (row, of_row), (col, of_col) in pairs]
    return partial_similarity(plan.source, spectrum, named, prepared.request.settings, progress)


def _at(table: xr.DataArray, ends: Sequence[Ends]) -> NDArray[np.float64]:
    """Read scores of pairs of layers, shape (pairs, ...)."""
    rows, cols = (xr.DataArray(list(each), dims=PAIR) for each in zip(*ends, strict=True))
    values: NDArray[np.float64] = table.sel(layer_row=rows, layer_col=cols).to_numpy()
    return values

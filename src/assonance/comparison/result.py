"""Hold the result of a comparison: labelled arrays with provenance, saved as NetCDF."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pandas as pd
import xarray as xr

from assonance.comparison import results_file
from assonance.comparison.records import Provenance
from assonance.comparison.views import Views
from assonance.errors import AssonanceError, check_path, printable
from assonance.inference.intervals import STATISTICS, method_text
from assonance.utils.files import is_file, write_together

CELL = results_file.CELL


@dataclass(frozen=True, repr=False)
class Comparison(Views):
    """Labelled similarities of all layers of all models, with a record of what was compared.

    Scores of two layers have the dimensions model_row, layer_row, model_col, layer_col; where a
    model lacks a layer label, they are NaN. Random twins and the baseline are *controls*.

    Attributes
    ----------
    scores : xarray.Dataset
        One variable for each measure, and ``localisation`` if its parts were measured.
        ``mincorr`` and the descriptors of single layers (see `layer_descriptors.DESCRIPTORS`)
        have only model_row, layer_row. ``<measure>_rank`` is the number of canonical correlations
        in a score. NaN between two controls, which are never compared.
    neurons : xarray.Dataset
        One variable for each neuron measure, with a last dimension ``neuron`` (of the row layer),
        and ``maxcorr_match``, the index of the matching neuron (−1 if none).
    heads : xarray.Dataset
        One variable for each head measure, with last dimensions ``head_row``, ``head_col``.
        ``<measure>_position`` is the same for maps that depend on positions alone.
        ``<measure>_match`` is the index of the best match of each ``head_row`` (−1 if none).
        Descriptors of single heads and their offset ``profile`` have model_row, layer_row,
        head_row.
    provenance : Provenance
        Record of models, corpus, settings and versions.
    replicates : xarray.Dataset
        Scores of the replicates that intervals are computed from: with one jackknife group left
        out (last dimension ``group``), or of one bootstrap draw (last dimension ``draw``). With
        the attribute ``coefficients_held`` they are written so that the jackknife of them is the
        estimate of a regression that was not fitted again. Also
        ``maxcorr_rotated_draws``, the rotation floor in each random basis (last dimension
        ``rotation``).
    intervals : xarray.Dataset
        For the same measures, a last dimension ``statistic``: the bias-corrected ``estimate`` and
        the ends ``low`` and ``high`` of its 95 % interval (see `inference.intervals`). The
        attribute ``method`` names the method.
    neuron_intervals : xarray.Dataset
        Jackknife intervals of each neuron for the neuron measures among them: last dimensions
        ``neuron`` and ``statistic``. NaN for neurons that were not sampled: see
        `Settings.interval_neurons`. Also ``localisation`` of each neuron,
        (maxcorr − rotated)/(r of the whole layer − rotated), NaN if the denominator is below
        0.01. Its interval allows for the random bases and is wide.
    nulls : xarray.Dataset
        Circular-shift null: scores with the column layer's frames shifted to another place in the
        speech; last dimension ``shift``.
    halves : xarray.Dataset
        Scores of one random half of a layer's neurons against the other half, a ceiling;
        dimensions model_row, layer_row.
    maps : xarray.Dataset
        ``mean_map`` of each attention head over utterances of any length: attention from each part
        of an utterance to each other (last dimensions ``head_row``, ``query_part``, ``key_part``).
        ``utterance_map``, its map of one utterance, in ``query_time`` and ``key_time``; see
        `assonance.tables.head_maps.utterance_maps`.

    Examples
    --------
    >>> import assonance
    >>> from assonance.demo import SPEECH
    >>> speech = assonance.Corpus.from_path(SPEECH, max_hours=0.005)
    >>> models = ["hubert-mini", "wav2vec2-mini"]
    >>> comparison = assonance.compare(models, speech, ["cka"], twins=False, uncertainty=False)
    >>> comparison.models
    ('hubert-mini', 'wav2vec2-mini')
    >>> comparison.save("results.nc")
    >>> saved = assonance.Comparison.load("results.nc")
    >>> saved.scores["cka"].dims
    ('model_row', 'layer_row', 'model_col', 'layer_col')
    >>> "cka" in set(saved.to_dataframe()["measure"])
    True
    """

    scores: xr.Dataset
    neurons: xr.Dataset
    heads: xr.Dataset
    provenance: Provenance
    replicates: xr.Dataset = field(default_factory=xr.Dataset)
    intervals: xr.Dataset = field(default_factory=xr.Dataset)
    nulls: xr.Dataset = field(default_factory=xr.Dataset)
    halves: xr.Dataset = field(default_factory=xr.Dataset)
    neuron_intervals: xr.Dataset = field(default_factory=xr.Dataset)
    maps: xr.Dataset = field(default_factory=xr.Dataset)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, without random twins and baseline."""
        return tuple(
            model.name
            for model in self.provenance.models
            if not model.twin_of and not model.baseline
        )

    @property
    def method(self) -> str:
        """Method of the intervals, in words with an article; empty if there are no intervals."""
        return method_text(self.replicates)

    @property
    def twins(self) -> dict[str, tuple[str, ...]]:
        """Names of the random twins, each with the names of its models."""
        return {each.name: each.twin_of for each in self.provenance.models if each.twin_of}

    def twin(self, model: str) -> str | None:
        """Return the name of a model's random twin, or None; several models may share it."""
        return next((twin for twin, models in self.twins.items() if model in models), None)

    @property
    def baseline(self) -> str | None:
        """Name of the baseline (log-mel frames), or None."""
        return next((model.name for model in self.provenance.models if model.baseline), None)

    def layers(self, model: str) -> tuple[str, ...]:
        """Return the labels of a model's layers, from the input up.

        Raises
        ------
        KeyError
            If there is no such model.
        """
        for each in self.provenance.models:
            if each.name == model:
                return tuple(each.layers)
        raise KeyError(model)

    def matrix(self, measure: str, row: str, col: str) -> xr.DataArray:
        """Return the scores of every layer of one model with every layer of another.

        Parameters
        ----------
        measure
            Name of a variable of `scores` that has rows and columns.
        row, col
            Names of models or controls.

        Returns
        -------
        xarray.DataArray
            Dimensions layer_row, layer_col, with the layers of these two models only.

        Raises
        ------
        KeyError
            If the measure or a model is not in the comparison.
        """
        return self.scores[measure].sel(
            model_row=row,
            model_col=col,
            layer_row=list(self.layers(row)),
            layer_col=list(self.layers(col)),
        )

    def to_dataframe(self) -> pd.DataFrame:
        """Return a table with one row for each score.

        Returns
        -------
        pandas.DataFrame
            Columns measure, model_row, layer_row, model_col, layer_col, value; estimate, low and
            high of its interval; and shifted, the mean of the circular-shift null. Undefined
            scores are left out. For `mincorr`, model_col and layer_col are empty.
        """
        tables = []
        for name, array in self.scores.data_vars.items():
            table = array.to_dataframe("value")
            if name in self.intervals:
                interval = self.intervals[name]
                for each in interval["statistic"].values:
                    table[each] = interval.sel(statistic=each).to_series()
            if name in self.nulls:
                table["shifted"] = self.nulls[name].mean("shift").to_series()
            table = table.dropna(subset="value").reset_index()
            tables.append(table.assign(measure=str(name)))
        columns = ["measure", *CELL, "value", *STATISTICS, "shifted"]
        if not tables:
            return pd.DataFrame(columns=columns)
        return pd.concat(tables, ignore_index=True).reindex(columns=columns)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a NetCDF file: scores at its root, everything else in groups of the same names.

        The same comparison gives the same bytes. The file is replaced in one step.

        Raises
        ------
        AssonanceError
            If the file cannot be written.
        """
        write_together({Path(path): self.to_bytes()})

    def to_bytes(self) -> bytes:
        """Return the contents of the file that `save` writes.

        See `results_file.to_bytes`.
        """
        datasets = {
            name: getattr(self, name) for name in (results_file.SCORES, *results_file.GROUPS)
        }
        return results_file.to_bytes(datasets, self.provenance)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file that `save` wrote, and verify its checksum.

        Nothing outside the file is read. A file of 0.1.0 has no checksum; a note says so.

        Raises
        ------
        AssonanceError
            If there is no such file, it is damaged, or this version cannot read it.
        """
        check_path(path, "the file of results")
        path = Path(path)
        if not is_file(path):
            raise AssonanceError(f"{printable(path)}: no such file; give a results.nc")
        datasets, provenance = results_file.read(path)
        return cls(provenance=provenance, **datasets)

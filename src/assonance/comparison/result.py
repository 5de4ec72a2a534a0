"""What a comparison found: labelled arrays with a record of what was run, saved as NetCDF."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pandas as pd
import xarray as xr

from assonance.comparison.records import Provenance
from assonance.errors import AssonanceError, printable
from assonance.inference.intervals import STATISTICS, method_text
from assonance.utils.files import write_together

FORMAT = 3


CELL = ("model_row", "layer_row", "model_col", "layer_col")


_GROUPS = ("neurons", "neuron_intervals", "heads", "replicates", "intervals", "nulls", "halves")


@dataclass(frozen=True)
class Comparison:
    """Similarities of all layers of all models, labelled.

    Every score of two layers has the dimensions model_row, layer_row, model_col, layer_col; a
    model that lacks a layer label has NaN there.

    Attributes
    ----------
    scores : xarray.Dataset
        One variable a measure, and ``localisation`` where its parts were measured; ``mincorr``
        has model_row, layer_row alone, as what describes a layer by itself has (see
        `layer_descriptors.DESCRIPTORS`); ``<measure>_rank`` counts the canonical correlations
        that went into a score. NaN between any two of random-weights twins and baseline, which
        nobody asks.
    neurons : xarray.Dataset
        One variable a neuron measure with a last dimension ``neuron`` (of the row layer), and
        ``maxcorr_match``, the index of the matched neuron (−1: none).
    heads : xarray.Dataset
        One variable a head measure with last dimensions ``head_row``, ``head_col``; with
        ``_position`` after its name, the same of heads that know positions alone; with
        ``_match``, the best match of each ``head_row`` (−1: none). Descriptors of single heads
        and their offset ``profile`` have model_row, layer_row, head_row.
    provenance : Provenance
        What was run on what.
    replicates : xarray.Dataset
        The scores without each group of utterances in turn, of every measure that has an
        interval; a last dimension ``group``. Of a bootstrap instead the scores of groups drawn,
        with a last dimension ``draw``. Also ``maxcorr_rotated_draws`` with a last dimension
        ``rotation``: in each random basis by itself.
    intervals : xarray.Dataset
        Of the same measures, a last dimension ``statistic``: the bias-corrected ``estimate`` and
        the ``low`` and ``high`` end of its 95 % interval (see `inference.intervals`);
        its attribute ``method`` says what made them.
    neuron_intervals : xarray.Dataset
        Of the neuron measures among them, for each neuron, by the jackknife alone: last dimensions
        ``neuron`` and ``statistic``. Also ``localisation`` of each neuron,
        (maxcorr − rotated)/(whole layer's r − rotated), NaN where there is less than 0.01 between
        them; its interval allows for the random bases, and is wide: a single neuron seldom tells.
    nulls : xarray.Dataset
        The scores where the column layer's frames are those of another place in the speech; a
        last dimension ``shift``.
    halves : xarray.Dataset
        With model_row and layer_row, the scores of one random half of a layer's neurons against
        the other: a ceiling.
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

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models compared; twins and the baseline are none of them."""
        return tuple(
            model.name
            for model in self.provenance.models
            if not model.twin_of and not model.baseline
        )

    @property
    def method(self) -> str:
        """What made the intervals, in words with an article; empty where there are none."""
        return method_text(self.replicates)

    @property
    def twins(self) -> dict[str, tuple[str, ...]]:
        """Names of the random-weights twins, each with those of the models it is the twin of."""
        return {each.name: each.twin_of for each in self.provenance.models if each.twin_of}

    def twin(self, model: str) -> str | None:
        """Name of a model's random-weights twin, if one was compared; it may be others' too."""
        return next((twin for twin, models in self.twins.items() if model in models), None)

    @property
    def baseline(self) -> str | None:
        """Name of what gives the acoustics alone, if that was compared too."""
        return next((model.name for model in self.provenance.models if model.baseline), None)

    def layers(self, model: str) -> tuple[str, ...]:
        """Labels of a model's layers, from the input up.

        Raises
        ------
        KeyError
            There is no such model.
        """
        for each in self.provenance.models:
            if each.name == model:
                return tuple(each.layers)
        raise KeyError(model)

    def matrix(self, measure: str, row: str, col: str) -> xr.DataArray:
        """Scores of every layer of one model against every layer of another.

        Parameters
        ----------
        measure
            Name of a variable of `scores` with rows and columns.
        row, col
            Names of models, twins or the baseline.

        Returns
        -------
        xarray.DataArray
            Dimensions layer_row, layer_col, only the layers that the two models have.

        Raises
        ------
        KeyError
            The measure or a model is not in the comparison.
        """
        return self.scores[measure].sel(
            model_row=row,
            model_col=col,
            layer_row=list(self.layers(row)),
            layer_col=list(self.layers(col)),
        )

    def to_dataframe(self) -> pd.DataFrame:
        """List every score of two layers in a row of its own.

        Returns
        -------
        pandas.DataFrame
            Columns measure, model_row, layer_row, model_col, layer_col, value; estimate, low and
            high of its interval, and the mean it reads of shifted speech, where there are any.
            What was not measured or is undefined is left out. `mincorr` has no column model and
            layer.
        """
        tables = []
        for name, array in self.scores.data_vars.items():
            table = array.to_dataframe("value")
            if name in self.intervals:
                known = self.intervals[name]
                for each in known["statistic"].values:
                    table[each] = known.sel(statistic=each).to_series()
            if name in self.nulls:
                table["shifted"] = self.nulls[name].mean("shift").to_series()
            table = table.dropna(subset="value").reset_index()
            tables.append(table.assign(measure=str(name)))
        columns = ["measure", *CELL, "value", *STATISTICS, "shifted"]
        if not tables:
            return pd.DataFrame(columns=columns)
        return pd.concat(tables, ignore_index=True).reindex(columns=columns)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a NetCDF file: scores at its root, all else in groups of their names.

        The same comparison makes the same bytes. The file is put in place in one step.

        Raises
        ------
        AssonanceError
            It cannot be written.
        """
        write_together({Path(path): self.to_bytes()})

    def to_bytes(self) -> memoryview:
        """Return what `save` writes.

        It is made in memory, as large as the file: HDF5 ends the process when a disk is full.
        """
        # A variable, not an attribute: HDF5 holds no attribute beyond 64 kB.
        record = xr.Dataset({"json": self.provenance.to_json()})
        tree = xr.DataTree.from_dict(
            {
                "/": self.scores.assign_attrs(assonance_format=FORMAT),
                **{f"/{name}": getattr(self, name) for name in _GROUPS},
                "/provenance": record,
            }
        )
        encoding = {
            group.path: {
                name: {"zlib": True} for name, array in group.data_vars.items() if array.ndim
            }
            for group in tree.subtree
        }
        content = tree.to_netcdf(engine="h5netcdf", encoding=encoding)
        return memoryview(content)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        AssonanceError
            There is no such file, or it is not one that this version knows.
        """
        path = Path(path)
        if not path.is_file():
            raise AssonanceError(f"{printable(path)}: no such file; give a results.nc")
        try:
            with xr.open_datatree(path, engine="h5netcdf") as tree:
                tree.load()
                root = tree.to_dataset()
                known = root.attrs.pop("assonance_format", None) == FORMAT
                if known:
                    provenance = Provenance.from_json(str(tree["provenance/json"].values))
                    groups = {name: tree[name].to_dataset() for name in _GROUPS}
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise AssonanceError(
                f"{printable(path)}: is not a comparison that can be read; make it anew"
            ) from error
        if not known:
            raise AssonanceError(
                f"{printable(path)}: was not written by this version of assonance; make it anew"
            )
        return cls(scores=root, provenance=provenance, **groups)

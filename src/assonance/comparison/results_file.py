"""Write and read the file of a comparison: NetCDF, with a checksum after its last byte.

The checksum is taken over bytes, not over numbers, so that it is verified before any library
interprets them: HDF5 was written for files that are whole. It stands at the end because NetCDF
libraries ignore what follows a file's contents.

It finds accidents, such as a bad disk or a copy that was cut. Whoever changes a file on purpose can
compute it anew, so everything else is checked too: that no part lies elsewhere, types, dimensions,
and that labels are those of the provenance.
"""

import hashlib
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import xarray as xr

from assonance.comparison.records import Provenance
from assonance.errors import AssonanceError, error_text, one_line, printable
from assonance.inference.intervals import METHODS, STATISTICS
from assonance.utils.files import size_of_regular
from assonance.utils.hdf5 import check_hdf5

FORMAT = 4
_WITHOUT_CHECKSUM = 3  # the format before, which is read too
CELL = ("model_row", "layer_row", "model_col", "layer_col")
SCORES, MAPS = "scores", "maps"
# Every dataset besides the scores, with the dimensions that may follow those of models and layers.
_UNITS = ("neuron",)
_HEADS = (("head_row", "head_col"), ("head_row",), ("head_row", "offset"))
_DIMENSIONS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    SCORES: ((),),
    "neurons": (_UNITS,),
    "neuron_intervals": ((*_UNITS, "statistic"),),
    "heads": _HEADS,
    "replicates": (*((dim,) for dim in METHODS), ("rotation",)),
    "intervals": (("statistic",),),
    "nulls": (("shift",),),
    "halves": ((),),
    MAPS: (("head_row", "query_part", "key_part"), ("head_row", "query_time", "key_time")),
}
GROUPS = tuple(name for name in _DIMENSIONS if name != SCORES)
NO_CHECKSUM = (
    "These results were read from a file of an earlier version, which has no checksum: damage to "
    "its numbers would not be noticed."
)
# How hard numbers are compressed, and how many at once: more of either takes longer than it saves.
_LEVEL, _CHUNK = 1, 2**18
_SEAL = "\nassonance: SHA-256 of all bytes before this line: {}\n"
_SEALED = re.compile(re.escape(_SEAL).replace(r"\{\}", "([0-9a-f]{64})").encode())
_SEAL_LENGTH = len(_SEAL.format("0" * 64))
_BLOCK = 2**20


def to_bytes(datasets: Mapping[str, xr.Dataset], provenance: Provenance) -> bytes:
    """Return the contents of a file.

    They are made in memory, because HDF5 ends the process when the disk is full.

    Parameters
    ----------
    datasets
        `SCORES` and each of `GROUPS`.
    provenance
        The record.
    """
    # A variable, not an attribute: HDF5 holds no attribute beyond 64 kB.
    record = xr.Dataset({"json": provenance.to_json()})
    tree = xr.DataTree.from_dict(
        {
            "/": datasets[SCORES].assign_attrs(assonance_format=FORMAT),
            **{f"/{name}": datasets[name] for name in GROUPS},
            "/provenance": record,
        }
    )
    encoding = {
        group.path: {
            name: {"zlib": True, "complevel": _LEVEL, "chunksizes": _chunk(array)}
            for name, array in group.data_vars.items()
            if array.size and array.ndim
        }
        for group in tree.subtree
    }
    content = tree.to_netcdf(engine="h5netcdf", encoding=encoding)
    seal = _SEAL.format(hashlib.sha256(content).hexdigest())
    return b"".join([content, seal.encode()])


def _chunk(array: xr.DataArray) -> tuple[int, ...]:
    """Return the shape of the blocks that are compressed: whole along the last dimensions."""
    shape = [1] * array.ndim
    left = _CHUNK
    for axis in reversed(range(array.ndim)):
        shape[axis] = min(array.shape[axis], left)
        left = max(1, left // array.shape[axis])
    return tuple(shape)


def read(path: Path) -> tuple[dict[str, xr.Dataset], Provenance]:
    """Read a file: verify its checksum, then its structure, then its labels.

    Returns
    -------
    dict of xarray.Dataset and Provenance
        `SCORES` and each of `GROUPS`, and the record. It has the note `NO_CHECKSUM` if the file
        is of the format before checksums.

    Raises
    ------
    AssonanceError
        There is no such file, it is damaged, or it is no file of results that this version reads.
    """
    try:
        sealed = _verify(path)
        check_hdf5(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of oddities that are refused below
            format, datasets, record = _parsed(path)
        if format == _WITHOUT_CHECKSUM:
            sealed = True
        elif format != FORMAT:
            raise _Unknown
        if not sealed:
            raise _Damaged
        provenance = Provenance.from_json(record)
        datasets = {name: _escaped(dataset) for name, dataset in datasets.items()}
        for name, dataset in datasets.items():
            _check(name, dataset, provenance)
    except _Damaged:
        raise AssonanceError(
            f"{printable(path)}: is damaged: its checksum is not that of its contents; "
            "copy it again, or make it anew"
        ) from None
    except _Unknown:
        raise AssonanceError(
            f"{printable(path)}: was not written by this version of assonance; make it anew"
        ) from None
    except Exception as error:  # files that are no results raise anything in their libraries
        raise AssonanceError(
            f"{printable(path)}: is not a comparison that can be read ({error_text(error)}); "
            "make it anew"
        ) from error
    if format == _WITHOUT_CHECKSUM:
        provenance = replace(provenance, notes=(*provenance.notes, NO_CHECKSUM))
    return datasets, provenance


class _Damaged(Exception):  # noqa: N818 - a state of the file
    """The checksum is missing or wrong."""


class _Unknown(Exception):  # noqa: N818 - a state of the file
    """The file is of no format that can be read."""


def _verify(path: Path) -> bool:
    """Verify the checksum at the end of a file; return whether there is one."""
    left = size_of_regular(path) - _SEAL_LENGTH
    if left < 0:
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(left)
        seal = _SEALED.fullmatch(file.read(_SEAL_LENGTH))
        if seal is None:
            return False
        file.seek(0)
        while left > 0 and (block := file.read(min(_BLOCK, left))):
            digest.update(block)
            left -= len(block)
    if digest.hexdigest().encode() != seal[1]:
        raise _Damaged
    return True


def _parsed(path: Path) -> tuple[object, dict[str, xr.Dataset], str]:
    """Load the format, the datasets and the record of a file."""
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        tree.load()
        root = tree.to_dataset()
        format = root.attrs.pop("assonance_format", None)
        if format not in (FORMAT, _WITHOUT_CHECKSUM):
            raise _Unknown
        labels = root.drop_vars(list(root.data_vars)).drop_attrs()
        # Files of 0.2.0 and before have no maps of heads.
        groups = [name for name in GROUPS if name != MAPS or name in tree]
        datasets = {SCORES: root, MAPS: labels}
        datasets |= {name: tree[name].to_dataset() for name in groups}
        return int(format), datasets, str(tree["provenance/json"].values)


def _escaped(dataset: xr.Dataset) -> xr.Dataset:
    """Return a dataset whose labels and attributes are safe in lines and terminals."""
    labels = {
        dim: [one_line(each) for each in _labels(dataset, dim)]
        for dim in CELL
        if dim in dataset.coords
    }
    dataset = dataset.assign_coords(labels)
    for array in (dataset, *dataset.data_vars.values()):
        texts = {name: text for name, text in array.attrs.items() if isinstance(text, str)}
        array.attrs |= {name: one_line(text) for name, text in texts.items()}
    return dataset


def _check(name: str, dataset: xr.Dataset, provenance: Provenance) -> None:
    """Check that a dataset's variables have its dimensions, and the labels of the provenance."""
    models = [each.name for each in provenance.models]
    layers = list(dict.fromkeys(label for each in provenance.models for label in each.layers))
    labels = dict(zip(CELL, (models, layers, models, layers), strict=True))
    if len(set(models)) < len(models):
        raise ValueError("provenance: two models have one name")
    for dim, expected in labels.items():
        if _labels(dataset, dim) != expected:
            raise ValueError(f"{name}: the labels of {dim} are not those of the provenance")
    if "statistic" in dataset.dims and _labels(dataset, "statistic") != list(STATISTICS):
        raise ValueError(f"{name}: unknown statistics")
    numbered = [each for each in dataset.coords if each not in (*CELL, "statistic")]
    if any(dataset[each].dtype.kind not in "fi" for each in numbered):
        raise ValueError(f"{name}: a dimension has labels that are no numbers")
    allowed = {(*cell, *last) for cell in (CELL, CELL[:2]) for last in _DIMENSIONS[name]}
    for variable, array in dataset.data_vars.items():
        shaped = array.dims in allowed and array.dtype.kind in "fi"
        if not (shaped and str(variable).isprintable()):
            raise ValueError(f"{name}: {variable!r} has the wrong name, dimensions or type")


def _labels(dataset: xr.Dataset, dim: str) -> list[str]:
    """Return the labels along a dimension; none if it has none."""
    values: Iterable[object] = dataset[dim].values if dim in dataset.coords else ()
    return [str(each) for each in values]

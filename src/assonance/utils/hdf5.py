"""Check an HDF5 file before it is read: all of it lies inside, and fits into memory."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from assonance.utils.files import size_of_regular

# A file may unpack to this many times its size, or to this many bytes if that is more. Layers and
# scores shrink to a tenth at best; grids that are mostly empty are small.
EXPANSION, UNPACKED = 100, 2**30
_OBJECTS, _DEPTH = 10_000, 16
_TEXTS = 10_000  # texts of any length in one dataset


def check_hdf5(path: Path) -> None:
    """Raise an error unless an HDF5 file is whole in itself and of a bounded size.

    Links to other places, external storage and virtual datasets would read other files. A group
    that contains itself has no end. A few bytes can stand for any number of zeros.

    Parameters
    ----------
    path
        The file. It is opened and closed here; damaged files raise whatever h5py raises.

    Raises
    ------
    ValueError
        The file has one of these, with the reason.
    """
    size = size_of_regular(path)
    room = max(EXPANSION * size, UNPACKED)
    with h5py.File(path, "r") as file:
        for name, dataset in _datasets(file):
            plist = dataset.id.get_create_plist()
            if plist.get_layout() == h5py.h5d.VIRTUAL or plist.get_external_count():
                raise ValueError(f"{name!r} is stored in another file")
            if dataset.dtype.hasobject:
                room -= _length_of_texts(name, dataset, size)
            else:
                room -= dataset.size * dataset.dtype.itemsize if dataset.shape is not None else 0
            if room < 0:
                raise ValueError(f"{name!r} is too large for a file of {size} bytes")


def _datasets(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield every dataset with its path; refuse links, cycles and very many objects."""
    pending: list[tuple[str, h5py.Group, int]] = [("", file, 0)]
    seen: set[int] = set()
    while pending:
        prefix, group, depth = pending.pop()
        if len(seen) + len(group) > _OBJECTS or depth > _DEPTH:
            raise ValueError("holds too many groups or arrays")
        for key in group:
            name = f"{prefix}/{key}"
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise ValueError(f"{name!r} is a link to another place")
            item = group[key]
            place = h5py.h5o.get_info(item.id).addr
            if place in seen:
                raise ValueError(f"{name!r} is contained twice")
            seen.add(place)
            if isinstance(item, h5py.Group):
                pending.append((name, item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                yield name, item


def _length_of_texts(name: str, dataset: h5py.Dataset, most: int) -> int:
    """Return the bytes of a dataset's texts, which are stored apart and may be stored once."""
    if h5py.check_string_dtype(dataset.dtype) is None or (dataset.size or 0) > _TEXTS:
        raise ValueError(f"{name!r} holds neither numbers nor names")
    total = 0
    for place in np.ndindex(dataset.shape or ()):
        total += len(dataset[place])
        if total > most:
            raise ValueError(f"{name!r} is too large for a file of {most} bytes")
    return total

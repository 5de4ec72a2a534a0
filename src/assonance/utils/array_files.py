"""Read files of arrays that others wrote: ``.npy``, ``.npz``, safetensors, HDF5.

Nothing is unpickled, no other file is read, and no memory is taken for more than a file can hold.
Every reader returns arrays by name. Damaged files raise whatever their libraries raise, besides the
`ValueError` of what is refused here; callers catch `Exception`.
"""

import math
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from safetensors.torch import load_file

from assonance.utils.files import size_of_regular
from assonance.utils.hdf5 import EXPANSION, UNPACKED, check_hdf5

Arrays = dict[str, NDArray[Any]]
_ARRAYS = 4096  # in one file: layers
_HEADER = 10_000  # bytes of the header of an array, as numpy limits them


def read_arrays(path: Path) -> Arrays:
    """Read all arrays of a file by their names; that of ``.npy`` has the empty name.

    Raises
    ------
    ValueError
        The file holds no array, too many, or something that is not read. Damaged files raise other
        exceptions too.
    """
    size_of_regular(path)
    arrays = READERS[path.suffix.lower()](path)
    if not arrays:
        raise ValueError("holds no array")
    return arrays


def _npy(path: Path) -> Arrays:
    with path.open("rb") as file:
        return {"": _array(file, size_of_regular(path))}


def _npz(path: Path) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        names = [each.filename.removesuffix(".npy") for each in members]
        if any(name == each.filename for name, each in zip(names, members, strict=True)):
            raise ValueError("holds other things than arrays")
        _check_count(names)
        if len(set(names)) < len(names):
            raise ValueError("holds two arrays of one name")
        unpacked = sum(each.file_size for each in members)
        if unpacked > max(EXPANSION * size_of_regular(path), UNPACKED):
            raise ValueError(f"unpacks to {unpacked} bytes, too many for a file of its size")
        arrays = {}
        for name, member in zip(names, members, strict=True):
            with archive.open(member) as file:
                arrays[name] = _array(file, member.file_size)
        return arrays


def _array(file: IO[bytes], size: int) -> NDArray[Any]:
    """Read one array in NumPy's format; its header must ask for exactly the bytes that follow."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(file, max_header_size=_HEADER)
    if dtype.hasobject:
        raise ValueError("holds Python objects, which are not opened")
    expected = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or expected != size - file.tell():
        raise ValueError(f"says that it holds {expected} bytes, but {size - file.tell()} follow")
    content = bytearray(expected)
    if file.readinto(content) != expected:  # type: ignore[attr-defined]
        raise ValueError("ends early")
    values = np.frombuffer(content, dtype)
    return values.reshape(shape, order="F" if fortran else "C")


def _safetensors(path: Path) -> Arrays:
    found = {}
    tensors = load_file(path)
    _check_count(tensors)
    for name, values in tensors.items():
        short = values.is_floating_point() and values.dtype.itemsize < 4  # some that numpy lacks
        found[name] = (values.float() if short else values).numpy()
    return found


def _hdf5(path: Path) -> Arrays:
    check_hdf5(path)
    found: Arrays = {}
    with h5py.File(path, "r") as file:

        def take(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                found[name] = np.asarray(item[()])

        file.visititems(take)
    _check_count(found)
    return found


def _check_count(names: Any) -> None:
    if len(names) > _ARRAYS:
        raise ValueError(f"holds {len(names)} arrays; at most {_ARRAYS} are read")


READERS: Mapping[str, Callable[[Path], Arrays]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
}

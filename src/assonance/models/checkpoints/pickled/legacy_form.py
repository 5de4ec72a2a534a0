"""Read the older form of torch.save: five pickles, then the storages one after another."""

import struct
from io import BufferedReader
from typing import Any

from assonance.models.checkpoints.pickled.pickles import MOST_BYTES, read_pickle
from assonance.models.checkpoints.pickled.stored import (
    GET_AGAIN,
    SAVE_AGAIN,
    SIZES,
    Place,
    Refused,
    malformed,
)

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_COUNT = struct.Struct("<q")


class _Bounded:
    """The pickles at the beginning of a file, which may not be longer than pickles are.

    Parameters
    ----------
    file
        An open file.
    """

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._left = MOST_BYTES

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes."""
        self._take(size)
        return self._file.read(size)

    def readline(self) -> bytes:
        """Read up to and including the next newline."""
        line = self._file.readline(self._left)
        self._take(len(line))
        return line

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Refused(f"holds pickles of more than {MOST_BYTES} bytes; {SAVE_AGAIN}")


def read(file: BufferedReader, size: int) -> tuple[Any, dict[str, Place]]:
    """Read the content of a file and find its storages.

    Parameters
    ----------
    file
        The file, at its beginning.
    size
        Its size in bytes.

    Returns
    -------
    content : Any
        As `read_pickle` returns it.
    places : dict
        Where each storage lies, by key. There are no checksums in this form.

    Raises
    ------
    Refused
        It is not a whole file of torch.save, or one of its pickles is refused.
    """
    stream = _Bounded(file)
    magic, _ = read_pickle(stream)
    if type(magic) is not int or magic != _MAGIC:
        raise Refused(f"is a pickle that torch.save did not write; {SAVE_AGAIN}")
    version, _ = read_pickle(stream)
    if type(version) is not int or version != _VERSION:
        raise malformed("its version is unknown")
    system, _ = read_pickle(stream)
    if type(system) is not dict or system.get("little_endian") is not True:
        raise Refused(f"is not in little-endian byte order; {SAVE_AGAIN}")
    content, storages = read_pickle(stream)
    keys, _ = read_pickle(stream)
    if type(keys) is not list or not all(type(key) is str for key in keys):
        raise malformed("its storages have no keys")
    if len(set(keys)) != len(keys) or set(keys) != storages.keys():
        raise malformed("its storages are not those of its tensors")
    places, place = {}, file.tell()
    for key in keys:
        storage = storages[key]
        file.seek(place)
        count = file.read(_COUNT.size)
        if len(count) < _COUNT.size:
            raise Refused(f"is cut short; {GET_AGAIN}")
        if _COUNT.unpack(count) != (storage.elements,):
            raise malformed(f"storage {key} has another size than its tensors need")
        length = storage.elements * SIZES[storage.dtype]
        places[key] = Place(place + _COUNT.size, length, None)
        place += _COUNT.size + length
    if place > size:
        raise Refused(f"is cut short; {GET_AGAIN}")
    if place < size:
        raise malformed("it is longer than its contents")
    return content, places

"""Read the zip form of torch.save: a pickle, and one stored entry for each storage."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from io import BufferedReader
from typing import Any

from assonance.errors import printable
from assonance.models.checkpoints.pickled.pickles import MOST_BYTES, read_pickle
from assonance.models.checkpoints.pickled.stored import (
    GET_AGAIN,
    SAVE_AGAIN,
    SIZES,
    Place,
    Refused,
    Storage,
    malformed,
)

_LARGEST_DIRECTORY = 4 * 2**20
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ENCRYPTED = 1


class _Bounded(io.BufferedIOBase):
    """A file as zipfile reads it, with no read larger than a directory of torch.save."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file

    def read(self, size: int | None = -1, /) -> bytes:
        limit = _LARGEST_DIRECTORY
        if size is not None and size > limit:
            raise zipfile.BadZipFile
        return self._file.read(limit if size is None or size < 0 else size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


def read(file: BufferedReader, size: int) -> tuple[Any, dict[str, Place]]:
    """Read the content of a zip file and find its storages.

    Parameters
    ----------
    file
        The file.
    size
        Its size in bytes.

    Returns
    -------
    content : Any
        As `read_pickle` returns it.
    places : dict
        Where each storage lies, by key.

    Raises
    ------
    Refused
        It is not a whole zip file of torch.save, or its pickle is refused.
    """
    entries = _entries(file)
    top = _top_folder(entries)
    places = _places(file, entries.values(), size)
    order = f"{top}/byteorder"
    if order in places and _contents(file, places[order]) != b"little":
        raise Refused(f"is not in little-endian byte order; {SAVE_AGAIN}")
    content, storages = read_pickle(io.BytesIO(_contents(file, places[f"{top}/data.pkl"])))
    return content, {key: _storage(places, top, each) for key, each in storages.items()}


def _entries(file: BufferedReader) -> dict[str, zipfile.ZipInfo]:
    """List a zip file by name."""
    try:
        with zipfile.ZipFile(_Bounded(file)) as archive:
            infos = archive.infolist()
    # zipfile lets several kinds through from damaged directories.
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, OSError) as error:
        raise Refused(f"is a zip file that is cut short or damaged; {GET_AGAIN}") from error
    entries = {info.filename: info for info in infos}
    if len(entries) < len(infos):
        raise malformed("two of its entries have one name")
    return entries


def _top_folder(entries: Mapping[str, zipfile.ZipInfo]) -> str:
    """Return the folder that all entries of a file of torch.save lie in."""
    tops = [name.removesuffix("/data.pkl") for name in entries if name.endswith("/data.pkl")]
    if len(tops) != 1 or "/" in tops[0]:
        raise Refused("is a zip file that torch.save did not write; unpack it, or name another")
    if f"{tops[0]}/constants.pkl" in entries:
        raise Refused("is a TorchScript program; save its state_dict() by torch.save")
    return tops[0]


def _places(file: BufferedReader, infos: Iterable[zipfile.ZipInfo], size: int) -> dict[str, Place]:
    """Find the bytes of each entry; entries must be stored as they are, one after another."""
    places, end = {}, 0
    infos = sorted(infos, key=lambda each: each.header_offset)
    checked = any(info.CRC for info in infos)  # torch can save without checksums
    for info in infos:
        name = printable(info.filename)
        compressed = info.compress_type != zipfile.ZIP_STORED
        if compressed or info.flag_bits & _ENCRYPTED or info.compress_size != info.file_size:
            raise Refused(f"holds {name} compressed or encrypted, not as it is; {SAVE_AGAIN}")
        if info.header_offset < end:
            raise malformed(f"{name} overlaps another entry")
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size:
            raise Refused(f"is cut short; {GET_AGAIN}")
        signature, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        if signature != b"PK\x03\x04" or file.read(name_length) != info.orig_filename.encode():
            raise malformed(f"{name} is not where the directory puts it")
        start = info.header_offset + _LOCAL_HEADER.size + name_length + extra_length
        end = start + info.file_size
        if end > size:
            raise Refused(f"is cut short; {GET_AGAIN}")
        places[info.filename] = Place(start, info.file_size, info.CRC if checked else None)
    return places


def _contents(file: BufferedReader, place: Place) -> bytes:
    """Read a small entry and check it."""
    if place.length > MOST_BYTES:
        raise Refused(f"holds a pickle of more than {MOST_BYTES} bytes; {SAVE_AGAIN}")
    file.seek(place.start)
    contents = file.read(place.length)
    if place.crc not in (None, zlib.crc32(contents)):
        raise malformed("a checksum differs")
    return contents


def _storage(places: Mapping[str, Place], top: str, storage: Storage) -> Place:
    """Return the place of a storage, which must have the size that its tensors need."""
    place = places.get(f"{top}/data/{storage.key}")
    if place is None:
        raise malformed(f"storage {storage.key} is missing")
    if place.length != storage.elements * SIZES[storage.dtype]:
        raise malformed(f"storage {storage.key} has another size than its tensors need")
    return place

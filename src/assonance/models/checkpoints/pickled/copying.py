"""Copy tensors from a file of torch.save into a safetensors file, in one pass over the source."""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BufferedReader, BufferedWriter
from typing import Generic, Protocol, TypeVar

import numpy as np

from assonance.errors import error_text
from assonance.models.checkpoints.pickled.stored import (
    GET_AGAIN,
    SIZES,
    Place,
    Refused,
    StoredTensor,
    malformed,
)

_CHUNK = 4 * 2**20
_ALIGNMENT = 8


@dataclass(frozen=True)
class _Copy:
    """Bytes of the source, and where they go in the output."""

    start: int
    length: int
    target: int


@dataclass(frozen=True)
class Layout:
    """A safetensors file that is to be made from parts of another file.

    Attributes
    ----------
    header
        Its first bytes, up to the tensors.
    size
        Its size in bytes.
    """

    header: bytes
    size: int
    _copies: tuple[_Copy, ...]
    _gathers: tuple[tuple[StoredTensor, int, int], ...]
    _checked: tuple[Place, ...]


def lay_out(
    tensors: Mapping[str, StoredTensor], places: Mapping[str, Place], metadata: Mapping[str, str]
) -> Layout:
    """Decide where tensors go in a safetensors file.

    Parameters
    ----------
    tensors
        By name.
    places
        Where the storages lie in the source, by key.
    metadata
        Texts for the header.

    Returns
    -------
    Layout
        The output without its numbers. Tensors of larger elements come first, so that each is
        aligned, then in the order of the source, so that most are written one after another.
    """

    def begins(tensor: StoredTensor) -> int:
        return places[tensor.storage].start + tensor.offset * SIZES[tensor.dtype]

    order = sorted(tensors.items(), key=lambda item: (-SIZES[item[1].dtype], begins(item[1])))
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name, tensor in order:
        offsets = [end, end + tensor.nbytes]
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": offsets}
        end += tensor.nbytes
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    first = len(text).to_bytes(8, "little") + text
    copies, gathers, target = [], [], len(first)
    for _, tensor in order:
        if tensor.contiguous:
            copies.append(_Copy(begins(tensor), tensor.nbytes, target))
        else:
            gathers.append((tensor, begins(tensor), target))
        target += tensor.nbytes
    checked = {tensor.storage: places[tensor.storage] for tensor in tensors.values()}
    return Layout(first, target, tuple(copies), tuple(gathers), tuple(checked.values()))


def copy(
    source: BufferedReader,
    layout: Layout,
    output: BufferedWriter,
    advance: Callable[[float], None],
) -> str:
    """Write a safetensors file, and check and hash the source on the way.

    Parameters
    ----------
    source
        The source, which is read from its beginning to its end.
    layout
        What to write.
    output
        An empty file.
    advance
        Called with the number of bytes of the source that were read.

    Returns
    -------
    str
        SHA-256 of the source, in hexadecimal digits.

    Raises
    ------
    Refused
        A checksum of the source differs, or it cannot be read.
    """
    digest, checksums = hashlib.sha256(), _Checksums(layout._checked)
    copies = _Sweep(layout._copies)
    output.write(layout.header)
    with ThreadPoolExecutor(2) as pool:
        for start, chunk in _chunks(source):
            # Both let other threads run while they work.
            jobs = [
                pool.submit(digest.update, chunk),
                pool.submit(checksums.update, start, chunk),
            ]
            for each, part in copies.within(start, chunk):
                target = each.target + max(0, start - each.start)
                if output.tell() != target:
                    output.seek(target)
                output.write(part)
            for job in jobs:
                job.result()
            advance(len(chunk))
    checksums.compare()
    for tensor, begin, target in layout._gathers:
        output.seek(target)
        output.write(_gathered(source, tensor, begin))
    return digest.hexdigest()


def _chunks(source: BufferedReader) -> Iterator[tuple[int, memoryview]]:
    """Read a file piece by piece into one buffer."""
    buffer = memoryview(bytearray(_CHUNK))
    source.seek(0)
    start = 0
    while count := _read_into(source, buffer):
        yield start, buffer[:count]
        start += count


def _read_into(source: BufferedReader, buffer: memoryview) -> int:
    try:
        return source.readinto(buffer)
    except OSError as error:
        raise Refused(f"cannot be read: {error_text(error)}; {GET_AGAIN}") from error


class _Segment(Protocol):
    """A part of a file."""

    @property
    def start(self) -> int: ...

    @property
    def length(self) -> int: ...


_S = TypeVar("_S", bound=_Segment)


class _Sweep(Generic[_S]):
    """Parts of a file, as they come by when it is read from beginning to end."""

    def __init__(self, segments: Iterable[_S]) -> None:
        self._ahead = sorted(
            (each for each in segments if each.length), key=lambda each: each.start, reverse=True
        )
        self._open: list[_S] = []

    def within(self, start: int, chunk: memoryview) -> Iterator[tuple[_S, memoryview]]:
        """Yield the parts that a chunk of the file touches, each with its bytes in the chunk."""
        end = start + len(chunk)
        while self._ahead and self._ahead[-1].start < end:
            self._open.append(self._ahead.pop())
        for each in self._open:
            yield each, chunk[max(0, each.start - start) : each.start + each.length - start]
        self._open = [each for each in self._open if each.start + each.length > end]


class _Checksums:
    """Checksums of parts of a file that is read from beginning to end."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._expected = [place for place in places if place.crc is not None]
        self._sweep = _Sweep(self._expected)
        self._found: dict[Place, int] = {}

    def update(self, start: int, chunk: memoryview) -> None:
        """Take in the next chunk of the file."""
        for place, part in self._sweep.within(start, chunk):
            self._found[place] = zlib.crc32(part, self._found.get(place, 0))

    def compare(self) -> None:
        """Refuse the file if a checksum differs from the one stored in it."""
        for place in self._expected:
            if self._found.get(place, 0) != place.crc:
                raise malformed("a checksum differs")


def _gathered(source: BufferedReader, tensor: StoredTensor, begin: int) -> memoryview:
    """Read a tensor whose elements lie scattered, in the order of its shape."""
    width = SIZES[tensor.dtype]
    elements = np.empty(tensor.span, f"u{width}")
    source.seek(begin)
    if _read_into(source, elements.data.cast("B")) != elements.nbytes:
        raise Refused(f"is cut short; {GET_AGAIN}")
    steps = [width * step for step in tensor.stride]
    scattered = np.lib.stride_tricks.as_strided(elements, tensor.shape, steps)
    return np.ascontiguousarray(scattered).data.cast("B")

"""Describe what a checkpoint stores: tensors and where they lie, and records of known classes."""

import math
from dataclasses import dataclass, field
from typing import Any

GET_AGAIN = "get a complete copy from its source"
SAVE_AGAIN = "if you trust its source, load it by torch and save its state_dict() again"
_MOST_DIMENSIONS = 32
_LARGEST_COUNT = 2**62

SIZES = {
    **{"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2},
    **{"I8": 1, "U8": 1, "BOOL": 1},
}
"""Bytes of one element, by the name of its type in safetensors."""


class Refused(ValueError):  # noqa: N818 - says what is wrong with a file, not a fault of ours
    """A reason not to read a file, and what to do, to follow the file's name in a message."""


def malformed(what: str) -> Refused:
    """Return the refusal of a file whose parts contradict each other."""
    return Refused(f"is damaged ({what}); {GET_AGAIN}")


@dataclass(frozen=True)
class StoredTensor:
    """A tensor whose numbers lie in a storage of the file.

    Attributes
    ----------
    storage
        Key of the storage.
    dtype
        Type of its numbers as safetensors names it, such as ``"F32"``.
    elements
        Number of elements of the whole storage.
    offset
        Element of the storage at which the tensor begins.
    shape, stride
        Size of each dimension, and the distance of neighbours along it, in elements. Every element
        lies within the storage, and no two share a place.
    """

    storage: str
    dtype: str
    elements: int
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.count * SIZES[self.dtype]

    @property
    def span(self) -> int:
        """Number of elements from the first to the last in the storage."""
        return _span(self.shape, self.stride)

    @property
    def contiguous(self) -> bool:
        """Whether the elements lie in the storage in their order, without gaps."""
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.stride), strict=True):
            if size != 1 and stride != expected:
                return self.count == 0
            expected *= size
        return True


@dataclass(frozen=True)
class Record:
    """An object of a known class, as data.

    Attributes
    ----------
    name
        Module and name of the class, such as ``"argparse.Namespace"``.
    state
        Its attributes.
    """

    name: str
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Storage:
    """A storage as a pickle describes it: key, type and number of elements."""

    key: str
    dtype: str
    elements: int


def are_counts(values: Any) -> bool:
    """Return whether these are whole numbers that can be sizes."""
    return type(values) in (tuple, list) and all(
        type(value) is int and 0 <= value < _LARGEST_COUNT for value in values
    )


@dataclass(frozen=True)
class Place:
    """Where bytes lie in a file.

    Attributes
    ----------
    start, length
        In bytes.
    crc
        Checksum of the bytes (CRC-32), where the file has one.
    """

    start: int
    length: int
    crc: int | None


def place_tensor(storage: Any, offset: Any, shape: Any, stride: Any) -> StoredTensor:
    """Return a tensor that lies within its storage and does not overlap itself."""
    if type(storage) is not Storage or type(shape) is not tuple or not are_counts(shape):
        raise malformed("a tensor has no storage or no shape")
    if type(stride) is not tuple or not are_counts((offset, *stride)) or len(shape) != len(stride):
        raise malformed("a tensor has no valid offset and strides")
    if len(shape) > _MOST_DIMENSIONS or math.prod(max(1, n) for n in shape) >= _LARGEST_COUNT:
        raise malformed("a tensor has an impossible shape")
    if offset + _span(shape, stride) > storage.elements:
        raise malformed(f"a tensor reaches beyond storage {storage.key}")
    reached = 0
    for step, size in sorted((k, n) for n, k in zip(shape, stride, strict=True) if n > 1):
        if step <= reached and 0 not in shape:
            raise Refused(
                "holds a tensor whose elements share memory (expanded, or overlapping windows); "
                "save it again after contiguous()"
            )
        reached += (size - 1) * step
    return StoredTensor(storage.key, storage.dtype, storage.elements, offset, shape, stride)


def _span(shape: tuple[int, ...], stride: tuple[int, ...]) -> int:
    if 0 in shape:
        return 0
    return 1 + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))

"""Parse and print amounts of memory, reuse buffers, and return freed memory to the system."""

import ctypes
import os
import re
from collections.abc import Hashable
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any

from assonance.errors import AssonanceError, error_text

if TYPE_CHECKING:
    from torch import Tensor


def trim_heap() -> None:
    """Return freed memory to the operating system (glibc's ``malloc_trim``).

    Without it, memory that many threads freed in small pieces stays with the process, and a long
    run grows by gigabytes. Does nothing where the C library has no such function.
    """
    trim = _of_the_c_library("malloc_trim")
    if trim is not None:
        trim(0)


# Bytes that the process may take, as `keep_freed_memory` was told; and the share of them from which
# freed memory is returned.
_allowed = 0.0
_FULL = 0.95


def trim_full_heap() -> None:
    """Return freed memory as `trim_heap` does, where the process takes nearly all that it may.

    Memory that was returned is given anew, page by page, which takes a third of the time if often.
    """
    if resident_bytes() >= _FULL * _allowed:
        trim_heap()


# Parameters of glibc's ``mallopt``, the value that keeps all freed blocks, and the largest block
# that is taken from the heap: by version, and as a share of the memory of the process.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_ALL = -1
_LARGEST_KEPT = (32 * 2**20, 2**30)
_LARGEST_SHARE = 1 / 8


def share_heap() -> None:
    """Let all threads take memory from one heap (glibc's ``mallopt``).

    By default each thread has a heap of its own. What one thread frees no other can use, and parts
    of a thread's heap return to the system as soon as they are empty. To be called before a second
    thread starts. Does nothing where the C library has no such function.
    """
    change = _of_the_c_library("mallopt")
    if change is not None:
        change(_ARENA_MAX, 1)


def keep_freed_memory(memory: float) -> None:
    """Let freed blocks be used again until `trim_heap` (glibc's ``mallopt``).

    By default the system gives large blocks anew, page by page, which can take as long as filling
    them. Processes that Dask starts return all freed memory at once. Does nothing where the C
    library has no such function.

    Parameters
    ----------
    memory
        Bytes that the process may take; see `trim_full_heap`.
    """
    global _allowed
    _allowed = memory
    change = _of_the_c_library("mallopt")
    if change is not None:
        for largest in _LARGEST_KEPT:  # an older version refuses more than the first
            change(_MMAP_THRESHOLD, min(largest, int(_LARGEST_SHARE * memory)))
        change(_TRIM_THRESHOLD, _ALL)


def _of_the_c_library(name: str) -> Any:
    """Return a function of the C library; None where it has none of this name."""
    return getattr(ctypes.CDLL(None), name, None) if os.name == "posix" else None


class Scratch:
    """Reusable buffers: allocating a large block takes longer than filling it."""

    def __init__(self) -> None:
        self._blocks: dict[Hashable, Tensor] = {}

    def like(self, values: "Tensor", *shape: int, key: Hashable = None) -> "Tensor":
        """Return an uninitialised matrix with the type and device of another tensor.

        Parameters
        ----------
        values
            Tensor whose type and device are used.
        shape
            Rows and columns.
        key
            Owner of the buffer: a later call with the same key, type and device reuses its memory.
            The calling thread by default.

        Returns
        -------
        Tensor
            A view of the buffer, with its previous content.
        """
        key = (get_ident() if key is None else key), values.dtype, values.device
        block = self._blocks.get(key)
        if block is None or block.numel() < shape[0] * shape[1]:
            self._blocks[key] = block = values.new_empty(shape[0] * shape[1])
        return block[: shape[0] * shape[1]].view(shape)


# Where Linux states the limit of a control group, of both versions.
_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def machine_bytes() -> float:
    """Return the memory of the machine in bytes, or infinity if unknown."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return float("inf")


def allowed_bytes() -> float:
    """Return the memory of the machine or, if less, the limit of the container (cgroup).

    Returns
    -------
    float
        Bytes; infinity if unknown.
    """
    found = [machine_bytes()]
    for path in _CGROUP_LIMITS:
        try:
            found.append(float(path.read_text("ascii")))
        except (OSError, ValueError):  # no such limit, or "max"
            continue
    return min(found)


def resident_bytes() -> float:
    """Return the memory in bytes that this process holds now, or 0 if unknown."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return float(pages * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return 0.0


# Words of libraries that were refused memory or a thread.
_REFUSED = re.compile("alloc|map segment|memory|new thread|create thread", re.IGNORECASE)


def lacks_memory(error: Exception) -> bool:
    """Return whether an error means that the process was refused memory."""
    return isinstance(error, MemoryError) or bool(_REFUSED.search(str(error)))


def too_little_memory(error: Exception) -> str:
    """Say in one line that memory was refused, under which limit, and what to do."""
    limit = ""
    if os.name == "posix":
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most != resource.RLIM_INFINITY:
            limit = f" (limited to {format_bytes(most)} by ulimit -v)"
    return (
        f"the process was refused memory{limit}: {error_text(error) or 'out of memory'}; raise the "
        "limit, lower --memory, or compare fewer models; the same command goes on from here"
    )


# Bytes that Python, torch and what they import take.
LIBRARIES = 0.45e9
# Default limit for the sums and factors of a run: half of what the machine or container has. It is
# the same in every run on a machine, so that an interrupted run cuts its work into the same pieces.
# More than 16 GB hardly helps.
MEMORY = "auto"
_MOST_BY_DEFAULT = 16e9
_UNKNOWN = 8e9  # where the machine does not state its memory

_UNITS: dict[str, int] = {"": 2**30, "B": 1} | {
    f"{prefix}{unit}": int(base**power)
    for power, prefix in enumerate("KMGT", 1)
    for unit, base in (("", 1000), ("B", 1000), ("iB", 1024))
}

_AMOUNT = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-zA-Z]*)\s*")


def parse_bytes(amount: str | float) -> float:
    """Parse an amount of memory.

    Parameters
    ----------
    amount
        Such as ``"4GB"`` or ``"512 MiB"``. A number without a unit is in GiB. ``"auto"`` is half of
        what the machine or the container has, at most 16 GB.

    Returns
    -------
    float
        Bytes, greater than 0.

    Raises
    ------
    AssonanceError
        `amount` is not a positive number with an optional unit.
    """
    if amount == MEMORY:
        allowed = allowed_bytes()
        return min((allowed if allowed < float("inf") else _UNKNOWN) / 2, _MOST_BY_DEFAULT)
    match = _AMOUNT.fullmatch(f"{amount:.12f}" if isinstance(amount, float) else str(amount))
    units = {name.lower(): size for name, size in _UNITS.items()}
    if match is None or match[2].lower() not in units or not float(match[1]):
        raise AssonanceError(
            f"memory {amount!r}: not a positive amount; give one such as 4GB or 512MB, or auto"
        )
    return float(match[1]) * units[match[2].lower()]


def format_bytes(amount: float) -> str:
    """Return a number of bytes as people write it, with three digits, such as "1.26 GB"."""
    if amount < 999.5:
        return f"{amount:.0f} bytes"
    prefix = next((p for p in range(1, 4) if amount < 999.5 * 1000**p), 4)
    return f"{amount / 1000**prefix:#.3g}".rstrip(".") + f" {' kMGT'[prefix]}B"

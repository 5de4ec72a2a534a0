"""Move the weights of a model that waits from memory to a file that is mapped back as it runs."""

import mmap
import sys
import tempfile
from itertools import chain
from pathlib import Path

import torch

from assonance.utils.memory import trim_full_heap

# Weights begin at multiples of as many bytes, as torch allocates them.
_ALIGNED = 64


def rest(module: torch.nn.Module, folder: Path) -> mmap.mmap | None:
    """Keep the parameters and buffers of a module in a file instead of in memory.

    The system reads a page of the file when the module uses it, and may forget it again. Values
    do not change. Without room on the disk the weights stay where they are.

    Parameters
    ----------
    module
        On the CPU; one on another device is left as it is.
    folder
        Where the file is made. It has no name after the call, and is gone with the module.

    Returns
    -------
    mmap
        The weights in memory, for `release`; None if they stay where they are.
    """
    tensors = [each for each in chain(module.parameters(), module.buffers()) if each.numel()]
    if not tensors or any(each.device.type != "cpu" for each in tensors):
        return None
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            places = []
            for each in tensors:
                file.write(b"\0" * (-file.tell() % _ALIGNED))
                places.append(file.tell())
                values = each.detach().contiguous().flatten().view(torch.uint8)
                file.write(values.numpy().data)
            file.flush()
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except OSError:
        return None
    stored = torch.frombuffer(mapped, dtype=torch.uint8)
    for each, place in zip(tensors, places, strict=True):
        part = stored[place : place + each.numel() * each.element_size()]
        each.data = part.view(each.dtype).view(each.shape)
    return mapped


def release(mapped: mmap.mmap) -> None:
    """Take resting weights out of memory until they are used again.

    Freed memory goes, too, where the process takes most of what it may.

    Elsewhere than on Linux the system decides which pages of the file stay in memory.
    """
    if sys.platform == "linux":
        mapped.madvise(mmap.MADV_DONTNEED)
    trim_full_heap()

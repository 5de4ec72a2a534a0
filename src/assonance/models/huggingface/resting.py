"""Move the weights of a model that waits from memory to a file that is mapped back as it runs."""

import contextlib
import tempfile
from itertools import chain
from pathlib import Path

import torch

# Weights begin at multiples of as many bytes, as torch allocates them.
_ALIGNED = 64


def rest(module: torch.nn.Module, folder: Path) -> None:
    """Keep the parameters and buffers of a module in a file instead of in memory.

    The system reads a page of the file when the module uses it, and may forget it again. Values
    do not change. Without room on the disk the weights stay where they are.

    Parameters
    ----------
    module
        On the CPU; one on another device is left as it is.
    folder
        Where the file is made. It has no name after the call, and is gone with the module.
    """
    tensors = [each for each in chain(module.parameters(), module.buffers()) if each.numel()]
    if any(each.device.type != "cpu" for each in tensors):
        return
    with (
        contextlib.suppress(OSError),
        tempfile.NamedTemporaryFile(dir=folder, suffix=".tmp") as file,
    ):
        places = []
        for each in tensors:
            file.write(b"\0" * (-file.tell() % _ALIGNED))
            places.append(file.tell())
            values = each.detach().contiguous().flatten().view(torch.uint8)
            file.write(values.numpy().data)
        file.flush()
        storage = torch.UntypedStorage.from_file(file.name, shared=False, nbytes=file.tell())
        for each, place in zip(tensors, places, strict=True):
            mapped = torch.empty(0, dtype=each.dtype)
            start = place // each.element_size()
            each.data = mapped.set_(storage, start, each.shape)  # type: ignore[call-overload]

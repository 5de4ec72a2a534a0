"""Check the arrays and names that Python callers give."""

from collections.abc import Hashable, Mapping, Sequence, Set
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from assonance.errors import AssonanceError


def check_mapping(layers: Any, what: str) -> None:
    """Check that layers are a mapping from names, and not empty.

    Parameters
    ----------
    layers
        What the caller gave as `layers`.
    what
        What each name stands for, in messages: "its frames".
    """
    if not isinstance(layers, Mapping):
        raise AssonanceError(
            f"layers must be a mapping from each layer's name to {what}, such as "
            f"{{'a': ..., 'b': ...}}; got {type(layers).__name__}"
        )
    if not layers:
        raise AssonanceError("no layers to compare; give at least one")


def check_sequences(layers: Any) -> None:
    """Check that layers are a mapping from names to sequences of attention maps."""
    check_mapping(layers, "the maps of each utterance")
    for name, values in layers.items():
        if not hasattr(values, "__len__") or isinstance(values, str):
            raise AssonanceError(
                f"layer {name!r} must be a sequence of maps, one an utterance; got "
                f"{type(values).__name__}"
            )


def frames(name: str, values: ArrayLike) -> Tensor:
    """Return a layer's frames, (T, D), in float32 or float64, or raise."""
    array = real_numbers(name, values)
    if array.ndim != 2 or not array.shape[1]:
        raise AssonanceError(f"layer {name!r} must be frames × neurons; got {array.shape}")
    precise = array.dtype.kind in "iu" or array.dtype.itemsize > 4
    with np.errstate(over="ignore"):
        copy = np.array(array, dtype=np.float64 if precise else np.float32)
    bad = int((~np.isfinite(copy)).sum())
    if bad:
        raise AssonanceError(f"layer {name!r} has {bad} values that are NaN or infinite")
    return torch.from_numpy(copy)


def group_numbers(groups: Sequence[Hashable], n: int) -> tuple[NDArray[np.int64], list[Hashable]]:
    """Return the number of each frame's utterance, in the order of first appearance.

    Parameters
    ----------
    groups
        A name for each frame: any sequence, array, tensor or column of these. Equal names are one
        utterance.
    n
        Number of frames.

    Returns
    -------
    tuple of numpy.ndarray and list
        Number of each frame's utterance, from 0; names of the utterances in that order.

    Raises
    ------
    AssonanceError
        There is not one name for each frame, or a name is missing (None, NaN, masked) or is not
        hashable.
    """
    labels = _labels(groups)
    if len(labels) != n:
        raise AssonanceError(f"groups= has {len(labels)} entries for {n} frames")
    missing = sum(map(_is_missing, labels))
    if missing:
        raise AssonanceError(
            f"groups= has {missing} entries that are missing (None, NaN or masked); name the "
            "utterance of each frame, or remove these frames"
        )
    index: dict[Hashable, int] = {}
    try:
        numbers = np.fromiter((index.setdefault(each, len(index)) for each in labels), np.int64, n)
    except TypeError as error:
        raise AssonanceError(
            f"groups= must name the utterance of each frame by a word or number: {error}"
        ) from error
    return numbers, list(index)


def _labels(groups: Any) -> list[Any]:
    """List the entries of `groups=`; numbers wrapped in arrays or tensors are taken out."""
    if isinstance(groups, (str, bytes, Mapping, Set)) or not hasattr(groups, "__len__"):
        raise AssonanceError(
            "groups= must be a sequence with the utterance of each frame; "
            f"got {type(groups).__name__}"
        )
    if hasattr(groups, "shape"):
        groups = _array("groups=", groups)
        if groups.ndim == 2 and groups.shape[1] == 1:
            groups = groups[:, 0]
        if groups.ndim != 1:
            raise AssonanceError(
                f"groups= must have one entry for each frame; got the shape {groups.shape}"
            )
    return [_unwrapped(each) for each in groups]


def _unwrapped(label: Any) -> Any:
    """Take a number out of an array or tensor of one: tensors are equal only to themselves."""
    if np.ma.isMaskedArray(label) and np.ma.getmaskarray(label).any():
        return None
    if isinstance(label, Tensor | np.ndarray) and np.prod(label.shape) == 1:
        return label.item()
    return label


def _is_missing(label: Any) -> bool:
    """Return whether a name is None, NaN, NaT or pandas' NA."""
    if label is None:
        return True
    try:
        return bool(label != label)
    except (TypeError, ValueError):  # NA has no truth
        return type(label).__name__ == "NAType"


def _array(what: str, values: Any) -> NDArray[Any]:
    """Return values as an array; masked arrays only if nothing is masked."""
    parts = values if isinstance(values, (list, tuple)) else [values]
    masked = sum(np.ma.getmaskarray(each).sum() for each in parts if np.ma.isMaskedArray(each))
    if masked:
        raise AssonanceError(
            f"{what} has {masked} masked values; fill them, or remove their frames"
        )
    try:
        if isinstance(values, Tensor):
            values = values.cpu() if values.dtype != torch.bfloat16 else values.cpu().float()
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise AssonanceError(f"{what} cannot be made an array: {error}") from error


def real_numbers(name: str, values: Any) -> NDArray[Any]:
    """Return the real numbers of a layer as an array, or raise."""
    array = _array(f"layer {name!r}", values)
    if array.dtype.kind not in "fiu":
        raise AssonanceError(f"layer {name!r} must hold real numbers; got {array.dtype}")
    return array

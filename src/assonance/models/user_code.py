"""Load a model from a Python function of the user: ``module:package.function``."""

import os
import sys
from importlib import import_module
from inspect import getattr_static
from typing import Any

from assonance.errors import AssonanceError, printable
from assonance.models.speech_model import SpeechModel

PREFIX = "module:"

_MEMBERS = (
    *("name", "layers", "meanings", "widths", "heads", "sampling_rate", "fingerprint", "info"),
    *("n_frames", "frame_times", "run", "twin"),
)


def load(spec: str) -> SpeechModel:
    """Load the model that the function in ``module:<package>.<function>`` returns.

    The function is called without arguments. The working directory is searched too.

    Raises
    ------
    AssonanceError
        The name is malformed, the function cannot be imported or fails, or its result lacks a
        member of `SpeechModel`.
    """
    place, _, name = spec.removeprefix(PREFIX).rpartition(".")
    if not place or not name.isidentifier():
        raise AssonanceError(
            f"{printable(spec)}: write your own model as module:<package>.<function>"
        )
    here = os.getcwd()  # noqa: PTH109 - a str, like the entries of sys.path
    if here not in sys.path:
        sys.path.append(here)
    try:
        function = getattr(import_module(place), name)
    except Exception as error:
        raise _error(spec, f"cannot be imported ({_describe(error)})") from error
    if not callable(function):
        raise _error(spec, "is not a function")
    try:
        model: Any = function()
    except AssonanceError:
        raise
    except Exception as error:
        raise _error(spec, f"fails ({_describe(error)})") from error
    if missing := [member for member in _MEMBERS if not _has(model, member)]:
        raise _error(spec, f"returns a {type(model).__name__}, which lacks {missing[0]!r}")
    loaded: SpeechModel = model
    return loaded


def _has(model: Any, member: str) -> bool:
    """Return whether an object has a member, without evaluating properties."""
    absent = object()
    return getattr_static(model, member, absent) is not absent


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {printable(str(error).partition(chr(10))[0])}"


def _error(spec: str, what: str) -> AssonanceError:
    return AssonanceError(
        f"{printable(spec)}: {what}; name a function that takes no arguments and returns an "
        "assonance.TorchModel, in a module that Python can import here"
    )

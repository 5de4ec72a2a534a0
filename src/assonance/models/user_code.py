"""Models that a Python function of the user's makes: ``module:package.function``."""

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
    """Call the function that ``module:<package>.<function>`` names; see `load_model`."""
    place, _, name = spec.removeprefix(PREFIX).rpartition(".")
    if not place or not name.isidentifier():
        raise AssonanceError(
            f"{printable(spec)}: write a model of your own as module:<package>.<function>"
        )
    here = os.getcwd()  # noqa: PTH109 - as sys.path holds it
    if here not in sys.path:
        sys.path.append(here)
    try:
        function = getattr(import_module(place), name)
    except Exception as error:
        raise _broken(spec, f"cannot be imported ({_words(error)})") from error
    if not callable(function):
        raise _broken(spec, "is not a function")
    try:
        model: Any = function()
    except AssonanceError:
        raise
    except Exception as error:
        raise _broken(spec, f"fails ({_words(error)})") from error
    if lacking := [member for member in _MEMBERS if not _has(model, member)]:
        raise _broken(spec, f"gives a {type(model).__name__}, which lacks {lacking[0]!r}")
    loaded: SpeechModel = model
    return loaded


def _has(model: Any, member: str) -> bool:
    """Say whether a member is there, without computing it."""
    nothing = object()
    return getattr_static(model, member, nothing) is not nothing


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {printable(str(error).partition(chr(10))[0])}"


def _broken(spec: str, what: str) -> AssonanceError:
    return AssonanceError(
        f"{printable(spec)}: {what}; name a function without arguments that gives an "
        "assonance.TorchModel, in a module that Python finds here"
    )

"""Find the settings of an encoder among those that a training toolkit stored with its weights."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assonance.errors import AssonanceError

# fairseq's tasks for speech read at this rate unless told otherwise.
_FAIRSEQ_RATE = 16_000
_MOST_LAYERS = 64
_EXPRESSION = re.compile(r"[\d\s()\[\],+*]{1,1000}", re.ASCII)


class MissingSetting(Exception):  # noqa: N818 - says what is missing
    """A setting that the weights cannot replace. Its message is the name of the setting."""


@dataclass(frozen=True)
class Settings:
    """The settings of one encoder.

    Attributes
    ----------
    model
        Settings of the encoder, under fairseq's names.
    place
        Where they are in the file, such as ``cfg.model``.
    tasks
        Settings of the tasks it was trained for, the last first.
    rate
        Sampling rate of a task that states none, in Hz; None if that is unknown.
    fine_tuned
        Whether the encoder is part of a model that was fine-tuned.
    """

    model: Mapping[str, Any]
    place: str
    tasks: tuple[Mapping[str, Any], ...]
    rate: int | None
    fine_tuned: bool

    def whole(self, name: str) -> int:
        """Return a setting that must be a whole positive number."""
        value = self._needed(name)
        if not _is_whole(value):
            raise self._unfit(name, value, "a whole positive number")
        return int(value)

    def flag(self, name: str) -> bool:
        """Return a setting that must be true or false."""
        value = self._needed(name)
        if not isinstance(value, bool):
            raise self._unfit(name, value, "true or false")
        return value

    def choice(self, name: str, choices: Mapping[str, str]) -> str:
        """Return the translation of a setting that must be one of some words."""
        value = self._needed(name)
        if not isinstance(value, str) or value not in choices:
            raise self._unfit(name, value, f"one of {', '.join(choices)}")
        return choices[value]

    def convolutions(self) -> list[tuple[int, int, int]]:
        """Return width, kernel and stride of each layer of convolutions."""
        name = "conv_feature_layers"
        value = self._needed(name)
        try:
            return _evaluated(value)
        except (ValueError, RecursionError, MemoryError):
            raise self._unfit(
                name, value, "a list of (width, kernel, stride), put together by + and *"
            ) from None

    def held(self, name: str, measured: Any) -> Any:
        """Return what follows from the weights, after comparing it with the setting if there."""
        stated = self.model.get(name)
        if stated is not None and (type(stated), stated) != (type(measured), measured):
            raise AssonanceError(
                f"its settings give {self.place}.{name} as {shown(stated)}, its weights as "
                f"{shown(measured)}; get a complete copy"
            )
        return measured

    def normalize(self) -> bool | None:
        """Return whether waveforms are normalised; None if that is not stated."""
        stated = [task["normalize"] for task in self.tasks if task.get("normalize") is not None]
        for value in stated:
            if not isinstance(value, bool):
                raise AssonanceError(
                    f"its settings give normalize as {shown(value)}, which must be true or false; "
                    "get a complete copy"
                )
        if len(set(stated)) > 1:
            raise AssonanceError(
                f"its settings give normalize as {stated[0]} in fine-tuning and {stated[1]} in "
                "pretraining; get a complete copy"
            )
        return stated[0] if stated else None

    def sampling_rate(self) -> int | None:
        """Return the sampling rate in Hz; None if that is not stated."""
        stated = [task["sample_rate"] for task in self.tasks if task.get("sample_rate") is not None]
        rate = stated[0] if stated else self.rate
        if rate is not None and not _is_whole(rate):
            raise AssonanceError(
                f"its settings give sample_rate as {shown(rate)}, which must be a whole positive "
                "number; get a complete copy"
            )
        return rate

    def _needed(self, name: str) -> Any:
        if self.model.get(name) is None:
            raise MissingSetting(f"{self.place}.{name}")
        return self.model[name]

    def _unfit(self, name: str, value: Any, what: str) -> AssonanceError:
        return AssonanceError(
            f"its settings give {self.place}.{name} as {shown(value)}, which must be {what}; "
            "get a complete copy"
        )


def find_settings(stored: Mapping[str, Any]) -> Settings | None:
    """Find the settings of the encoder.

    Parameters
    ----------
    stored
        Contents of the file beside its weights, as dicts: ``cfg`` or ``args`` (fairseq),
        ``model_cfg`` and ``task_cfg`` (s3prl), ``cfg`` without sections (WavLM).

    Returns
    -------
    Settings or None
        None if there are none.

    Raises
    ------
    MissingSetting
        A fine-tuned model comes without the settings of its encoder.
    """
    rate: int | None = _FAIRSEQ_RATE
    if isinstance(model := stored.get("model_cfg"), Mapping):
        place, task = "model_cfg", stored.get("task_cfg")
    elif isinstance(cfg := stored.get("cfg"), Mapping) and isinstance(
        model := cfg.get("model"), Mapping
    ):
        place, task = "cfg.model", cfg.get("task")
    elif isinstance(model := stored.get("cfg"), Mapping):
        place, task, rate = "cfg", model, None
    elif isinstance(model := stored.get("args"), Mapping):
        place, task = "args", model
    else:
        return None
    tasks = [task] if isinstance(task, Mapping) else []
    fine_tuned = "w2v_args" in model
    if fine_tuned:
        inner = model["w2v_args"]
        place += ".w2v_args"
        if not isinstance(inner, Mapping):
            raise MissingSetting(place)
        nested = isinstance(inner.get("model"), Mapping)
        model, task = (inner["model"], inner.get("task")) if nested else (inner, inner)
        place += ".model" if nested else ""
        tasks += [task] if isinstance(task, Mapping) else []
    return Settings(model, place, tuple(tasks), rate, fine_tuned)


def shown(value: Any) -> str:
    """Return a value as messages show it: printable, on one line, and not too long."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _evaluated(text: Any) -> list[tuple[int, int, int]]:
    """Return the layers that an expression stands for; it is parsed and never run."""
    if not isinstance(text, str) or not _EXPRESSION.fullmatch(text):
        raise ValueError
    try:
        layers = _value(ast.parse(text.strip(), mode="eval").body)
    except SyntaxError:
        raise ValueError from None
    if not isinstance(layers, list) or not layers:
        raise ValueError
    for layer in layers:
        if not (isinstance(layer, tuple) and len(layer) == 3 and all(map(_is_whole, layer))):
            raise ValueError
    return layers


def _value(node: ast.expr) -> Any:
    """Return the value of a list, a tuple, a whole number, a sum of lists or a repeated list."""
    match node:
        case ast.Constant(value=int() as number):
            return number
        case ast.Tuple(elts=elements):
            return tuple(_value(element) for element in elements)
        case ast.List(elts=elements):
            return [_value(element) for element in elements]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _put_together(_value(left), _value(right))
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _repeated(_value(left), _value(right))
    raise ValueError


def _put_together(first: Any, second: Any) -> list[Any]:
    """Return one list after the other."""
    if not isinstance(first, list) or not isinstance(second, list):
        raise ValueError
    if len(first) + len(second) > _MOST_LAYERS:
        raise ValueError
    return first + second


def _repeated(layers: Any, times: Any) -> list[Any]:
    """Return a list so many times, whichever of both is the number."""
    if isinstance(layers, int):
        layers, times = times, layers
    if not isinstance(layers, list) or not isinstance(times, int):
        raise ValueError
    if len(layers) * times > _MOST_LAYERS:
        raise ValueError
    return layers * times

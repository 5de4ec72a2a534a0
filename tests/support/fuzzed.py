"""Damage what others write in many ways, and hold the reader to a result or one clear line.

`make fuzz` tries many thousand cases; the ordinary tests try a few of each kind, always the same.
"""

import copy
import json
import os
import warnings
from collections.abc import Callable
from typing import Any

import yaml
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from assonance.errors import AssonanceError, AssonanceWarning

CASES = int(os.environ.get("ASSONANCE_FUZZ", "0"))  # of each kind
FEW = 25

fuzz = settings(
    max_examples=CASES or FEW,
    derandomize=not CASES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

# Values that people and programs write where another was meant.
ODD = st.one_of(
    st.sampled_from(
        [
            *(None, True, False, "", " ", [], {}, [[]], {"a": {}}, 0, -1, 1, 0.5, 2**31, 2**63),
            *(10**30, 10**400, -0.0, 1e308, float("nan"), float("inf"), "nan", "1e400", "0x10"),
            *("\x00", "a\x00b", "two\nlines", "\x1b[2J", "\x9b31m", "\u202e", "\ud800", "\ufeff"),
            *("../../etc/passwd", "/dev/zero", "x" * 5000, "<script>alert(1)</script>", "=1+1"),
            *(
                "{}",
                "${HOME}",
                "$(id)",
                "a\tb",
                "ａ",
                "é",
                "e\u0301",
                "١",
                "true",
                "null",
                "~",
                "'",
            ),
        ]
    ),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
)


def read_or_refused(read: Callable[[], Any]) -> Any:
    """Return what is read, or None if it is refused in one clear line; nothing else may happen."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", AssonanceWarning)
            return read()
    except AssonanceError as error:
        line = str(error)
        assert line.isprintable()
        assert 8 < len(line) < 5000
        return None


@st.composite
def damaged_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Flip, cut, repeat, remove or insert a few stretches of a file."""
    result = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(result)))
        end = min(len(result), start + draw(st.sampled_from([1, 1, 1, 2, 4, 8, 64, 4096])))
        kind = draw(st.sampled_from(["flip", "set", "cut", "remove", "repeat", "insert"]))
        if kind == "flip" and start < len(result):
            result[start] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set":
            value = draw(st.sampled_from([b"\0", b"\x7f", b"\x80", b"\xff"]))
            result[start:end] = value * (end - start)
        elif kind == "cut":
            del result[start:]
        elif kind == "remove":
            del result[start:end]
        elif kind == "repeat":
            result[start:start] = result[start:end]
        elif kind == "insert":
            result[start:start] = draw(st.binary(min_size=1, max_size=8))
    return bytes(result)


@st.composite
def damaged_values(draw: st.DrawFn, content: Any) -> Any:
    """Replace, remove, rename or repeat a few values of nested mappings and lists."""
    result = copy.deepcopy(content)
    for _ in range(draw(st.integers(1, 3))):
        places = [*_places(result)]
        if not places:
            return draw(ODD)
        inside, key = draw(st.sampled_from(places))
        kind = draw(st.sampled_from(["replace", "replace", "remove", "rename", "repeat"]))
        if kind == "replace":
            inside[key] = draw(ODD)
        elif kind == "remove":
            del inside[key]
        elif kind == "rename" and isinstance(inside, dict):
            inside[draw(st.text(max_size=8))] = inside.pop(key)
        elif isinstance(inside, list):
            inside.append(copy.deepcopy(inside[key]))
        else:
            inside[f"{key} "] = copy.deepcopy(inside[key])
    return result


def _places(value: Any) -> Any:
    """Yield every place in nested values: what holds it, and its key there."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in [*pairs]:
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def damaged_json(content: Any) -> st.SearchStrategy[bytes]:
    """Damage the values of JSON, or its bytes."""
    return st.one_of(
        damaged_values(content).map(lambda value: json.dumps(value).encode()),
        damaged_bytes(json.dumps(content).encode()),
    )


def damaged_yaml(content: Any) -> st.SearchStrategy[bytes]:
    """Damage the values of YAML, or its bytes."""
    text = yaml.safe_dump(content).encode()
    return st.one_of(damaged_values(content).map(_as_yaml), damaged_bytes(text))


def _as_yaml(value: Any) -> bytes:
    return yaml.safe_dump(value).encode("utf-8", "backslashreplace")


@st.composite
def damaged_table(draw: st.DrawFn, rows: list[list[str]], between: str) -> bytes:
    """Damage the cells of a table of text, or its bytes."""
    if draw(st.booleans()):
        rows = draw(damaged_values(rows))
    lines = rows if isinstance(rows, list) else [rows]
    cells = [row if isinstance(row, list) else [row] for row in lines]
    text = "\n".join(between.join(map(str, row)) for row in cells)
    content = text.encode("utf-8", "backslashreplace")
    return draw(damaged_bytes(content)) if draw(st.booleans()) else content

"""YAML of others: plain values, or one line, before time or memory is taken."""

import os

import pytest

from assonance.errors import AssonanceError
from assonance.utils.yaml_files import read_yaml

DAMAGED = {
    "not closed": "a: [",
    "a tab": "a:\n\t- b",
    "two documents": "a: 1\n---\nb: 2",
    "a tag of Python": "!!python/object/apply:os.system [echo]",
    "an unknown tag": "!thing a",
    "a number that is none": "!!int abc",
    "a float that is none": "!!float abc",
    "a number too long": "9" * 5000,
    "a day that is none": "2024-13-45",
    "an hour that is none": "2024-01-01 25:61:61",
    "bytes that are none": "!!binary á",
    "a mapping as a key": "? {a: b}\n: c",
    "a list as a key": "[a]: b",
    "a merge of a text": "<<: text",
    "a set with a list": "!!set {? [a]}",
    "pairs that are none": "!!omap [a]",
    "an unknown alias": "a: *nothing",
    "a value in itself": "&a [*a]",
    "a mapping in itself": "&a {b: *a}",
    "an anchor twice in a key": "&a {? *a : b}",
    "a zero byte": "a: \0",
    "an escape code": "a: \x1b[31m",
    "bytes that are not UTF-8": b"a: \xff\xfe\xfa",
    "half of UTF-16": b"\xff\xfea",
    "a key twice": "a: 1\na: 2",
    "a version of the future": "%YAML 9.9\n--- a",
    "a wrong escape": '"\\x"',
    "a bad directive": "%TAG ! \n--- a",
    "a NaN that is none": "!!bool maybe",
}
BOMBS = {
    "aliases": "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "\n".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ),
    "keys": "{" + ", ".join(f"k{number}: 1" for number in range(60_000)) + "}",
    "merges": "a: &a {b: 1}\nc:\n  <<: [" + ", ".join(["*a"] * 30_000) + "]",
    "depth": "[" * 5000,
    "depth in blocks": "\n".join(" " * depth + "a:" for depth in range(100)),
    "bytes": "a: " + "x" * 2**20,
}


def written(tmp_path, content):
    path = tmp_path / "card.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("content", [*DAMAGED.values(), *BOMBS.values()], ids=[*DAMAGED, *BOMBS])
def test_what_is_no_plain_yaml_is_refused_in_one_line(tmp_path, content):
    with pytest.raises(
        AssonanceError, match=r"card\.yaml: (is not YAML|cannot be read): "
    ) as caught:
        read_yaml(written(tmp_path, content))
    assert str(caught.value).isprintable()


def test_plain_values_are_read(tmp_path):
    text = 'a: [1, 2.5, true, null, "\\e[31m"]\nb: &b {c: d}\ne: [*b, *b]\nf: {<<: *b, g: h}'
    assert read_yaml(written(tmp_path, text)) == {
        "a": [1, 2.5, True, None, "\x1b[31m"],
        "b": {"c": "d"},
        "e": [{"c": "d"}, {"c": "d"}],
        "f": {"c": "d", "g": "h"},
    }
    assert read_yaml(written(tmp_path, "")) is None


def test_a_long_list_of_claims_is_read(tmp_path):
    text = "\n".join(
        f"claim {number}: {{says: it, plus: [a], minus: [b]}}" for number in range(500)
    )
    assert len(read_yaml(written(tmp_path, text))) == 500


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "none", tmp_path / ("x" * 5000)):
        with pytest.raises(AssonanceError, match="cannot be read"):
            read_yaml(path)

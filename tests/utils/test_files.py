"""Files are whole or not there, and together or not at all."""

import contextlib
import errno
import os
from pathlib import Path

import pytest

from assonance import AssonanceError
from assonance.utils.files import (
    finish_replacing,
    replace_together,
    write_text,
    write_together,
)


def test_files_appear_together_or_not_at_all(tmp_path):
    (tmp_path / "one").write_text("before")
    (tmp_path / "two").mkdir()  # in the way
    with pytest.raises(AssonanceError, match=r"two: cannot be written: .*; name another place"):
        write_together({tmp_path / "one": b"after", tmp_path / "two": b"after"})
    assert (tmp_path / "one").read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_without_room_the_need_is_said(tmp_path, monkeypatch, number):
    def full(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AssonanceError, match=r"name: cannot be written: .*; it needs 4 bytes"):
        write_text(tmp_path / "name", "né!")
    assert not list(tmp_path.iterdir())


class Killed(Exception):  # noqa: N818 - it is no error
    """Stands for a kill."""


@pytest.mark.parametrize("at", range(6))
def test_a_kill_at_any_rename_leaves_all_files_old_or_all_new(tmp_path, monkeypatch, at):
    old = {"one": b"1", "two": b"2", "gone": b"3"}
    new = {"one": b"10", "two": b"20", "three": b"30"}
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    replaced = []

    def killed(one, two, original=Path.replace):
        if len(replaced) == at:
            raise Killed
        replaced.append(two)
        return original(one, two)

    journal = tmp_path / "journal"
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        # A killed process removes nothing either.
        patched.setattr(Path, "unlink", lambda path, missing_ok=False: None)
        with contextlib.suppress(Killed):
            contents = {tmp_path / name: content for name, content in new.items()}
            replace_together(contents, [tmp_path / "gone"], journal)
    finish_replacing(journal)
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".tmp"}
    assert found == (old if at == 0 else new)
    finish_replacing(journal)


@pytest.mark.parametrize(
    "content",
    [b"torn", b"[]", b'{"rename": [["a", "../b"]], "remove": []}', b'{"rename": [], "remove": 3}'],
)
def test_a_journal_that_is_none_is_one_line(tmp_path, content):
    (tmp_path / "journal").write_bytes(content)
    with pytest.raises(AssonanceError, match=r"journal: not a list of files to replace; remove it"):
        finish_replacing(tmp_path / "journal")


def test_without_room_nothing_is_replaced(tmp_path):
    (tmp_path / "one").write_bytes(b"1")
    (tmp_path / "two").mkdir()
    with pytest.raises(AssonanceError, match="cannot be written"):
        replace_together(
            {tmp_path / "one": b"10", tmp_path / "two": b"20"}, [], tmp_path / "journal"
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
    assert (tmp_path / "one").read_bytes() == b"1"

"""Files are whole or not there, and together or not at all."""

import errno
import os

import pytest

from assonance import AssonanceError
from assonance.utils.files import write_text, write_together


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

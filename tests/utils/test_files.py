"""Files written atomically, under safe names."""

import pytest

from assonance import AssonanceError
from assonance.utils.files import put_in_place, slug, write_text


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "deep" / "table.csv"
    with put_in_place(path) as partial:
        partial.write_text("half")
        assert not path.exists()
    assert path.read_text() == "half"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_keeps_the_former_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("former")

    def interrupted():
        with put_in_place(path) as partial:
            partial.write_text("half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        interrupted()
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(AssonanceError, match=r"file.table\.csv: cannot be written"):
        write_text(tmp_path / "file" / "table.csv", "text")


def test_what_utf8_cannot_encode_is_escaped(tmp_path):
    write_text(tmp_path / "note.txt", "caf\u00e9 \udc80")
    assert (tmp_path / "note.txt").read_bytes() == b"caf\xc3\xa9 \\udc80"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("hubert-mini", "hubert-mini"), ("../a b/c:1", ".._a_b_c_1"), ("x" * 80, "x" * 60)],
)
def test_names_become_safe_parts_of_paths(name, expected):
    assert slug(name) == expected

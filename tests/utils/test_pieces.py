"""A piece is whole or absent, and is never taken for another."""

import numpy as np
import pytest

from assonance import AssonanceError
from assonance.utils.pieces import NOWHERE, Piece, Pieces, fingerprint

PIECE = Piece(
    {"a/x": np.arange(6, dtype=np.int32).reshape(2, 3), "a/y": np.array([True, False]), "b": np.pi},
    {"done": 3, "names": ["é\n"]},
)
PIECE = Piece({name: np.asarray(array) for name, array in PIECE.arrays.items()}, PIECE.about)


def check_same(found, expected=PIECE):
    assert found.about == expected.about
    assert list(found.arrays) == list(expected.arrays)
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array, strict=True)


def test_a_piece_is_read_as_it_was_written(tmp_path):
    pieces = Pieces(tmp_path / "new", "inputs")
    name = pieces.name("tile", [1, "a"])
    assert pieces.read(name) is None
    pieces.write(name, PIECE)
    check_same(Pieces(tmp_path / "new", "inputs").read(name))
    assert list(PIECE.under("a/")) == ["x", "y"]


def test_a_piece_that_is_gone_since_is_one_line(tmp_path):
    pieces = Pieces(tmp_path)
    pieces.write("one", PIECE)
    assert pieces.read_again("one").about == PIECE.about
    next(tmp_path.iterdir()).unlink()
    with pytest.raises(AssonanceError, match="one was removed or changed meanwhile"):
        pieces.read_again("one")


def test_a_later_state_replaces_an_earlier(tmp_path):
    pieces = Pieces(tmp_path)
    pieces.write("one", Piece({}, {"done": 1}))
    pieces.write("one", PIECE)
    check_same(pieces.read("one"))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_piece_with_any_byte_changed_or_missing_is_absent(tmp_path):
    pieces = Pieces(tmp_path)
    pieces.write("one", PIECE)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        file.write_bytes(changed)
        assert pieces.read("one") is None
    for length in (0, 10, 40, len(whole) - 1):
        file.write_bytes(whole[:length])
        assert pieces.read("one") is None
    file.write_bytes(whole)
    check_same(pieces.read("one"))


@pytest.mark.parametrize(
    ("made_with", "of"),
    [
        ("other", ([1, 2], np.arange(3), {"a": None})),
        ("inputs", ([1, 3], np.arange(3), {"a": None})),
        ("inputs", ([1, 2], np.arange(4), {"a": None})),
        ("inputs", ([1, 2], np.arange(3).astype(float), {"a": None})),
        ("inputs", ([1, 2], np.arange(3), {"a": 0})),
    ],
)
def test_whatever_determines_a_piece_changes_its_name(made_with, of):
    before = Pieces(None, "inputs").name("tile", [1, 2], np.arange(3), {"a": None})
    assert Pieces(None, "inputs").name("tile", (1, 2), np.arange(3), {"a": None}) == before
    assert Pieces(None, made_with).name("tile", *of) != before


def test_arrays_of_other_shapes_differ_in_their_fingerprint():
    assert fingerprint(np.zeros((2, 3))) != fingerprint(np.zeros((3, 2)))


def test_without_a_folder_nothing_is_kept():
    NOWHERE.write("one", PIECE)
    assert NOWHERE.read("one") is None
    NOWHERE.clear()


def test_pieces_go_when_the_results_are_complete_and_nothing_else_does(tmp_path):
    pieces = Pieces(tmp_path / "pieces")
    pieces.clear()
    pieces.write("one", PIECE)
    (tmp_path / "pieces" / "two.piece.77.tmp").write_bytes(b"of a killed process")
    pieces.clear()
    assert list(tmp_path.iterdir()) == []
    pieces.write("one", PIECE)
    (tmp_path / "pieces" / "mine.txt").write_text("a note")
    pieces.clear()
    assert [each.name for each in (tmp_path / "pieces").iterdir()] == ["mine.txt"]


def test_a_piece_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "pieces").write_text("no folder")
    with pytest.raises(AssonanceError, match=r"pieces.*cannot be written"):
        Pieces(tmp_path / "pieces").write("one", PIECE)

"""TextGrids are read as Praat reads them, whatever wrote them."""

import pytest

from assonance.alignments import Alignments
from assonance.corpus import alignments
from assonance.corpus.textgrid import read_textgrid

RIGHT = [("phones", [(0.0, 0.5, "a"), (0.5, 1.0, "b"), (1.0, 2.0, "")])]


def long_form(start="0", middle="0.5", end="1.0", first="0"):
    lines = [
        *('File type = "ooTextFile"', 'Object class = "TextGrid"', ""),
        *(f"xmin = {first} ", "xmax = 2 ", "tiers? <exists> ", "size = 1 ", "item []: "),
        *("    item [1]:", '        class = "IntervalTier" ', '        name = "phones" '),
        *(f"        xmin = {first} ", "        xmax = 2 ", "        intervals: size = 3 "),
    ]
    spans = ((start, middle, "a"), (middle, end, "b"), (end, "2", ""))
    for number, (begin, finish, label) in enumerate(spans, start=1):
        lines += [
            *(f"        intervals [{number}]:", f"            xmin = {begin} "),
            *(f"            xmax = {finish} ", f'            text = "{label}" '),
        ]
    return "\n".join([*lines, ""])


def short_form(start="0", middle="0.5", end="1.0", first="0"):
    lines = ['File type = "ooTextFile short"', '"TextGrid"', "", first, "2", "<exists>", "1"]
    lines += ['"IntervalTier"', '"phones"', first, "2", "3"]
    for begin, finish, label in ((start, middle, "a"), (middle, end, "b"), (end, "2", "")):
        lines += [begin, finish, f'"{label}"']
    return "\n".join([*lines, ""])


@pytest.fixture
def read(tmp_path):
    def read(content, encoding="utf-8"):
        path = tmp_path / "a.TextGrid"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return read_textgrid(path)

    return read


@pytest.mark.parametrize("form", [long_form, short_form])
@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"middle": "5e-1"},
        {"end": "1e0"},
        {"end": "+1"},
        {"middle": ".5", "end": "1."},
        {"middle": "50%"},
        {"start": "8.881784197001252e-16"},
        {"start": "8.881784197001252e-16", "first": "8.881784197001252e-16"},
        {"start": "-0", "first": "-0"},
    ],
    ids=str,
)
def test_numbers_are_read_in_every_notation(read, form, numbers):
    """After timmahrt/praatIO#34 and tjmahr/readtextgrid#23."""
    ((name, spans),) = read(form(**numbers))
    assert name == "phones"
    for found, expected in zip(spans, RIGHT[0][1], strict=True):
        assert found[:2] == pytest.approx(expected[:2], abs=1e-15)
        assert found[2] == expected[2]


def test_comments_and_points_are_skipped_and_labels_kept_as_they_are(read):
    text = """File type = "ooTextFile"   ! written by hand
        Object class = "TextGrid"  xmin=0 here 0 there 2 tiers? <exists> 2
        "TextTier" "bells" 0 2 1  0.3 "1 <2> ! no comment"
        "IntervalTier" "pho
nes" 0 2 1 0 2 "say ""7"" ! <now>"
    """
    assert read(text) == [("pho\nnes", [(0.0, 2.0, 'say "7" ! <now>')])]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings_of_praat_are_read(read, encoding):
    ((_, spans),) = read(long_form().replace('"b"', '"ä"'), encoding)
    assert [label for *_, label in spans] == ["a", "ä", ""]


def test_a_textgrid_without_tiers_has_none(read):
    assert read('"ooTextFile" "TextGrid" 0 2 <absent>') == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "ends early"),
        ("junk", "ends early"),
        ('"ooTextFile" "Pitch 1" 0 2', "is not a TextGrid"),
        (b"ooBinaryFile\x08TextGrid", "is a binary TextGrid; save it as a text file"),
        (long_form()[:-60], "ends early"),
        (long_form(end="0.2"), "has an interval from 0.5 s to 0.2 s"),
        (long_form(middle="soon"), "has '1.0' where|has 'a' where|has an interval"),
        (long_form(end="1e999"), "has a number that is not finite"),
        (long_form().replace("size = 3", "size = 3.5"), "has 3.5 where a count should be"),
        (long_form().replace("size = 3", "size = 999999999999"), "ends early"),
        (long_form().replace("IntervalTier", "Table"), "unknown kind 'Table'"),
    ],
)
def test_what_cannot_be_read_is_named(read, content, words):
    with pytest.raises(ValueError, match=words):
        read(content)


def test_alignments_are_at_hand_for_python_callers():
    assert Alignments is alignments.Alignments

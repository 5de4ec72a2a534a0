"""Alignments: which spans an utterance has, from TextGrids and CTM files as aligners write them."""

from dataclasses import replace
from pathlib import Path

import pytest

from assonance.corpus import Utterance
from assonance.corpus.alignments import Alignments, Span
from assonance.errors import AssonanceError, UnusableAudio

TAPE = Utterance("tape", Path("tape.wav"), "tape", 100, 1, "PCM_16", 0, 200)
PHONES = ((0, 0.5, ""), (0.5, 0.7, "HH"), (0.7, 1.1, "AY1"), (1.1, 1.5, "sil"), (1.5, 2, "B"))
WORDS = ((0, 0.5, ""), (0.5, 1.1, 'hi "you"'), (1.1, 1.5, ""), (1.5, 2, "ж"))


def textgrid(**tiers):
    """A TextGrid in Praat's long format."""
    lines = [
        *('File type = "ooTextFile"', 'Object class = "TextGrid"', ""),
        *("xmin = 0", "xmax = 2", "tiers? <exists>", f"size = {len(tiers)}", "item []:"),
    ]
    for number, (name, spans) in enumerate(tiers.items(), start=1):
        lines += [
            *(f"    item [{number}]:", '        class = "IntervalTier"'),
            *(f'        name = "{name}"', "        xmin = 0", "        xmax = 2"),
            f"        intervals: size = {len(spans)}",
        ]
        for place, (start, end, label) in enumerate(spans, start=1):
            quoted = label.replace('"', '""')
            lines += [
                *(f"        intervals [{place}]:", f"            xmin = {start}"),
                *(f"            xmax = {end}", f'            text = "{quoted}"'),
            ]
    return "\n".join(lines) + "\n"


def short_textgrid(**tiers):
    """The same in the short format."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", "2", "<exists>"]
    lines.append(str(len(tiers)))
    for name, spans in tiers.items():
        lines += ['"IntervalTier"', f'"{name}"', "0", "2", str(len(spans))]
        for start, end, label in spans:
            quoted = label.replace('"', '""')
            lines += [str(start), str(end), f'"{quoted}"']
    return "\n".join(lines) + "\n"


@pytest.fixture
def grids(tmp_path):
    """Write TextGrids by name and open the folder."""

    def grids(encoding="utf-8", **texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.TextGrid").write_text(text, encoding=encoding)
        return Alignments(tmp_path)

    return grids


def labels(spans):
    return [each.label for each in spans]


@pytest.mark.parametrize("written", [textgrid, short_textgrid])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_textgrids_of_either_format_and_encoding_give_phones_and_words(grids, written, encoding):
    found = grids(encoding, tape=written(words=WORDS, phones=PHONES))
    assert found.spans(TAPE, "phone") == [Span(*each) for each in PHONES if each[2]]
    assert found.spans(TAPE, "word") == [Span(*each) for each in WORDS if each[2]]


def test_silence_is_what_aligners_label_so():
    for label in ("sil", "SIL", "sp", "<eps>", "SIL_B", "sil_S", "h#", "pau", "<p:>"):
        assert Span(0, 1, label).silent, label
    for label in ("s", "spn", "AH0", "noise", "B_B", "p", "silence's"):
        assert not Span(0, 1, label).silent, label


def test_where_somebody_speaks_are_the_phones_or_else_the_words(grids):
    assert labels(grids(tape=textgrid(phones=PHONES)).spoken(TAPE)) == ["HH", "AY1", "B"]
    assert labels(grids(tape=textgrid(words=WORDS)).spoken(TAPE)) == ['hi "you"', "ж"]


def test_a_segment_has_the_spans_of_its_recording_whose_middle_lies_in_it(grids):
    found = grids(tape=textgrid(phones=PHONES))
    part = replace(TAPE, id="part", first=60, last=130)
    # HH, from 0.5 to 0.7 s, has its middle on the first sample.
    assert labels(found.spans(part, "phone")) == ["HH", "AY1"]
    hh, ay = found.spans(part, "phone")
    assert (hh.start, hh.end) == pytest.approx((-0.1, 0.1))
    assert (ay.start, ay.end) == pytest.approx((0.1, 0.5))


def test_its_own_alignment_comes_before_its_recording_s(grids):
    part = replace(TAPE, id="part", first=100)
    found = grids(
        tape=textgrid(phones=PHONES), part=textgrid(phones=((0, 0.3, "X"), (0.3, 2, "Y")))
    )
    assert found.spans(part, "phone")[0] == Span(0, 0.3, "X")


def test_windows_share_out_the_spans_of_their_utterance(grids):
    found = grids(tape=textgrid(phones=PHONES))
    windows = [
        replace(TAPE, id="a", first=0, last=100, window_of="tape", offset=0.0),
        replace(TAPE, id="b", first=100, last=200, window_of="tape", offset=1.0),
    ]
    assert [labels(found.spans(each, "phone")) for each in windows] == [["HH", "AY1"], ["sil", "B"]]
    assert found.spans(windows[1], "phone")[0].start == pytest.approx(0.1)


@pytest.mark.parametrize("edge", [30, 70, 110, 130])
def test_a_span_whose_middle_is_on_an_edge_is_in_one_window(grids, edge):
    """Middles and offsets that are equal in decimals differ by rounding."""
    middle = edge / 100
    found = grids(
        tape=textgrid(phones=[(middle - width, middle + width, "X") for width in (0.1, 0.3)])
    )
    before = replace(TAPE, id="a", last=edge, window_of="tape", offset=0.0)
    after = replace(TAPE, id="b", first=edge, window_of="tape", offset=edge / 100)
    counts = [len(found.spans(each, "phone")) for each in (before, after)]
    assert counts == [0, 2]


def test_textgrids_are_found_in_folders_by_path_or_by_name(tmp_path):
    for name in ("ann/x", "bo/x", "bo/y"):
        path = tmp_path / f"{name}.TextGrid"
        path.parent.mkdir(exist_ok=True)
        path.write_text(textgrid(phones=((0, 2, name.replace("/", "_")),)))
    found = Alignments(tmp_path)
    for id, label in (("ann/x", "ann_x"), ("bo/x", "bo_x"), ("y", "bo_y"), ("other/y", "bo_y")):
        assert labels(found.spans(replace(TAPE, id=id), "phone")) == [label]
    with pytest.raises(UnusableAudio, match="has no alignment in"):
        found.spans(replace(TAPE, id="x"), "phone")


def test_of_several_tiers_of_a_kind_the_speaker_s_is_taken(grids):
    tiers = {"ann - phones": ((0, 2, "A"),), "bo - phones": ((0, 2, "B"),)}
    found = grids(tape=textgrid(**tiers))
    assert labels(found.spans(replace(TAPE, speaker="bo"), "phone")) == ["B"]
    with pytest.raises(UnusableAudio, match=r"several tiers of phones in .*tape\.TextGrid"):
        found.spans(TAPE, "phone")


def test_a_missing_tier_is_told_with_those_that_are_there(grids):
    with pytest.raises(UnusableAudio, match=r"no tier of words in .*; its tiers: phones"):
        grids(tape=textgrid(phones=PHONES)).spans(TAPE, "word")


@pytest.mark.parametrize("text", ["", "junk", textgrid(phones=PHONES)[:300], "\0" * 100])
def test_a_damaged_textgrid_costs_its_utterance_alone(grids, text):
    found = grids(tape=text, other=textgrid(phones=PHONES))
    with pytest.raises(UnusableAudio, match=r"alignment that cannot be read, .*tape|no tier of"):
        found.spans(TAPE, "phone")
    assert found.spans(replace(TAPE, id="other"), "phone")


CTM = "tape 1 0.50 0.20 HH_B\ntape 1 0.70 0.40 AY1_E 0.99\n;; a comment\ntape 1 1.10 0.40 SIL\n"


def test_a_ctm_file_gives_spans_in_order_of_time(tmp_path):
    (tmp_path / "any.ctm").write_text(CTM + "tape 1 0.00 0.50 sil\n")
    for path in (tmp_path / "any.ctm", tmp_path):
        found = Alignments(path).spans(TAPE, "phone")
        assert labels(found) == ["sil", "HH_B", "AY1_E", "SIL"]
        assert found[2] == Span(0.7, pytest.approx(1.1), "AY1_E")
        assert labels(Alignments(path).spoken(TAPE)) == ["HH_B", "AY1_E"]


def test_ctm_files_in_a_folder_are_told_apart_by_name(tmp_path):
    (tmp_path / "phones.ctm").write_text(CTM)
    (tmp_path / "words.ctm").write_text("tape 1 0.5 0.6 hi\n")
    found = Alignments(tmp_path)
    assert labels(found.spans(TAPE, "word")) == ["hi"]
    assert len(found.spans(TAPE, "phone")) == 3
    (tmp_path / "phones.ctm").unlink()
    with pytest.raises(AssonanceError, match="no CTM, or several, with 'phone' in the name"):
        Alignments(tmp_path).spans(TAPE, "phone")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tape 1 0.5 0.2\n", "line 1: not a name, channel"),
        ("tape 1 a b c\n", "line 1: not a name, channel"),
        ("tape 1 0.5 -0.2 x\n", "line 1: not a name, channel"),
        ("tape 1 nan 0.2 x\n", "line 1: not a name, channel"),
        ("tape A 0 1 x\ntape B 0 1 y\n", "line 2: a second channel of tape"),
    ],
)
def test_a_malformed_ctm_is_refused_by_line(tmp_path, text, words):
    (tmp_path / "a.ctm").write_text(text)
    with pytest.raises(AssonanceError, match=rf"a\.ctm, {words}"):
        Alignments(tmp_path / "a.ctm").spans(TAPE, "phone")


def test_a_path_without_alignments_is_refused_by_name(tmp_path):
    with pytest.raises(AssonanceError, match="gone: no such alignments"):
        Alignments(tmp_path / "gone")
    with pytest.raises(AssonanceError, match=r"holds no \.TextGrid and no \.ctm"):
        Alignments(tmp_path)
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(AssonanceError, match=r"a\.txt: neither a folder of TextGrids nor"):
        Alignments(tmp_path / "a.txt")

"""Segments of files, as manifests name them: what is read, and what is left out."""

import json
import time

import numpy as np
import pytest
import soundfile
from signals import voice
from speech_files import ids, reasons, write

from assonance.activations.extraction import stop_at_left_out
from assonance.corpus import Corpus
from assonance.corpus.check import check
from assonance.errors import AssonanceError


def opened(folder, *rows, columns="path,start,end"):
    (folder / "list.csv").write_text("\n".join([columns, *rows]) + "\n")
    return Corpus.from_path(folder / "list.csv")


def test_a_segment_is_the_samples_between_its_start_and_end(tmp_path):
    write(tmp_path / "a.wav", seconds=2)
    first, second, third = opened(tmp_path, "a.wav,0.25,0.5", "a.wav,0.5,", "a.wav,,0.25")
    whole, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    np.testing.assert_array_equal(first.read(16000), whole[4000:8000])
    np.testing.assert_array_equal(second.read(16000), whole[8000:])
    np.testing.assert_array_equal(third.read(16000), whole[:4000])
    assert (first.start, first.duration) == (0.25, 0.25)


def test_a_start_that_rounds_to_the_file_s_is_the_file_s(tmp_path):
    write(tmp_path / "a.wav", seconds=1)
    (utterance,) = opened(tmp_path, "a.wav,-1e-9,0.5")
    assert (utterance.first, utterance.last) == (0, 8000)


def test_segments_are_named_after_their_file_and_times_and_share_its_recording(tmp_path):
    write(tmp_path / "in" / "a.wav", seconds=2)
    corpus = opened(tmp_path, "in/a.wav,0.25,0.5", "in/a.wav,1,2.000")
    assert ids(corpus) == ["in/a:0.250-0.500", "in/a:1.000-2.000"]
    assert {each.recording for each in corpus} == {"in/a"}


def test_a_manifest_may_name_the_recording_that_files_were_cut_from(tmp_path):
    for name in ("a.wav", "b.wav"):
        write(tmp_path / name)
    corpus = opened(tmp_path, "a.wav,tape", "b.wav,tape", columns="path,recording")
    assert {each.recording for each in corpus} == {"tape"}


def test_one_channel_of_a_file_can_be_a_segment_of_its_own(tmp_path):
    left, right = voice(0.2, seed=1), voice(0.2, seed=2)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 16000, subtype="FLOAT")
    rows = ("a.wav,l,0", "a.wav,r,1", "a.wav,none,2")
    corpus = opened(tmp_path, *rows, columns="path,id,channel")
    for utterance, expected in zip(corpus, (left, right), strict=True):
        np.testing.assert_array_equal(utterance.read(16000), expected)
    assert reasons(corpus)["none"] == "has no channel 2: it has 2, and the first is channel 0"


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        ("0.8,0.2", "ends at 0.2 s, not after it starts, at 0.8 s"),
        ("0.5,0.5", "ends at 0.5 s, not after it starts"),
        ("-1,0.5", "starts before its file does, at -1 s"),
        ("0.5,9", "ends at 9 s, past its file's end at 1.000 s"),
        ("5,", "not after it starts, at 5 s"),
        ("nan,1", "start and end must be finite seconds"),
        ("0,inf", "start and end must be finite seconds"),
        ("0.50000,0.50001", "less than a sample"),
    ],
)
def test_a_segment_that_cannot_be_is_left_out_alone(tmp_path, span, reason):
    write(tmp_path / "a.wav", seconds=1)
    corpus = opened(tmp_path, f"a.wav,{span},bad", "a.wav,0,1,good", columns="path,start,end,id")
    assert ids(corpus) == ["good"]
    assert reason in reasons(corpus)["bad"]


def test_an_end_rounded_past_the_file_s_is_the_file_s(tmp_path):
    write(tmp_path / "a.wav", seconds=1)
    (utterance,) = opened(tmp_path, "a.wav,0.5,1.01")
    assert len(utterance.read(16000)) == 8000


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"start": "soon"}, "line 1: start 'soon' is not a number; give it in seconds"),
        ({"end": "1:30"}, "line 1: end '1:30' is not a number; give it in seconds"),
        ({"channel": "left"}, "line 1: channel 'left' is not a whole number"),
    ],
)
def test_times_and_channels_that_are_no_numbers_are_refused_by_line(tmp_path, row, words):
    write(tmp_path / "a.wav")
    (tmp_path / "l.jsonl").write_text(json.dumps({"path": "a.wav", **row}))
    with pytest.raises(AssonanceError, match=r"l\.jsonl, ") as caught:
        Corpus.from_path(tmp_path / "l.jsonl")
    assert words in str(caught.value)


def test_all_repeated_ids_are_counted_and_the_first_named(tmp_path):
    write(tmp_path / "a.wav", seconds=1)
    rows = [f"a.wav,{number / 10},1,x" for number in range(4)]
    with pytest.raises(AssonanceError, match=r"line 3: .*the id 'x', as have 2 more lines"):
        opened(tmp_path, *rows, columns="path,start,end,id")


def test_segments_are_told_apart_in_fingerprints_and_change_with_the_file(tmp_path):
    write(tmp_path / "a.wav", seconds=1)
    rows = ("a.wav,0,0.5", "a.wav,0.5,1")
    first, second = (each.fingerprint() for each in opened(tmp_path, *rows))
    assert first != second
    assert (first, second) == tuple(each.fingerprint() for each in opened(tmp_path, *rows))
    write(tmp_path / "a.wav", seconds=1, seed=2)
    assert first != next(iter(opened(tmp_path, *rows))).fingerprint()


@pytest.mark.slow
def test_a_manifest_of_100_000_segments_opens_in_seconds(tmp_path):
    for number in range(10):
        write(tmp_path / f"{number}.wav", seconds=1, rate=100_000)
    rows = (
        f"{k % 10}.wav,{k // 10 * 1e-4:.4f},{k // 10 * 1e-4 + 1e-4:.4f}" for k in range(100_000)
    )
    started = time.process_time()
    # Not whole milliseconds: the times name the segments, so that they need ids.
    corpus = opened(
        tmp_path, *(f"{row},{k}" for k, row in enumerate(rows)), columns="path,start,end,id"
    )
    assert len(corpus) == 100_000
    assert time.process_time() - started < 20


def test_a_csv_manifest_gives_order_ids_and_what_is_known(tmp_path):
    for name in ("a.wav", "b.wav"):
        write(tmp_path / "audio" / name)
    manifest = tmp_path / "list.csv"
    manifest.write_text(
        "id,path,speaker,language,text,ignored\n"
        'second,audio/b.wav,Allison,en,"hello, ""you""\nthere",x\n'
        ",audio/a.wav,,,,\n",
        encoding="utf-8-sig",
    )
    corpus = Corpus.from_path(manifest)
    second, first = corpus
    assert (corpus.name, ids(corpus)) == ("list", ["second", "audio/a"])
    assert (second.speaker, second.language) == ("Allison", "en")
    assert second.text == 'hello, "you"\nthere'
    assert (first.speaker, first.language, first.text) == (None, None, None)
    assert first.path == tmp_path / "audio" / "a.wav"


def test_a_jsonl_manifest_says_the_same(tmp_path):
    write(tmp_path / "a.wav")
    row = {"path": str(tmp_path / "a.wav"), "id": 7, "speaker": "Ж", "text": None}
    (tmp_path / "list.jsonl").write_text(f"\n{json.dumps(row)}\n\n", encoding="utf-8")
    (utterance,) = Corpus.from_path(tmp_path / "list.jsonl")
    assert (utterance.id, utterance.speaker, utterance.text) == ("7", "Ж", None)


def test_a_manifest_in_a_folder_is_used_in_its_stead(tmp_path):
    for name in ("a.wav", "b.wav"):
        write(tmp_path / name)
    (tmp_path / "manifest.csv").write_text("path\nb.wav\n")
    corpus = Corpus.from_path(tmp_path)
    assert (corpus.name, ids(corpus)) == (tmp_path.name, ["b"])


def test_a_file_that_a_manifest_names_and_is_not_there_is_left_out(tmp_path):
    write(tmp_path / "a.wav")
    (tmp_path / "list.csv").write_text("path\na.wav\ngone.wav\n")
    (left_out,) = Corpus.from_path(tmp_path / "list.csv").left_out
    assert (left_out.id, left_out.reason) == ("gone", "there is no such file")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("l.csv", "file\na.wav\n", "no column named path"),
        ("l.csv", "", "no column named path"),
        ("l.csv", "path\n", "lists no utterances"),
        ("l.csv", "path,id\n,x\n", "line 2: no path"),
        ("l.csv", "path,text\na.wav,one, two\n", "line 2: more cells than columns"),
        ("l.csv", 'path\n"a.wav', "not valid CSV after line 1"),
        ("l.csv", "path,id\na.wav,x\nb.wav,x\n", "line 3: a second utterance with the id 'x'"),
        ("l.csv", "path\na.wav\na.wav\n", "line 3: a second utterance"),
        ("l.csv", b"path\n\xff.wav\n", "cannot be read as UTF-8"),
        ("l.jsonl", "{oh}\n", "line 1: not JSON"),
        ("l.jsonl", '{"path": "\\ud800.wav"}\n', "line 1: holds half of a surrogate pair"),
        ("l.jsonl", "[" * 100_000, "line 1: not JSON"),
        ("l.jsonl", '"a.wav"\n', "line 1: not a JSON object"),
        ("l.jsonl", '{"file": "a.wav"}\n', "line 1: no path"),
    ],
)
def test_a_malformed_manifest_is_refused_by_name_in_one_line(tmp_path, name, content, words):
    write(tmp_path / "a.wav")
    write(tmp_path / "b.wav")
    raw = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(AssonanceError) as caught:
        Corpus.from_path(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


BOTH = [("a.wav", 0.5, 1.0, "s1"), ("b.wav", 2.0, 1.0, "s2")]


def said_of(corpus):
    return [(each.path.name, each.start, each.duration, each.speaker) for each in corpus]


@pytest.mark.parametrize(
    "text",
    [
        "path,start,end,speaker\na.wav,0.5,1.5,s1\nb.wav,2.0,3.0,s2\n",
        "path, start, end, speaker\na.wav, 0.5, 1.5, s1\nb.wav, 2.0, 3.0, s2\n",
        "path ,start ,end ,speaker \na.wav ,0.5 ,1.5 ,s1 \nb.wav ,2.0 ,3.0 ,s2 \n",
        'Path,START,End,Speaker,snr\na.wav,0.5,1.5,s1,20\nb.wav,2.0,3.0, "s2",15\n',
    ],
)
def test_a_header_typed_by_hand_is_read(tmp_path, text):
    """After PolicyEngine/policyengine-taxsim#418 and d3/d3#978."""
    for name in ("a.wav", "b.wav"):
        write(tmp_path / name, seconds=4)
    (tmp_path / "list.csv").write_text(text)
    assert said_of(Corpus.from_path(tmp_path / "list.csv")) == BOTH
    rows = [{"Path": name, " start": start, "END": start + 1} for name, start, _, _ in BOTH]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert said_of(Corpus.from_path(tmp_path / "list.jsonl")) == [
        (*each[:3], None) for each in BOTH
    ]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("path,start_time,end_time", "columns 'start_time' and 'end_time'; rename to 'start' and"),
        ("path,start,End Time", "column 'End Time'; rename to 'end'"),
        ("path,strat,end", "column 'strat'; rename to 'start'"),
        ("path,offset,duration", "column 'offset'; rename to 'start'"),
        ("path,start,duration", "column 'duration' and read to the end of each file"),
        ("path,start,speaker-id", "column 'speaker-id'; rename to 'speaker'"),
        ("path,start,start", "2 columns are named start"),
        ("path,Start,start", "2 columns are named start"),
    ],
)
def test_a_column_nearly_named_like_one_that_is_read_is_refused(tmp_path, columns, words):
    write(tmp_path / "a.wav", seconds=2)
    with pytest.raises(AssonanceError, match=r"list\.csv: ") as caught:
        opened(tmp_path, "a.wav,0.5,1.5", columns=columns)
    assert words in str(caught.value)
    names = columns.split(",")
    if len(set(names)) == len(names):
        (tmp_path / "list.jsonl").write_text(
            json.dumps(dict.fromkeys(names[1:], 1) | {"path": "a.wav"})
        )
        with pytest.raises(AssonanceError):
            Corpus.from_path(tmp_path / "list.jsonl")


@pytest.mark.parametrize(
    "columns",
    ["path,snr,idx", "path,channels,duration", "path,speaker,speaker_id", "path,gender,transcript"],
)
def test_columns_of_the_user_s_own_are_ignored(tmp_path, columns):
    write(tmp_path / "a.wav", seconds=2)
    (utterance,) = opened(tmp_path, "a.wav,2,1", columns=columns)
    assert utterance.duration == 2


@pytest.mark.parametrize("column", ["speaker", "text", "language", "id", "start", "end", "channel"])
@pytest.mark.parametrize("nothing", [None, float("nan"), ""])
def test_a_missing_value_is_no_name(tmp_path, column, nothing):
    """After lhotse-speech/lhotse#969 and alexenge/hu-neuro-pipeline#101."""
    write(tmp_path / "a.wav", seconds=2)
    expected = Corpus.from_path(tmp_path)
    (tmp_path / "l.jsonl").write_text(json.dumps({"path": "a.wav", column: nothing}))
    assert Corpus.from_path(tmp_path / "l.jsonl").utterances == expected.utterances


def test_whole_numbers_in_tables_with_gaps_are_whole_numbers(tmp_path):
    write(tmp_path / "a.wav")
    rows = [
        {"path": "a.wav", "id": 1.0, "speaker": 12.0},
        {"path": "a.wav", "id": 2, "speaker": 12},
    ]
    (tmp_path / "l.jsonl").write_text("\n".join(map(json.dumps, rows)))
    corpus = Corpus.from_path(tmp_path / "l.jsonl")
    assert (ids(corpus), corpus.speakers) == (["1", "2"], ("12",))
    assert len(opened(tmp_path, "a.wav,0.0", columns="path,channel")) == 1


def test_a_name_that_looks_like_a_missing_value_is_a_name(tmp_path):
    write(tmp_path / "a.wav")
    (tmp_path / "l.jsonl").write_text(json.dumps({"path": "a.wav", "speaker": "Nan"}))
    assert Corpus.from_path(tmp_path / "l.jsonl").speakers == ("Nan",)


@pytest.mark.parametrize("value", [["ann"], {"name": "ann"}, True])
def test_what_is_no_word_is_no_name(tmp_path, value):
    write(tmp_path / "a.wav")
    (tmp_path / "l.jsonl").write_text(json.dumps({"path": "a.wav", "speaker": value}))
    with pytest.raises(AssonanceError, match=r"line 1: speaker: .* neither a word nor a number"):
        Corpus.from_path(tmp_path / "l.jsonl")


@pytest.mark.parametrize("span", ["0.8,0.2", "-1,0.5", "0.5,9"])
def test_a_bad_segment_is_named_wherever_it_is_reported(tmp_path, span):
    write(tmp_path / "a.wav", seconds=1)
    start, end = map(float, span.split(","))
    name = f"a.wav (a:{start:.3f}-{end:.3f})"
    with pytest.raises(AssonanceError) as caught:
        opened(tmp_path, f"a.wav,{span}")
    assert name in str(caught.value)
    corpus = opened(tmp_path, f"a.wav,{span}", "a.wav,0,1")
    assert corpus.left_out[0].shown.endswith(name)
    (error,) = (each for each in check(corpus) if each.severity == "error")
    assert name in error.where[0]
    with pytest.raises(AssonanceError) as caught:
        stop_at_left_out(corpus)
    assert name in str(caught.value)

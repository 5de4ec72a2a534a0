"""Shared rows: the rows that all models have, by time, and their scores."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
from signals import voice

from assonance import AssonanceError, Corpus, compare, load_model, similarity_matrix
from assonance.activations.extraction import extract
from assonance.activations.pooling import ranges_in
from assonance.activations.shared_rows import Pooling, keep_common_utterances, lacking, share_rows
from assonance.activations.unkept import UnkeptStore
from assonance.corpus import LeftOut

FEW = ["maxcorr", "cka"]
# Six short recordings are little speech, which is said.
FEW_FRAMES = pytest.mark.filterwarnings("ignore:.*independent ones:assonance.AssonanceWarning")
# Phones of every prompt, shorter than a frame one of them, and a silence; in seconds.
PHONES = [(0.0, 0.08, "A"), (0.08, 0.085, "B"), (0.085, 0.2, "sil"), (0.2, 0.29, "C")]


@pytest.fixture(scope="module")
def models(checkpoint):
    """One of 20 ms a frame and one of 40 ms."""
    fine = checkpoint("wav2vec2", seed=1)
    return {"fine": fine, "coarse": checkpoint("hubert", conv_stride=(5, 2, 2, 2, 2, 2, 4))}


@pytest.fixture(scope="module")
def extracted(models, speech, tmp_path_factory):
    corpus = Corpus.from_path(speech)
    folder = tmp_path_factory.mktemp("stores")
    return corpus, {
        name: extract(load_model(spec), corpus, folder / name) for name, spec in models.items()
    }


@pytest.fixture
def ctm(tmp_path):
    lines = [
        f"prompt{number} 1 {start} {end - start} {label}"
        for number in range(6)
        for start, end, label in PHONES
    ]
    (tmp_path / "phones.ctm").write_text("\n".join(lines))
    return tmp_path / "phones.ctm"


def brute(store, id, label, spans, by="mean"):
    """Rows of one layer of one utterance, from the definition."""
    frames, times = store.read(id, [label])[label].astype(np.float64), store.times(id)
    rows = []
    for start, end in spans:
        within = (times >= start - 1e-9) & (times < end - 1e-9)
        if by == "centre" or not within.any():
            rows.append(frames[np.abs(times - (start + end) / 2).argmin()])
        else:
            rows.append(frames[within].mean(0))
    return np.array(rows)


def rows_by_id(meeting, name):
    return zip([each.id for each in meeting.speech], meeting.rows[name], strict=True)


def rows_of(meeting, extractions, name, place, label):
    id = meeting.speech.utterances[place].id
    frames = extractions[name].store.read(id, [label])[label]
    rows = meeting.rows[name][place]
    return frames if rows is None else rows.of(frames)


def test_frames_at_other_moments_are_not_called_another_rate(extracted):
    corpus, extractions = extracted
    fine = extractions["fine"]
    later = UnkeptStore(fingerprint={}, layers=fine.store.layers)
    for id in fine.ids:
        later.write(id, {}, fine.store.times(id) + 0.0025, "audio")
    meeting = share_rows(corpus, {"a": fine, "b": replace(fine, store=later)}, Pooling(), "skip")
    (note,) = meeting.notes
    assert note == (
        "the frames of b are at other moments than those of a: each is compared with the one "
        "nearest in time"
    )
    assert all(len(rows) == fine.store.n_frames(id) for id, rows in rows_by_id(meeting, "b"))


def test_frames_at_the_same_times_are_rows_as_they_are(extracted):
    corpus, extractions = extracted
    same = {"a": extractions["fine"], "b": extractions["fine"]}
    meeting = share_rows(corpus, same, Pooling(), "skip")
    assert meeting.rows == {"a": (None,) * 6, "b": (None,) * 6}
    assert (meeting.speech, meeting.left_out, meeting.notes) == (corpus, (), ())


def test_the_coarsest_frames_are_the_grid(extracted):
    corpus, extractions = extracted
    meeting = share_rows(corpus, extractions, Pooling(), "skip")
    (note,) = meeting.notes
    assert note.startswith("the frames of fine are averaged onto the coarser frames of coarse")
    for place, utterance in enumerate(corpus):
        grid = extractions["coarse"].store.times(utterance.id)
        own = rows_of(meeting, extractions, "coarse", place, "encoder.1")
        frames = extractions["coarse"].store.read(utterance.id)["encoder.1"]
        np.testing.assert_array_equal(own, frames)
        cells = [(time - 0.02, time + 0.02) for time in grid]
        expected = brute(extractions["fine"].store, utterance.id, "encoder.1", cells)
        found = rows_of(meeting, extractions, "fine", place, "encoder.1")
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pool", ["frame", "phone", "utterance"])
@pytest.mark.parametrize("follower", ["fine", "coarse"])
def test_a_follower_decides_nothing(extracted, ctm, pool, follower):
    corpus, extractions = extracted
    (leader,) = extractions.keys() - {follower}
    pooling = Pooling(pool, "mean", ctm)
    alone = share_rows(corpus, {leader: extractions[leader]}, pooling, "skip")
    both = share_rows(corpus, extractions, pooling, "skip", baselines=[follower])
    assert (both.speech, both.left_out, both.notes) == (alone.speech, (), alone.notes)
    for place in range(len(corpus)):
        own = rows_of(alone, extractions, leader, place, "encoder.1")
        np.testing.assert_array_equal(rows_of(both, extractions, leader, place, "encoder.1"), own)
        assert len(rows_of(both, extractions, follower, place, "encoder.1")) == len(own)


def test_a_follower_without_a_frame_near_lends_its_nearest():
    far = ranges_in(np.array([0.1, 0.12]), np.array([[0.1, 0.13], [0.5, 0.6]]), however_far=True)
    np.testing.assert_array_equal(far, [[0, 2], [1, 2]])


def test_a_follower_that_lacks_speech_of_the_others_is_named(extracted):
    _, extractions = extracted
    lost = LeftOut("prompt1", "prompt1.wav", "too short")
    spoilt = extractions | {"coarse": replace(extractions["coarse"], left_out=(lost,))}
    assert lacking(extractions, ["coarse"]) == {}
    assert lacking(spoilt, ["coarse"]) == {"coarse": lost}
    spoilt["fine"] = replace(extractions["fine"], left_out=(lost,))
    assert lacking(spoilt, ["coarse"]) == {}


@pytest.mark.parametrize("by", ["mean", "centre"])
@pytest.mark.parametrize("skip_silence", [False, True])
def test_phones_are_rows_of_each_model_s_own_frames(extracted, ctm, by, skip_silence):
    corpus, extractions = extracted
    meeting = share_rows(corpus, extractions, Pooling("phone", by, ctm, skip_silence), "skip")
    spans = [each[:2] for each in PHONES if not (skip_silence and each[2] == "sil")]
    for place, utterance in enumerate(corpus):
        for name, extraction in extractions.items():
            expected = brute(extraction.store, utterance.id, "encoder.1", spans, by)
            found = rows_of(meeting, extractions, name, place, "encoder.1")
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_an_utterance_is_a_row_with_or_without_its_silence(extracted, ctm):
    corpus, extractions = extracted
    id = corpus.utterances[3].id
    store = extractions["fine"].store
    frames, times = store.read(id)["encoder.1"], store.times(id)
    for pooling, kept in (
        (Pooling("utterance"), np.ones(len(times), bool)),
        (
            Pooling("utterance", "mean", ctm, True),
            (times < 0.085) | ((times >= 0.2) & (times < 0.29)),
        ),
    ):
        meeting = share_rows(corpus, extractions, pooling, "skip")
        found = rows_of(meeting, extractions, "fine", 3, "encoder.1")
        np.testing.assert_allclose(found, frames[kept].mean(0)[None], rtol=1e-5, atol=1e-6)
    centre = share_rows(corpus, extractions, Pooling("utterance", "centre"), "skip")
    found = rows_of(centre, extractions, "fine", 3, "encoder.1")
    np.testing.assert_array_equal(found, frames[[(len(frames) - 1) // 2]])


def test_frames_of_silence_are_left_out_for_all_models(extracted, ctm):
    corpus, extractions = extracted
    meeting = share_rows(corpus, extractions, Pooling("frame", "mean", ctm, True), "skip")
    for place, utterance in enumerate(corpus):
        grid = extractions["coarse"].store.times(utterance.id)
        spoken = (grid < 0.085) | ((grid >= 0.2) & (grid < 0.29))
        for name in extractions:
            assert len(rows_of(meeting, extractions, name, place, "encoder.1")) == spoken.sum()


def test_rows_beyond_what_a_model_saw_are_dropped_for_all(extracted, tmp_path):
    corpus, extractions = extracted
    lines = [f"prompt{n} 1 {start} 0.05 X" for n in range(6) for start in (0.1, 0.25, 0.5)]
    (tmp_path / "a.ctm").write_text("\n".join(lines))
    # The third begins 0.2 s after the first prompt has ended, and is no phone of it.
    meeting = share_rows(corpus, extractions, Pooling("phone", "mean", tmp_path / "a.ctm"), "skip")
    counts = {name: [len(each) for each in rows] for name, rows in meeting.rows.items()}
    assert counts["fine"] == counts["coarse"]
    assert counts["fine"][0] == 2
    assert counts["fine"][5] == 3


def test_an_utterance_without_an_alignment_is_left_out_or_stops_the_run(extracted, ctm):
    corpus, extractions = extracted
    text = ctm.read_text().splitlines()
    ctm.write_text("\n".join(line for line in text if not line.startswith("prompt2")))
    pooling = Pooling("phone", "mean", ctm)
    meeting = share_rows(corpus, extractions, pooling, "skip")
    (lost,) = meeting.left_out
    assert lost.id == "prompt2"
    assert "has no alignment in" in lost.reason
    assert [each.id for each in meeting.speech] == [f"prompt{n}" for n in (0, 1, 3, 4, 5)]
    with pytest.raises(AssonanceError, match=r"prompt2\.wav: has no alignment"):
        share_rows(corpus, extractions, pooling, "stop")
    ctm.write_text("other 1 0 1 x\n")
    with pytest.raises(AssonanceError, match=r"has no alignment .*no utterance is left"):
        share_rows(corpus, extractions, pooling, "skip")


def test_without_rows_the_utterances_of_all_models_are_kept(extracted):
    corpus, extractions = extracted
    lost = replace(extractions["fine"], left_out=())
    meeting = keep_common_utterances(corpus, {"fine": lost})
    assert (meeting.speech, dict(meeting.rows)) == (corpus, {})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"pool": "syllable"}, "pool 'syllable': not known; choose among frame, phone"),
        ({"by": "max"}, "pool by 'max': not known; choose among mean, centre"),
        ({"pool": "phone"}, "alignments: pooling by phone needs them"),
        ({"skip_silence": True}, "alignments: leaving out silence needs them"),
    ],
)
def test_pooling_that_makes_no_sense_is_refused_in_one_line(wrong, words):
    with pytest.raises(AssonanceError, match=words):
        Pooling(**wrong)


@FEW_FRAMES
def test_scores_of_phones_are_those_of_the_pooled_arrays(extracted, models, speech, ctm, tmp_path):
    corpus, extractions = extracted
    specs = list(models.values())
    how = {"twins": False, "out": tmp_path / "run"}
    found = compare(specs, speech, FEW, pool="phone", alignments=ctm, skip_silence=True, **how)
    spans = [each[:2] for each in PHONES if each[2] != "sil"]
    rows = {
        name: np.concatenate(
            [brute(each.store, one.id, "encoder.2", spans) for one in corpus]
        ).astype(np.float32)
        for name, each in extractions.items()
    }
    expected = similarity_matrix(rows, FEW)
    for name in FEW:
        cell = found.matrix(name, *found.models).sel(layer_row="encoder.2", layer_col="encoder.2")
        value = float(expected[name].sel(layer_row="fine", layer_col="coarse"))
        assert float(cell) == pytest.approx(value, abs=1e-5)
    assert found.provenance.corpus.frames == 3 * len(corpus)
    assert any(
        "each row of the neuron and layer measures is a phone" in n for n in found.provenance.notes
    )
    # Another pooling of the same run computes no activations anew.
    shards = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.safetensors")}
    compare(specs, speech, FEW, pool="utterance", **how)
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.safetensors")}
    assert after == shards


@FEW_FRAMES
def test_labels_enter_no_score(models, speech, ctm):
    specs = list(models.values())
    scores = []
    for _ in range(2):
        scores.append(compare(specs, speech, FEW, twins=False, pool="phone", alignments=ctm).scores)
        ctm.write_text(ctm.read_text().replace(" A", " Q").replace(" C", " A"))
    for name in FEW:
        np.testing.assert_array_equal(scores[0][name], scores[1][name])


def test_windows_have_the_frames_of_the_moments_that_are_theirs(models, tmp_path):
    soundfile.write(tmp_path / "tape.wav", voice(5, seed=3), 16000)
    model = load_model(models["fine"])
    corpus = Corpus.from_path(tmp_path, window=2)
    store = extract(model, corpus, tmp_path / "store").store
    times = [store.times(each.id) + each.offset for each in corpus]
    for each, own in zip(corpus, times, strict=True):
        assert (own >= each.offset).all()
        assert (own < each.offset + each.duration).all()
        samples = each.read(16000, context=True)
        made = model.run(samples).activations["encoder.2"]
        at = model.frame_times(len(samples)) - each.lead
        kept = (at >= 0) & (at < each.duration)
        if each.before == 0:
            kept |= at < 0
        if each.after == 0:
            kept |= at >= each.duration
        np.testing.assert_array_equal(store.read(each.id)["encoder.2"], made[kept])
    together = np.concatenate(times)
    gaps = np.diff(together)
    assert (gaps > 0).all()
    assert gaps.max() < 0.04
    assert len(together) == pytest.approx(model.n_frames(5 * 16000), abs=len(corpus))

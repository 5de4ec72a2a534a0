"""A finished run's activations and speech are found again, or one line says what is missing."""

import shutil

import numpy as np
import pytest
import soundfile
from signals import voice

import assonance
from assonance.comparison import hearing
from assonance.comparison.hearing import find_sound
from assonance.comparison.kept_run import open_kept
from assonance.comparison.moments import OFFSETS, REACH
from assonance.corpus.clips import licence_of
from assonance.errors import AssonanceError
from assonance.tables.neuron_matches import by_similarity

MEASURES = ("maxcorr", "linreg_heldout_r")


@pytest.fixture(scope="module")
def finished(checkpoint, tmp_path_factory):
    """A run of two models on speech that the tests may spoil, and its results."""
    root = tmp_path_factory.mktemp("kept")
    for number in range(5):
        soundfile.write(root / f"p{number}.wav", voice(0.8 + 0.3 * number, seed=number), 16000)
    shutil.copytree(root, root / "speech")
    (root / "speech" / "LICENSE").write_text("CC0")
    models = [checkpoint("wav2vec2", seed=1), checkpoint("hubert", seed=2)]
    found = assonance.compare(
        *(models, root / "speech", MEASURES), out=root / "run", twins=False, uncertainty=False
    )
    found.save(root / "run" / "results.nc")
    return root / "run", found


def test_a_moment_is_the_highest_activation_of_its_utterance(finished):
    run, found = finished
    kept = open_kept(run, found)
    model, layer = found.models[0], found.layers(found.models[0])[1]
    peaks = kept.peaks(model, [layer], 3)[layer]
    store = kept.stores[model]
    everything = np.concatenate([store.read(id)[layer] for id in kept.speech])
    moments = kept.moments(peaks, 4)
    assert [each.level for each in moments] == sorted((m.level for m in moments), reverse=True)
    for moment in moments:
        values = store.read(moment.utterance)[layer][:, 4]
        assert moment.time == store.times(moment.utterance)[values.argmax()]
        level = (values.max() - everything[:, 4].mean()) / everything[:, 4].std()
        assert moment.level == pytest.approx(level, rel=1e-4)


def test_clips_are_of_the_neurons_wanted_and_lie_within_the_stream(finished):
    run, found = finished
    kept = open_kept(run, found)
    wanted = by_similarity(found)
    sound = find_sound(kept, wanted)
    assert list(sound.clips) == [neuron for neuron, _ in wanted]
    assert sound.complete
    assert sound.licence == "CC0" == licence_of(str(run.parent / "speech"))
    for neuron, clips in sound.clips.items():
        assert len({each.moment.utterance for each in clips}) == len(clips) == 3
        for each in clips:
            duration = kept.speech[each.moment.utterance].duration
            assert each.start >= 0
            assert each.start + each.seconds <= sound.seconds + len(kept.speech)
            assert each.lead == pytest.approx(min(each.moment.time, REACH))
            assert each.seconds <= 2 * REACH + 1e-9
            assert each.moment.time - each.lead + each.seconds <= duration + 1e-9
            own = each.traces[""]
            assert np.nanargmax(own) == pytest.approx(len(OFFSETS) // 2, abs=1)
            (other,) = set(each.traces) - {""}
            assert other != neuron[0]


def test_a_page_has_no_more_neurons_or_speech_than_it_can_carry(finished, monkeypatch):
    run, found = finished
    kept, wanted = open_kept(run, found), by_similarity(found)
    monkeypatch.setattr(hearing, "MOST_NEURONS", 8)
    sound = find_sound(kept, wanted)
    assert list(sound.clips) == [neuron for neuron, _ in wanted[:4]]
    assert not sound.complete
    monkeypatch.setattr(hearing, "MOST_SECONDS", 3.6)
    few = find_sound(kept, wanted)
    assert 0 < len(few.clips) < 4
    assert few.seconds <= 3.6


def test_the_words_are_those_of_alignments_or_the_text(finished, tmp_path):
    run, found = finished
    job = run / "config.yaml"
    ctm = tmp_path / "words.ctm"
    ctm.write_text("".join(f"p{k} 1 0.0 0.4 one\np{k} 1 0.4 0.4 two\n" for k in range(5)))
    lines = {"models": ["a"], "audio": "b", "pooling": {"alignments": str(ctm)}}
    job.write_text(str(lines))
    try:
        kept = open_kept(run, found)
        first = next(iter(kept.speech.values()))
        assert [kept.words(first, time) for time in (0.1, 0.5)] == ["one", "two"]
    finally:
        job.unlink()
    assert open_kept(run, found).words(first, 0.1) == ""


def test_what_is_missing_is_one_line(finished, tmp_path):
    run, found = finished
    with pytest.raises(AssonanceError, match=r"has no activations of .*again with --keep"):
        open_kept(tmp_path, found)
    speech = run.parent / "speech"
    hidden = speech.rename(run.parent / "hidden")
    try:
        with pytest.raises(AssonanceError, match="speech of the run is not there"):
            open_kept(run, found)
    finally:
        hidden.rename(speech)


def test_speech_that_has_changed_since_is_not_played(finished):
    run, found = finished
    path = run.parent / "speech" / "p1.wav"
    before = path.read_bytes()
    soundfile.write(path, voice(1.1, seed=99), 16000)
    try:
        with pytest.raises(AssonanceError, match=r"p1\.wav: has changed since the run read it"):
            find_sound(open_kept(run, found), by_similarity(found))
        path.unlink()
        with pytest.raises(AssonanceError, match="4 of the 5 utterances of the run"):
            open_kept(run, found)
    finally:
        path.write_bytes(before)

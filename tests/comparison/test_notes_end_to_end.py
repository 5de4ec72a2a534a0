"""Speech that cannot be used is left out for all models, and every caveat is noted."""

import shutil

import numpy as np
import pytest
import soundfile
from recomputed import measured
from safetensors.torch import load_file, save_file
from signals import voice

from assonance import (
    AssonanceError,
    AssonanceWarning,
    Corpus,
    compare,
    load_model,
    similarity_matrix,
)

FEW = ["maxcorr", "cka"]


@pytest.fixture
def mixed(speech, tmp_path):
    """The speech with one file that no model can use."""
    shutil.copytree(speech, tmp_path / "mixed")
    soundfile.write(tmp_path / "mixed" / "short.wav", np.zeros(100), 16000)
    return tmp_path / "mixed"


def test_a_file_that_cannot_be_used_is_left_out_for_all_and_named(pair, mixed, speech):
    found = compare(pair, mixed, FEW, twins=False)
    (lost,) = found.provenance.left_out
    assert lost.id == "short"
    assert "too short" in lost.reason
    np.testing.assert_array_equal(
        found.scores["cka"], compare(pair, speech, FEW, twins=False).scores["cka"]
    )


def test_a_file_that_cannot_be_used_stops_a_run_that_says_so(pair, mixed):
    with pytest.raises(AssonanceError, match=r"short\.wav: too short.*mend or remove it"):
        compare(pair, mixed, FEW, on_error="stop")


def test_resampling_is_noted(pair, speech, tmp_path):
    shutil.copytree(speech, tmp_path / "rates")
    soundfile.write(tmp_path / "rates" / "slow.wav", voice(0.5, seed=9, rate=8000), 8000)
    notes = compare(pair, tmp_path / "rates", FEW, twins=False).provenance.notes
    assert any("1 of 7 utterances were resampled to the 16000 Hz" in note for note in notes)


def test_frames_on_different_grids_meet_by_time_and_it_is_noted(pair, checkpoint, speech):
    slow = checkpoint("hubert", seed=2, conv_stride=(5, 2, 2, 2, 2, 2, 4))
    found = compare([pair[0], slow], speech, FEW, twins=False)
    fine, coarse = found.models
    note = f"the frames of {fine} are averaged onto the coarser frames of {coarse}, by their times"
    assert note in found.provenance.notes
    models = [load_model(spec) for spec in (pair[0], slow)]
    rows, others = [], []
    for each in Corpus.from_path(speech):
        samples = each.read(16000)
        x, y = (model.run(samples).activations["encoder.2"] for model in models)
        times, grid = (model.frame_times(len(samples)) for model in models)
        assert len(grid) == len(y) < len(x) == len(times)
        # 40 ms about each frame of the grid; half way between two belongs to the later.
        after = (times - grid[:, None] + 0.02).round(6)
        rows += [x[(each >= 0) & (each < 0.04)].mean(0) for each in after]
        others += list(y)
    assert found.provenance.corpus.frames == len(others)
    expected = similarity_matrix({"x": np.stack(rows), "y": np.stack(others)}, FEW)
    for name in FEW:
        value = float(expected[name].sel(layer_row="x", layer_col="y"))
        cell = found.matrix(name, fine, coarse).sel(layer_row="encoder.2", layer_col="encoder.2")
        assert float(cell) == pytest.approx(value, abs=1e-6)


def test_a_constant_neuron_is_nan_alone_and_noted(checkpoint, pair, speech, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(checkpoint("hubert", seed=2), broken)
    weights = load_file(broken / "model.safetensors")
    name = "encoder.layers.1.final_layer_norm"
    for part in ("weight", "bias"):
        weights[f"{name}.{part}"][5] = 0
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.warns(AssonanceWarning, match="1 of 32 neurons are constant"):
        found = compare([broken, pair[0]], speech, FEW, twins=False)
    assert any("broken encoder.2" in note for note in found.provenance.notes)
    neurons = found.neurons["maxcorr"].sel(
        model_row="broken", layer_row="encoder.2", model_col=found.models[1], layer_col="encoder.1"
    )
    assert list(np.flatnonzero(np.isnan(neurons.values))) == [5]
    assert found.scores["maxcorr"].sel(model_row="broken", layer_row="encoder.2").notnull().all()


def test_too_few_frames_are_noted(pair, speech, tmp_path):
    (tmp_path / "little").mkdir()
    shutil.copy(speech / "prompt0.wav", tmp_path / "little")
    shutil.copy(speech / "prompt0.wav", tmp_path / "little" / "again.wav")
    with pytest.warns(AssonanceWarning, match="too few for 32 neurons"):
        compare(pair, tmp_path / "little", ["linreg", "cka"], twins=False)


def test_attention_that_does_not_fit_is_passed_over_and_noted(pair, speech):
    with pytest.warns(AssonanceWarning, match="too long for their attention"):
        found = compare(pair, speech, ["cka", "attn_js"], twins=False, memory=1e-6)
    assert measured(found.scores) == ["cka"]


def test_one_utterance_cannot_be_held_out(pair, speech, tmp_path):
    (tmp_path / "one").mkdir()
    shutil.copy(speech / "prompt5.wav", tmp_path / "one")
    with pytest.raises(AssonanceError, match="needs at least 2 utterances or recordings"):
        compare(pair, tmp_path / "one", ["linreg_heldout"], twins=False)


@pytest.fixture
def choosy(checkpoint):
    """A model on the usual grid that needs a little more for a frame: it may make one fewer."""
    return checkpoint("hubert", seed=4, conv_kernel=(10, 3, 3, 3, 3, 2, 3))


def test_what_one_model_cannot_use_is_left_out_for_all(pair, choosy, speech, tmp_path):
    recordings = shutil.copytree(speech, tmp_path / "recordings")
    # For the one a frame, for the other none.
    soundfile.write(recordings / "tiny.wav", voice(0.026, seed=1), 16000)
    found = compare([pair[0], choosy], recordings, ["cka"], twins=False)
    reasons = {each.id: each.reason for each in found.provenance.left_out}
    assert reasons["tiny"].startswith("too short: 416 samples")
    assert choosy.name in reasons["tiny"]
    assert set(reasons) == {"tiny"}
    without = compare([pair[0], choosy], speech, ["cka"], twins=False)
    assert found.scores.identical(without.scores)
    assert found.provenance.corpus.utterances == 6
    assert found.provenance.corpus.frames == without.provenance.corpus.frames


def test_all_that_is_left_out_is_listed_with_its_reason(pair, speech, tmp_path):
    recordings = shutil.copytree(speech, tmp_path / "recordings")
    (recordings / "empty.wav").write_bytes(b"")
    (recordings / "words.wav").write_text("These are words.")
    spoilt = voice(0.5, seed=1)
    spoilt[77] = np.nan
    soundfile.write(recordings / "nan.wav", spoilt, 16000, subtype="FLOAT")
    found = compare(pair, recordings, FEW, twins=False)
    reasons = {each.path: each.reason for each in found.provenance.left_out}
    assert len(reasons) == len(found.provenance.left_out) == 3
    assert reasons[str(recordings / "empty.wav")] == "is an empty file"
    assert reasons[str(recordings / "words.wav")].startswith("is not audio that can be read")
    assert reasons[str(recordings / "nan.wav")] == "holds samples that are NaN or infinite"
    assert found.scores.identical(compare(pair, speech, FEW, twins=False).scores)


def test_what_was_computed_before_a_stop_is_not_lost(pair, mixed, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(AssonanceError, match="too short"):
        compare(pair, mixed, FEW, out=out, on_error="stop", twins=False)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.safetensors")}
    assert len(before) == 6
    compare(pair, mixed, FEW, out=out, twins=False)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_notes_are_of_models_and_not_of_their_twins(pair, speech, tmp_path):
    recordings = shutil.copytree(speech, tmp_path / "recordings")
    soundfile.write(recordings / "prompt1.wav", voice(0.5, seed=9, rate=8000), 8000)
    found = compare(pair, recordings, FEW)
    assert [note for note in found.provenance.notes if "resampled" in note] == [
        f"1 of 6 utterances were resampled to the 16000 Hz of {name}" for name in found.models
    ]


def test_warnings_are_among_the_notes(pair, speech, tmp_path):
    (tmp_path / "little").mkdir()
    shutil.copy(speech / "prompt0.wav", tmp_path / "little")
    with pytest.warns(AssonanceWarning) as caught:
        found = compare(pair, tmp_path / "little", ["linreg", "attn_js"], twins=False, memory=1e-9)
    assert len(caught) == 3
    assert [str(each.message) for each in caught] == list(found.provenance.notes[:3])
    assert "14 frames are too few" in found.provenance.notes[0]
    assert caught[0].filename == __file__


def test_attention_alone_is_compared_where_frame_rates_differ_and_that_is_said(checkpoint, speech):
    slow = checkpoint("hubert", seed=2, conv_stride=(5, 2, 2, 2, 2, 2, 4))
    with pytest.warns(
        AssonanceWarning, match="frames of the other models, which are fewer"
    ) as told:
        found = compare([checkpoint(), slow], speech, ["attn_js"], twins=False)
    assert str(told[0].message) in found.provenance.notes
    between = found.matrix("attn_js", *found.models)
    assert np.isfinite(between.sel(layer_row="encoder.1", layer_col="encoder.2"))

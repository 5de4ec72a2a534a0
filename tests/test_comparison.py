"""The main job agrees with the plain way of doing it, whatever happens on the way."""

import shutil
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file
from signals import voice

from assonance import (
    AssonanceError,
    AssonanceWarning,
    Corpus,
    compare,
    head_similarity_matrix,
    load_model,
    similarity_matrix,
)
from assonance.inference import localisation_index

OF_FRAMES = ["maxcorr", "linreg", "linreg_heldout", "svcca", "pwcca", "cka", "cka_rbf"]
OF_HEADS = ["attn_frobenius", "attn_pearson", "attn_js"]
FEW = ["maxcorr", "cka"]


class Interruption(Exception):  # noqa: N818 - it is no error
    """Stands for whatever stops a run."""


class Stopping:
    """Progress that stops a run in the stage of a name."""

    def __init__(self, at):
        self.at = at

    @contextmanager
    def stage(self, name, total):
        def advance(units):
            if self.at in name:
                raise Interruption

        yield advance


@pytest.fixture(scope="module")
def pair(checkpoint):
    return [checkpoint("wav2vec2", seed=1), checkpoint("hubert", seed=2)]


@pytest.fixture(scope="module")
def whole(pair, speech):
    return compare(pair, speech)


@pytest.fixture
def mixed(speech, tmp_path):
    """The speech with one file that no model can use."""
    shutil.copytree(speech, tmp_path / "mixed")
    soundfile.write(tmp_path / "mixed" / "short.wav", np.zeros(100), 16000)
    return tmp_path / "mixed"


def activations(spec, speech):
    """Frames of every layer, utterance after utterance, and the utterance of each frame."""
    model = load_model(spec)
    outputs = [model.run(each.read(16000), attention=True) for each in Corpus.from_path(speech)]
    layers = {
        label: np.concatenate([each.activations[label] for each in outputs])
        for label in model.layers
    }
    maps = {label: [each.attentions[label] for each in outputs] for label in model.layers[1:]}
    groups = np.repeat(
        np.arange(len(outputs)), [len(each.activations["encoder.0"]) for each in outputs]
    )
    return layers, maps, groups


def test_scores_are_those_of_the_plain_arrays(pair, speech, whole):
    layers, maps = {}, {}
    for name, spec in zip(whole.models, pair, strict=True):
        frames, attention, groups = activations(spec, speech)
        layers |= {(name, label): values for label, values in frames.items()}
        maps |= {(name, label): values for label, values in attention.items()}
    names = {f"{name}|{label}": (name, label) for name, label in layers}
    plain = similarity_matrix(
        {key: layers[cell] for key, cell in names.items()}, OF_FRAMES, groups=groups
    )
    heads = head_similarity_matrix(
        {key: maps[cell] for key, cell in names.items() if cell in maps}, OF_HEADS
    )
    for expected in (plain, heads):
        for measure in expected.data_vars:
            for row in expected.layer_row.values:
                for col in expected.layer_col.values:
                    cell = dict(
                        zip(
                            ("model_row", "layer_row", "model_col", "layer_col"),
                            (*names[row], *names[col]),
                            strict=True,
                        )
                    )
                    value = float(expected[measure].sel(layer_row=row, layer_col=col))
                    found = float(whole.scores[measure].sel(cell))
                    assert found == pytest.approx(value, abs=1e-9), (measure, row, col)


def test_maxcorr_is_the_best_of_numpy_s_correlations(pair, speech, whole):
    (x, _, _), (y, _, _) = (activations(spec, speech) for spec in pair)
    for label in x:
        table = np.corrcoef(x[label].T, y["encoder.1"].T)[: x[label].shape[1], x[label].shape[1] :]
        found = whole.matrix("maxcorr", *whole.models).sel(layer_row=label, layer_col="encoder.1")
        assert float(found) == pytest.approx(np.abs(table).max(1).mean(), abs=1e-9)


def test_numbers_do_not_depend_on_the_memory_or_the_cores(pair, speech, whole):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        tiny = compare(pair, speech, OF_FRAMES, memory=1e-6)
    finally:
        torch.set_num_threads(threads)
    for name in OF_FRAMES:
        np.testing.assert_array_equal(tiny.scores[name], whole.scores[name])


@pytest.mark.parametrize("at", ["reading speech with random", "comparing layers", "attention"])
def test_an_interrupted_run_ends_with_the_same_bytes(pair, speech, tmp_path, at):
    compare(pair, speech, FEW + OF_HEADS, out=tmp_path / "a").save(tmp_path / "a.nc")
    with pytest.raises(Interruption):
        compare(pair, speech, FEW + OF_HEADS, out=tmp_path / "b", progress=Stopping(at))
    assert list((tmp_path / "b" / "activations").glob("*/*.safetensors"))
    compare(pair, speech, FEW + OF_HEADS, out=tmp_path / "b").save(tmp_path / "b.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


def test_every_model_stands_beside_its_random_twin(whole):
    first, second = whole.models
    twins = [whole.twin(first), whole.twin(second)]
    assert [each.twin_of for each in whole.provenance.models] == [None, None, first, second]
    for row in whole.models:
        for twin in twins:
            assert whole.matrix("cka", row, twin).notnull().all()
    assert whole.matrix("cka", *twins).isnull().all()
    for each in whole.provenance.models:
        assert (each.objective == "none") == (each.twin_of is not None)


def test_twins_can_be_left_out(pair, speech):
    assert compare(pair, speech, FEW, twins=False).scores.sizes["model_row"] == 2


def test_a_model_against_itself_is_numbered_and_alike(pair, speech):
    same = compare([pair[0], pair[0]], speech, ["cka"], twins=False)
    first, second = same.models
    assert second == f"{first} (2)"
    np.testing.assert_allclose(np.diag(same.matrix("cka", first, second)), 1, atol=1e-12)


def test_one_model_alone_is_compared_with_its_own_layers(pair, speech):
    alone = compare(pair[0], speech, FEW, twins=False)
    assert alone.scores["cka"].notnull().all()


def test_only_what_was_asked_for_is_measured(pair, speech):
    assert set(compare(pair, speech, ["attn_js"], twins=False).scores.data_vars) == {"attn_js"}
    assert set(compare(pair, speech, ["cka"], twins=False).scores.data_vars) == {"cka"}


def test_the_consensus_looks_at_other_models_alone(whole):
    a, b = whole.models
    neurons = whole.neurons["maxcorr"].sel(model_row=a, layer_row="encoder.2", model_col=b)
    expected = float(neurons.min("layer_col").mean())
    found = float(whole.scores["mincorr"].sel(model_row=a, layer_row="encoder.2"))
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_localisation_index_is_that_of_the_neurons(whole):
    a, b = whole.models
    cell = {"model_row": a, "layer_row": "encoder.1", "model_col": b, "layer_col": "encoder.2"}
    parts = [
        whole.neurons[name].sel(cell).values.astype(float)
        for name in ("maxcorr", "maxcorr_rotated", "linreg_heldout_r")
    ]
    expected = localisation_index(*parts)
    np.testing.assert_allclose(float(whole.scores["localisation"].sel(cell)), expected, atol=1e-5)
    own = whole.matrix("localisation", a, a)
    assert np.isnan(np.diag(own)).all()


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


def test_frames_on_different_grids_are_refused(pair, checkpoint, speech, tmp_path):
    other = tmp_path / "faster"
    shutil.copytree(checkpoint("hubert", seed=2), other)
    config = (other / "config.json").read_text()
    stride = config.index('"conv_stride"')
    (other / "config.json").write_text(config[:stride] + config[stride:].replace("5,", "4,", 1))
    with pytest.raises(AssonanceError, match=r"different numbers of frames.*one grid"):
        compare([pair[0], other], speech, FEW, twins=False)


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
    with pytest.warns(AssonanceWarning, match="too few for 32 neurons"):
        compare(pair, tmp_path / "little", ["linreg", "cka"], twins=False)


def test_attention_that_does_not_fit_is_passed_over_and_noted(pair, speech):
    with pytest.warns(AssonanceWarning, match="too long for their attention"):
        found = compare(pair, speech, ["cka", "attn_js"], twins=False, memory=1e-6)
    assert set(found.scores.data_vars) == {"cka"}


def test_one_utterance_cannot_be_held_out(pair, speech, tmp_path):
    (tmp_path / "one").mkdir()
    shutil.copy(speech / "prompt5.wav", tmp_path / "one")
    with pytest.raises(AssonanceError, match="need at least 2 utterances"):
        compare(pair, tmp_path / "one", ["linreg_heldout"], twins=False)


def test_no_models_are_refused(speech):
    with pytest.raises(AssonanceError, match="no models"):
        compare([], speech)


def test_models_of_different_depth_are_padded(checkpoint, pair, speech, tmp_path):
    shallow = tmp_path / "shallow"
    shutil.copytree(checkpoint("hubert", seed=2), shallow)
    weights = load_file(shallow / "model.safetensors")
    kept = {key: value for key, value in weights.items() if "encoder.layers.2." not in key}
    save_file(kept, shallow / "model.safetensors", metadata={"format": "pt"})
    config = (shallow / "config.json").read_text()
    (shallow / "config.json").write_text(
        config.replace('"num_hidden_layers": 3', '"num_hidden_layers": 2')
    )
    found = compare([pair[0], shallow], speech, FEW, twins=False)
    assert found.matrix("cka", *found.models).shape == (4, 3)
    assert found.scores["cka"].sel(model_row="shallow", layer_row="encoder.3").isnull().all()

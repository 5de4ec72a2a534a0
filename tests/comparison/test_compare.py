"""The main job agrees with the plain way of doing it, whatever happens on the way."""

import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from importlib.metadata import version
from itertools import combinations

import numpy as np
import oracles
import pytest
import soundfile
import torch
import xarray as xr
from safetensors.torch import load_file, save_file
from signals import voice

import assonance
from assonance import (
    AssonanceError,
    AssonanceWarning,
    Corpus,
    compare,
    head_similarity_matrix,
    load_model,
    similarity_matrix,
)
from assonance.comparison.records import CorpusRecord
from assonance.comparison.result import CELL
from assonance.inference.localisation import localisation_index
from assonance.measures import MEASURES
from assonance.measures.layer_descriptors import DESCRIPTORS
from assonance.report.page import render
from assonance.settings import SETTINGS, Settings
from assonance.tables.heads import head_matches

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


def measured(scores):
    """Names of measures, without what was derived from them or describes a layer by itself."""
    return [name for name in scores.data_vars if name in MEASURES]


def activations(spec, speech):
    """Frames of every layer, utterance after utterance, and the utterance of each frame."""
    model = load_model(spec)
    outputs, maps = [], {label: [] for label in model.layers[1:]}
    for each in Corpus.from_path(speech):
        made = model.run(each.read(16000), attend=lambda label, one: maps[label].append(one))
        outputs.append(made.activations)
    layers = {label: np.concatenate([each[label] for each in outputs]) for label in model.layers}
    groups = np.repeat(np.arange(len(outputs)), [len(each["encoder.0"]) for each in outputs])
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
    # Maps are float32, and compared in it: sums of them are good to a few millionths.
    for expected, error in ((plain, 1e-9), (heads, 3e-6)):
        for measure in measured(expected):
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
                    assert found == pytest.approx(value, abs=error), (measure, row, col)


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
    assert [each.twin_of for each in whole.provenance.models] == [(), (), (first,), (second,), ()]
    for row in whole.models:
        for twin in twins:
            assert whole.matrix("cka", row, twin).notnull().all()
    assert whole.matrix("cka", *twins).isnull().all()
    for each in whole.provenance.models:
        assert (each.objective == "none") == (each.name not in whole.models)


def test_twins_can_be_left_out(pair, speech):
    assert compare(pair, speech, FEW, twins=False).scores.sizes["model_row"] == 2


def test_every_model_stands_beside_log_mel_frames(pair, speech, whole):
    assert whole.baseline == "mel"
    assert whole.baseline not in whole.models
    own = compare(["mel", pair[0]], speech, FEW, twins=False)
    for row in whole.models:
        assert whole.matrix("cka", row, "mel").notnull().all()
        assert whole.intervals["cka"].sel(model_row=row, model_col="mel").notnull().any()
    np.testing.assert_allclose(
        whole.matrix("maxcorr", whole.models[0], "mel"), own.matrix("maxcorr", own.models[1], "mel")
    )
    for twin in map(whole.twin, whole.models):
        assert whole.matrix("cka", twin, "mel").isnull().all()
    assert whole.nulls["cka"].sel(model_col="mel").isnull().all()


def test_log_mel_frames_have_no_heads_to_compare(pair, speech):
    assert compare(pair, speech, ["attn_pearson"]).baseline is None


def test_log_mel_frames_are_compared_once(pair, speech):
    found = compare([*pair, "mel"], speech, ["cka"])
    assert found.baseline is None
    assert [each.name for each in found.provenance.models].count("mel") == 1
    assert found.models[2] == "mel"


@pytest.mark.parametrize("stride", [1, 2], ids=["half the stride of log-mel", "its stride"])
def test_log_mel_frames_change_no_other_number(checkpoint, speech, monkeypatch, stride):
    models = [
        checkpoint(family, conv_stride=(5, 2, 2, 2, 2, 2, stride))
        for family in ("wav2vec2", "hubert")
    ]
    few = Settings("few", groups=5, shifts=1)
    beside = compare(models, speech, ["maxcorr", "mincorr", "cka", "attn_js"], settings=few)
    load = assonance.comparison.compare.load_roster
    monkeypatch.setattr(
        "assonance.comparison.compare.load_roster",
        lambda *given, **options: {
            name: each for name, each in load(*given, **options).items() if not each.baseline
        },
    )
    alone = compare(models, speech, ["maxcorr", "mincorr", "cka", "attn_js"], settings=few)
    assert (alone.baseline, beside.baseline) == (None, "mel")
    assert alone.provenance.corpus == beside.provenance.corpus
    for kind in ("scores", "neurons", "heads", "replicates", "intervals", "nulls", "halves"):
        expected, found = getattr(alone, kind), getattr(beside, kind)
        # 80 bands are more than these models have neurons.
        own = {dim: range(expected.sizes[dim]) for dim in expected.dims if dim not in CELL}
        known = {dim: expected[dim].values for dim in CELL if dim in expected.dims}
        xr.testing.assert_identical(found.sel(known).isel(own), expected)


def test_a_model_against_itself_is_numbered_and_alike(pair, speech):
    same = compare([pair[0], pair[0]], speech, ["cka"], twins=False)
    first, second = same.models
    assert second == f"{first} (2)"
    np.testing.assert_allclose(np.diag(same.matrix("cka", first, second)), 1, atol=1e-12)


def test_one_model_alone_is_compared_with_its_own_layers(pair, speech):
    alone = compare(pair[0], speech, FEW, twins=False)
    assert alone.scores["cka"].notnull().all()


def test_only_what_was_asked_for_is_measured(pair, speech):
    assert list(compare(pair, speech, ["attn_js"], twins=False).scores.data_vars) == ["attn_js"]
    assert measured(compare(pair, speech, ["cka"], twins=False).scores) == ["cka"]


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
    with pytest.raises(AssonanceError, match="needs at least 2 groups"):
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


# Names


def test_no_model_takes_another_s_name(checkpoint, speech, tmp_path):
    places = ["a/mine", "b/mine (2)", "c/mine", "d/mine, random weights"]
    for seed, place in enumerate(places):
        shutil.copytree(checkpoint("hubert", seed=seed), tmp_path / place)
    found = compare([tmp_path / place for place in places], speech, ["cka"])
    assert found.models == ("mine", "mine (2)", "mine (3)", "mine, random weights")
    assert [record.source for record in found.provenance.models[:4]] == [
        str(tmp_path / place) for place in places
    ]
    assert len({record.name for record in found.provenance.models}) == 6
    assert found.twin("mine") == "mine, random weights (2)"
    for row, col in combinations(found.models, 2):
        assert float(found.matrix("cka", row, col).max()) < 0.99  # all four are different models


def test_models_and_speech_can_be_given_loaded(pair, speech):
    models = [load_model(spec) for spec in pair]
    loaded = compare(models, Corpus.from_path(speech), FEW)
    assert loaded.scores.identical(compare(pair, speech, FEW).scores)
    assert loaded.provenance.corpus.source == str(speech)


# Interruptions


@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal that cannot be caught")
@pytest.mark.parametrize(("at", "after"), [("reading speech with random", 2), ("attention", 1)])
def test_a_killed_run_taken_up_again_ends_with_the_same_bytes(
    pair, speech, whole, tmp_path, at, after
):
    program = f"""
import os, signal
from contextlib import contextmanager
from assonance import compare

class Killing:
    told = 0

    @contextmanager
    def stage(self, name, total):
        def advance(units):
            self.told += {at!r} in name
            if self.told == {after}:
                os.kill(os.getpid(), signal.SIGKILL)
        yield advance

compare({list(map(str, pair))!r}, {str(speech)!r}, out={str(tmp_path)!r}, progress=Killing())
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert kept
    compare(pair, speech, out=tmp_path).save(tmp_path / "results.nc")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(list(tmp_path.rglob("*.safetensors"))) == 5 * 6
    whole.save(tmp_path / "whole.nc")
    assert (tmp_path / "results.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()


def test_another_choice_of_measures_reads_no_speech_again(pair, speech, tmp_path):
    compare(pair, speech, ["cka"], out=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    again = compare(pair, speech, ["linreg"], out=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")} == before
    assert again.scores.identical(compare(pair, speech, ["linreg"]).scores)


def test_without_a_folder_nothing_is_left(pair, speech, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    compare(pair, speech, FEW)
    with pytest.raises(Interruption):
        compare(pair, speech, FEW, progress=Stopping("comparing layers"))
    assert list(tmp_path.iterdir()) == []


def test_every_stage_is_told_to_its_end(pair, speech):
    told = {}

    class Told:
        @contextmanager
        def stage(self, name, total):
            told[name] = [total, 0.0]

            def advance(units):
                told[name][1] += units

            yield advance

    compare(pair, speech, progress=Told())
    assert len(told) == 8  # loading, reading with five, layers, attention
    for total, done in told.values():
        assert done == pytest.approx(total)


# Twins


def test_a_twin_is_scored_as_the_random_model_that_it_is(pair, speech, whole):
    first, second = whole.models
    x = activations(pair[0], speech)[0]["encoder.1"]
    y = activations(f"random:{pair[1]}@0", speech)[0]["encoder.2"]
    twin = whole.twin(second)
    for row, layer_row, col, layer_col, expected in (
        (first, "encoder.1", twin, "encoder.2", oracles.maxcorr(x, y)),
        (twin, "encoder.2", first, "encoder.1", oracles.maxcorr(y, x)),
    ):
        found = whole.scores["maxcorr"].sel(
            model_row=row, layer_row=layer_row, model_col=col, layer_col=layer_col
        )
        assert float(found) == pytest.approx(expected.mean(), abs=1e-9)


def test_models_of_one_architecture_have_one_twin(checkpoint, pair, speech):
    first, other = pair
    second = checkpoint("wav2vec2", "base", "ForCTC", seed=3)
    found = compare([first, other, second], speech, ["cka", "mincorr"])
    a, b, c = found.models
    assert list(found.twins.values()) == [(a, c), (b,)]
    assert found.twin(a) == found.twin(c)
    alone = compare([second, other], speech, ["cka"])
    np.testing.assert_array_equal(
        found.matrix("cka", b, found.twin(c)), alone.matrix("cka", b, alone.twin(c))
    )
    assert found.intervals["cka"].sel(model_row=a, model_col=found.twin(c)).notnull().any()


def test_the_seed_of_the_settings_draws_the_twins(pair, speech):
    found = compare(pair, speech, ["cka"], settings=Settings("mine", seed=7))
    sources = [each.source for each in found.provenance.models if each.twin_of]
    assert sources == [f"random:{spec}@7" for spec in pair]


def test_a_random_model_has_no_twin(pair, speech):
    found = compare([pair[0], f"random:{pair[0]}@5"], speech, ["cka"])
    first, second = found.models
    assert (found.twin(first), found.twin(second)) == (f"{first}, random weights", None)


def test_the_consensus_of_a_twin_is_that_of_its_model_s_place(whole):
    a, b = whole.models
    neurons = whole.neurons["maxcorr"].sel(
        model_row=whole.twin(a), layer_row="encoder.2", model_col=b
    )
    expected = float(neurons.min("layer_col").mean())
    found = whole.scores["mincorr"].sel(model_row=whole.twin(a), layer_row="encoder.2")
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_without_twins_the_rest_is_the_same(pair, speech, whole):
    alone = compare(pair, speech, twins=False)
    for name, values in alone.scores.items():
        among = {dim: values[dim].values for dim in values.dims if dim in CELL}
        np.testing.assert_allclose(values, whole.scores[name].sel(among), rtol=0, atol=1e-12)


# Localisation


def test_localisation_is_undefined_where_its_parts_are(pair, speech, whole):
    table = whole.scores["localisation"].stack(row=CELL[:2], col=CELL[2:]).to_numpy()
    assert np.isnan(np.diag(table)).all()
    parts = whole.scores["maxcorr"].stack(row=CELL[:2], col=CELL[2:]).to_numpy()
    assert np.isnan(table[np.isnan(parts)]).all()
    assert np.isnan(parts).any()
    assert np.isfinite(table[~np.isnan(parts) & ~np.eye(len(parts), dtype=bool)]).any()
    few = compare(pair, speech, ["maxcorr", "linreg"], twins=False)
    assert "localisation" not in few.scores


def test_localisation_in_sample_says_so(pair, speech):
    found = compare(pair, speech, ["maxcorr", "maxcorr_rotated", "linreg"], twins=False)
    a, b = found.models
    cell = dict(zip(CELL, (a, "encoder.1", b, "encoder.2"), strict=True))
    parts = [found.neurons[name].sel(cell) for name in ("maxcorr", "maxcorr_rotated", "linreg")]
    expected = localisation_index(*(part.values.astype(float) for part in parts))
    assert float(found.scores["localisation"].sel(cell)) == pytest.approx(expected, abs=1e-5)
    assert found.scores["localisation"].attrs["source"].endswith("Σ(linreg − maxcorr_rotated)")


# What one model cannot use, and what models make different numbers of frames of


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


# The record and the notes


def test_the_record_says_what_was_run_on_what(pair, speech, whole):
    record = whole.provenance
    assert record.versions["assonance"] == assonance.__version__
    assert record.versions["torch"] == version("torch")
    assert set(record.measures) == set(whole.scores.data_vars) & set(MEASURES)
    assert record.settings == vars(SETTINGS["default"])
    corpus = Corpus.from_path(speech)
    model = load_model(pair[0])
    assert record.corpus == CorpusRecord(
        name=corpus.name,
        source=str(speech),
        utterances=6,
        frames=sum(model.n_frames(len(each.read(16000))) for each in corpus),
        seconds=round(corpus.seconds, 3),
        speakers=(),
        languages=(),
        sampling_rates=(16000,),
    )
    first = record.models[0]
    assert (first.name, first.source) == (pair[0].name, str(pair[0]))
    assert (first.fingerprint, first.layers) == (model.fingerprint, dict(model.meanings))
    assert first.n_parameters == model.info.n_parameters
    first, second = record.notes
    assert first.startswith(f"{' and '.join(whole.models)}: miniatures")
    assert "independent" in second
    assert record.population.startswith("other recordings")


def test_every_smooth_score_of_two_models_has_an_interval(whole):
    sure = {name for name in whole.provenance.measures if MEASURES[name].interval}
    assert set(whole.intervals.data_vars) == sure | {"localisation"}
    a, b = whole.models
    for name in sure - {"mincorr"}:
        # Six utterances are six groups, for frames and for attention.
        assert whole.replicates[name].sizes["group"] == 6
        cell = {"model_row": a, "layer_row": "encoder.2", "model_col": b, "layer_col": "encoder.2"}
        low, high = (
            float(whole.intervals[name].sel(cell | {"statistic": end})) for end in ("low", "high")
        )
        assert low < high, name
        own = whole.replicates[name].sel(model_row=a, model_col=whole.twin(a))
        assert MEASURES[name].level == "head" or own.isnull().all()
    assert not {"svcca", "pwcca", "cka_rbf"} & set(whole.intervals.data_vars)


def test_every_neuron_of_two_models_has_an_interval(whole):
    a, b = whole.models
    sure = {
        name
        for name in whole.provenance.measures
        if MEASURES[name].interval and MEASURES[name].level == "neuron"
    }
    single = whole.neuron_intervals
    assert set(single.data_vars) == sure | {"localisation"}
    cell = {"model_row": a, "layer_row": "encoder.1", "model_col": b, "layer_col": "encoder.2"}
    for name in sure - {"mincorr"}:
        _, low, high = single[name].sel(cell).values.T
        assert single[name].dtype == np.float32
        there = np.isfinite(low)
        assert there.sum() == np.isfinite(whole.neurons[name].sel(cell)).sum() > 0
        assert (low[there] <= high[there]).all()
        twin = single[name].sel({**cell, "model_col": whole.twin(a)})
        assert twin.isnull().all()


def test_shifted_speech_and_halves_are_of_trained_models(whole):
    a, b = whole.models
    for name in ("svcca", "maxcorr", "linreg_heldout", "cka_rbf"):
        nulls = whole.nulls[name]
        assert nulls.sizes["shift"] == 1  # of six utterances in five folds, two share one
        assert nulls.sel(model_row=a, model_col=b).notnull().any()
        assert nulls.sel(model_row=a, model_col=whole.twin(b)).isnull().all()
        assert nulls.sel(model_row=a, model_col=a).isnull().all()
    assert whole.halves["maxcorr"].sel(model_row=a, layer_row="encoder.1") > 0
    assert "cka_utterance" not in whole.nulls


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
    assert [str(each.message) for each in caught] == list(found.provenance.notes[1:])
    assert caught[0].filename == __file__


def test_a_measure_asked_for_twice_is_taken_once(pair, speech):
    found = compare(pair, speech, ["cka", "maxcorr", "cka"], twins=False)
    assert measured(found.scores) == ["cka", "maxcorr"]
    assert found.provenance.measures == ("cka", "maxcorr")


def test_layers_that_a_model_lacks_and_neurons_that_a_layer_lacks_are_padded(
    pair, checkpoint, speech
):
    small = checkpoint("hubert", "large", num_hidden_layers=2, hidden_size=24)
    found = compare([small, pair[0]], speech, twins=False)
    a, b = found.models
    assert list(found.scores.layer_row.values) == [f"encoder.{k}" for k in range(4)]
    alone = [name for name in DESCRIPTORS if name in found.scores]
    assert len(alone) == len(DESCRIPTORS)
    for lacking in (
        found.scores.sel(model_row=a, layer_row="encoder.3"),
        found.scores.drop_vars(["mincorr", *alone]).sel(model_col=a, layer_col="encoder.3"),
    ):
        for name, values in lacking.items():
            none = values == -1 if values.dtype.kind == "i" else values.isnull()
            assert none.all(), name
    here = found.neurons.sel(model_row=a, layer_row="encoder.1", model_col=b, layer_col="encoder.2")
    np.testing.assert_array_equal(here["maxcorr"].notnull(), np.arange(32) < 24)
    np.testing.assert_array_equal(here["maxcorr_match"] >= 0, np.arange(32) < 24)
    assert (found.neurons["maxcorr_match"].sel(model_row=a, layer_row="encoder.3") == -1).all()
    back = found.neurons["maxcorr_match"].sel(
        model_row=b, layer_row="encoder.2", model_col=a, layer_col="encoder.1"
    )
    assert set(back.values) <= set(range(24))
    # Blocks attend; what enters the first does not.
    attention = found.matrix("attn_js", a, b)
    assert attention.shape == (3, 4)
    assert attention.sel(layer_row="encoder.0").isnull().all()
    assert attention.sel(layer_col="encoder.0").isnull().all()
    assert attention[1:, 1:].notnull().all()
    assert found.heads["attn_js"].dims == (*CELL, "head_row", "head_col")


def test_frames_of_an_utterance_are_not_compared_with_each_other(pair, speech):
    """What is unbiased however neighbouring frames depend on each other."""
    found = compare(pair, speech, ["cka_utterance", "cka_debiased"], twins=False)
    (x, _, groups), (y, _, _) = (activations(spec, speech) for spec in pair)
    row, col = "encoder.1", "encoder.2"
    for measure, more in (("cka_utterance", (groups,)), ("cka_debiased", ())):
        expected = getattr(oracles, measure)(x[row], y[col], *more)
        score = found.matrix(measure, *found.models).sel(layer_row=row, layer_col=col)
        assert float(score) == pytest.approx(expected, abs=1e-6)


def test_outputs_of_attention_heads_are_compared_as_layers(pair, speech):
    models = [load_model(each, record=("blocks", "heads")) for each in pair]
    found = compare(models, speech, ["cka", "maxcorr", "attn_js"])
    name = found.models[0]
    assert "heads.2" in found.layers(name)
    assert found.layers(found.twin(name)) == found.layers(name)
    cells = {"model_row": name, "layer_row": "heads.2", "model_col": found.models[1]}
    for measure in ("cka", "maxcorr"):
        scores = found.scores[measure].sel(cells)
        assert np.isfinite(scores.sel(layer_col=list(found.layers(found.models[1])))).all()
    assert np.isnan(found.scores["attn_js"].sel(cells)).all()
    outputs = [
        np.concatenate(
            [model.run(each.read(16000)).activations[label] for each in Corpus.from_path(speech)]
        )
        for model, label in zip(models, ("heads.2", "encoder.1"), strict=True)
    ]
    expected = similarity_matrix({"a": outputs[0], "b": outputs[1]}, ["cka"])["cka"][0, 1]
    value = found.scores["cka"].sel(cells).sel(layer_col="encoder.1")
    assert float(value) == pytest.approx(float(expected), abs=1e-6)


def test_attention_alone_is_compared_where_frame_rates_differ_and_that_is_said(checkpoint, speech):
    slow = checkpoint("hubert", seed=2, conv_stride=(5, 2, 2, 2, 2, 2, 4))
    with pytest.warns(AssonanceWarning, match="coarser frames of the other models") as told:
        found = compare([checkpoint(), slow], speech, ["attn_js"], twins=False)
    assert str(told[0].message) in found.provenance.notes
    between = found.matrix("attn_js", *found.models)
    assert np.isfinite(between.sel(layer_row="encoder.1", layer_col="encoder.2"))


@pytest.mark.filterwarnings("ignore::assonance.AssonanceWarning")
def test_models_without_heads_stand_beside_those_that_have_them(pair, speech):
    found = compare([*pair, "mel"], speech, measures=["attn_js", "cka"], twins=False)
    scores = found.scores["attn_js"]
    assert scores.sel(model_row="mel").isnull().all()
    assert float(found.scores["cka"].sel(model_row="mel", layer_row="mel").max()) > 0
    matches = head_matches(found, "attn_js")
    assert set(matches.index.get_level_values("model_row")) == set(found.models) - {"mel"}
    assert "has no heads" in render(found, [])

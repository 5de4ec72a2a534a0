"""The main job agrees with the plain way of doing it, whatever happens on the way."""

import shutil
from importlib.metadata import version
from itertools import combinations

import numpy as np
import oracles
import pytest
import torch
from recomputed import activations, measured
from safetensors.torch import load_file, save_file

import assonance
from assonance import (
    AssonanceError,
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
from assonance.settings import SETTINGS
from assonance.tables.heads import head_matches
from assonance.utils.lock import locked

OF_FRAMES = ["maxcorr", "linreg", "linreg_heldout", "svcca", "pwcca", "cka", "cka_rbf"]
OF_HEADS = ["attn_frobenius", "attn_pearson", "attn_js"]
FEW = ["maxcorr", "cka"]


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
    rough, dependent, small = record.notes
    assert rough == "intervals are rough: 6 groups of utterances are few; add speech"
    assert "independent" in dependent
    assert small.startswith(f"{' and '.join(whole.models)}: miniatures")
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


@pytest.mark.filterwarnings("ignore::assonance.AssonanceWarning")
def test_models_without_heads_stand_beside_those_that_have_them(pair, speech):
    found = compare([*pair, "mel"], speech, measures=["attn_js", "cka"], twins=False)
    scores = found.scores["attn_js"]
    assert scores.sel(model_row="mel").isnull().all()
    assert float(found.scores["cka"].sel(model_row="mel", layer_row="mel").max()) > 0
    matches = head_matches(found, "attn_js")
    assert set(matches.index.get_level_values("model_row")) == set(found.models) - {"mel"}
    assert "has no heads" in render(found, [])


def test_a_folder_that_another_run_writes_to_is_refused(pair, speech, tmp_path):
    with (
        locked(tmp_path / "run"),
        pytest.raises(AssonanceError, match=r"run: process \d+ on .* writes here; wait for it"),
    ):
        compare(pair, speech, ["cka"], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()  # nothing was in it but the lock


def test_a_folder_that_cannot_be_made_is_named(pair, speech, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AssonanceError, match=r"file/run: cannot be written"):
        compare(pair, speech, ["cka"], out=tmp_path / "file" / "run")

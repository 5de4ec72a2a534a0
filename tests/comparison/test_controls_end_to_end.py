"""Random twins and the baseline stand beside the models and change none of their numbers."""

import numpy as np
import oracles
import pytest
import xarray as xr
from recomputed import activations

import assonance
from assonance import (
    compare,
)
from assonance.activations.kept import kept_stores, store_name
from assonance.comparison.compare import compare_request
from assonance.comparison.request import Request
from assonance.comparison.result import CELL
from assonance.demo import MODELS, SPEECH
from assonance.settings import Settings
from assonance.tables import matches as match_tables
from assonance.tables.floors_and_ceilings import SHIFTED

FEW = ["maxcorr", "cka"]


def test_every_model_stands_beside_its_random_twin(whole):
    first, second = whole.models
    twins = [whole.twin(first), whole.twin(second)]
    assert [each.twin_of for each in whole.provenance.models] == [(), (), (first,), (second,), ()]
    for row in whole.models:
        for twin in twins:
            scores = whole.matrix("cka", row, twin)
            compared = scores.notnull().any("layer_row").values
            count = len(compared)
            assert np.flatnonzero(compared).tolist() == sorted(
                {0, round((count - 1) / 2), count - 1}
            )
            assert scores.notnull().all("layer_row").values.tolist() == compared.tolist()
    assert whole.matrix("cka", *twins).isnull().all()
    for each in whole.provenance.models:
        assert (each.objective == "none") == (each.name not in whole.models)


@pytest.fixture(scope="module")
def stored(pair, speech, tmp_path_factory):
    """The same comparison with all layers of twins stored, and with those of floors."""
    folders = {each: tmp_path_factory.mktemp("run") for each in (True, False)}
    return {
        each: (
            compare_request(pair, speech, Request(("maxcorr", "cka"), whole_twins=each), folder),
            {store.folder.name: list(store.layers) for store in kept_stores(folder)},
        )
        for each, folder in folders.items()
    }


def test_activations_of_twins_are_stored_at_the_depths_of_floors(stored):
    for whole_twins, (found, layers) in stored.items():
        for each in found.provenance.models:
            expected = list(each.layers)
            if each.twin_of and not whole_twins:
                expected = ["encoder.0", "encoder.2", "encoder.3"]
            assert layers[store_name(each.name, each.fingerprint)] == expected


def test_no_number_depends_on_what_is_stored_of_twins(stored):
    whole, few = (stored[each][0] for each in (True, False))
    for kind in ("scores", "neurons", "replicates", "intervals", "nulls", "halves"):
        xr.testing.assert_identical(getattr(few, kind), getattr(whole, kind))


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
    few = Settings("few", groups=5, shifts=1, attention_rows=0)
    beside = compare(models, speech, ["maxcorr", "mincorr", "cka", "attn_js"], settings=few)
    load = assonance.comparison.prepared.load_roster
    monkeypatch.setattr(
        "assonance.comparison.prepared.load_roster",
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


@pytest.mark.slow
def test_the_floor_of_random_weights_is_the_same_at_every_depth(monkeypatch):
    models = [MODELS[0], MODELS[2]]
    speech = assonance.Corpus.from_path(SPEECH, max_hours=0.02)
    measures = ["linreg", "linreg_heldout", "svcca", "pwcca", "cka", "cka_utterance"]
    monkeypatch.setattr("assonance.comparison.plan.FLOOR_DEPTHS", None)
    request = Request(tuple(measures), whole_twins=True, uncertainty=False)
    found = compare_request(models, speech, request)
    first, second = found.models
    for measure in measures:
        scores = found.matrix(measure, first, found.twin(second))
        assert scores.notnull().all()
        few = scores.isel(layer_col=[0, scores.sizes["layer_col"] // 2, -1])
        np.testing.assert_allclose(few.max("layer_col"), scores.max("layer_col"), atol=2e-3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::assonance.errors.AssonanceWarning")
def test_the_null_is_nearly_the_same_at_every_depth(monkeypatch):
    speech = assonance.Corpus.from_path(SPEECH, max_hours=0.02)
    measures = ["maxcorr", "linreg_heldout", "svcca", "pwcca", "cka"]
    monkeypatch.setattr("assonance.comparison.plan.FLOOR_DEPTHS", None)
    found = compare([MODELS[0], MODELS[2]], speech, measures)
    monkeypatch.undo()
    few = compare([MODELS[0], MODELS[2]], speech, measures)
    for measure in measures:
        best = match_tables.best_matches(found, measure)
        everywhere, some = (SHIFTED.of(each, measure, best)["shifted"] for each in (found, few))
        assert everywhere.notna().all()
        np.testing.assert_allclose(some, everywhere, atol=0.05)
        assert abs(some.mean() - everywhere.mean()) < 0.02

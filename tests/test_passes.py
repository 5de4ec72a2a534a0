"""The passes over the speech see every frame once, whatever is in work at a time."""

from itertools import combinations_with_replacement

import numpy as np
import oracles
import pytest

from assonance import Corpus, head_similarity_matrix, load_model, passes, similarity_matrix
from assonance.extract import extract
from assonance.measures import MEASURES, Settings, find
from assonance.passes import FramePass, Layer, attention_pass
from assonance.progress import Silent
from assonance.statistics import assign_folds

GATHERED = ("moments", "folds", "sample")  # what a pass over the frames adds up
OF_FRAMES = [name for name, each in MEASURES.items() if each.needs in GATHERED and not each.across]
OF_HEADS = [name for name, each in MEASURES.items() if each.level == "head"]
# Fewer frames and folds than there are frames and utterances, so that choosing matters.
SETTINGS = Settings("few", sample_frames=60, folds=4, seed=3)


def always(a, b):
    return True


class Told:
    """A progress that adds up what it is told."""

    def __init__(self):
        self.total, self.done = None, 0.0

    def stage(self, name, total):
        self.total = total
        return self

    def __enter__(self):
        return self.add

    def __exit__(self, *error):
        pass

    def add(self, units):
        self.done += units


@pytest.fixture(scope="module")
def corpus(speech):
    return Corpus.from_path(speech)


@pytest.fixture(scope="module")
def models(checkpoint):
    """By name, of different widths."""
    folders = {
        "a": checkpoint("wav2vec2", seed=1),
        "b": checkpoint("hubert", "large", hidden_size=24),
    }
    return {name: load_model(folder) for name, folder in folders.items()}


@pytest.fixture(scope="module")
def layers(models, corpus, tmp_path_factory):
    """Where each layer's frames are."""
    folder = tmp_path_factory.mktemp("stores")
    stores = {name: extract(model, corpus, folder / name).store for name, model in models.items()}
    return {
        f"{name} {label}": Layer(name, label, stores[name])
        for name, model in models.items()
        for label in model.layers
    }


@pytest.fixture(scope="module")
def plain(layers, corpus):
    """The same frames in plain arrays, and the number of each frame's utterance."""
    arrays = {
        name: np.concatenate([layer.store.read(each.id)[layer.label] for each in corpus])
        for name, layer in layers.items()
    }
    store = layers["a encoder.0"].store
    sizes = [store.n_frames(each.id) for each in corpus]
    return arrays, np.repeat(np.arange(len(corpus)), sizes), sizes


def frame_scores(layers, corpus, measures=OF_FRAMES, *, memory=1e9, wanted=always, told=None):
    frame_pass = FramePass(
        layers,
        [each.id for each in corpus],
        find(measures, ("neuron", "layer")),
        SETTINGS,
        wanted=wanted,
        device="cpu",
    )
    others = np.ones((len(layers), len(layers)), dtype=bool)
    scores, cautions = frame_pass.run(others, memory=memory, progress=told or Silent())
    assert cautions == []
    return scores.dataset(per_neuron=True)


@pytest.fixture(scope="module")
def whole(layers, corpus):
    return frame_scores(layers, corpus)


# Frames


@pytest.mark.parametrize("measure", OF_FRAMES)
def test_scores_are_those_of_all_frames_at_once(whole, plain, measure):
    arrays, groups, _ = plain
    expected = similarity_matrix(
        arrays, [measure], groups=groups, settings=SETTINGS, per_neuron=True
    )
    assert list(whole[measure].layer_row.values) == list(arrays)
    np.testing.assert_allclose(whole[measure], expected[measure], rtol=0, atol=1e-9)
    if MEASURES[measure].level == "neuron":
        neurons = f"{measure}_by_neuron"
        np.testing.assert_allclose(whole[neurons], expected[neurons], rtol=0, atol=1e-9)
        assert whole[neurons].sel(layer_row="b encoder.1").isnull().any()  # narrower than others


@pytest.mark.parametrize("measure", ["maxcorr", "linreg", "linreg_heldout", "linreg_heldout_r"])
def test_scores_of_neurons_are_those_of_the_definition(whole, plain, measure):
    arrays, groups, sizes = plain
    folds = assign_folds(sizes, SETTINGS.folds, SETTINGS.seed)[groups]
    assert len(set(folds)) == SETTINGS.folds < len(sizes)
    more = {"folds": folds} if "heldout" in measure else {}
    # b's layers are not normalised: no neuron follows from the others up to rounding alone.
    for row, col in (("a encoder.1", "b encoder.3"), ("b encoder.2", "b encoder.0")):
        x, y = (arrays[name].astype(np.float64) for name in (row, col))
        expected = getattr(oracles, measure)(x, y, **more)
        found = whole[f"{measure}_by_neuron"].sel(layer_row=row, layer_col=col)
        np.testing.assert_allclose(found[: x.shape[1]], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("measure", ["svcca", "pwcca", "cka"])
def test_scores_of_layers_are_those_of_the_definition(whole, plain, measure):
    arrays, _, _ = plain
    row, col = "a encoder.1", "b encoder.3"
    x, y = (arrays[name].astype(np.float64) for name in (row, col))
    expected = getattr(oracles, measure)(x, y)
    found = float(whole[measure].sel(layer_row=row, layer_col=col))
    assert found == pytest.approx(expected, abs=1e-9)


# What two layers, five, and all of them ask for.
@pytest.mark.parametrize("memory", [0, 3e6, 1e10])
def test_no_bit_depends_on_the_memory(layers, corpus, whole, memory):
    found = frame_scores(layers, corpus, memory=memory)
    assert found.identical(whole)


def test_memories_above_ask_for_different_tiles(layers):
    widths = {name: layer.store.layers[layer.label] for name, layer in layers.items()}
    counts = {len(passes.plan(widths, always, folds=4, memory=memory)) for memory in (0, 3e6, 1e10)}
    assert len(counts) == 3


def test_frames_are_read_in_chunks_of_any_size(layers, corpus, whole, monkeypatch):
    monkeypatch.setattr(passes, "CHUNK_FRAMES", 50)
    found = frame_scores(layers, corpus)
    for name in OF_FRAMES:
        np.testing.assert_allclose(found[name], whole[name], rtol=0, atol=1e-9)


def test_only_wanted_pairs_are_scored_both_ways(layers, corpus, whole):
    def wanted(a, b):
        return (a[0], b[0]) != ("a", "a")

    found = frame_scores(layers, corpus, ["cka", "linreg"], wanted=wanted)
    for name in ("cka", "linreg"):
        table = found[name].to_numpy()
        assert np.isnan(table[:4, :4]).all()
        table[:4, :4] = whole[name][:4, :4]
        np.testing.assert_allclose(table, whole[name], rtol=0, atol=1e-12)


def test_only_the_layers_of_a_tile_are_read(layers, corpus, monkeypatch):
    read = []
    store = type(layers["a encoder.0"].store)
    original = store.read

    def watched(self, id, labels=None):
        read.append(tuple(labels))
        return original(self, id, labels)

    frame_pass = FramePass(
        layers,
        [each.id for each in corpus],
        find(["cka"], ("layer",)),
        SETTINGS,
        wanted=lambda a, b: a == b == "b encoder.2",
        device="cpu",
    )
    monkeypatch.setattr(store, "read", watched)
    frame_pass.run(np.ones((8, 8), dtype=bool), memory=1e9, progress=Silent())
    assert read == [("encoder.2",)] * len(corpus)


@pytest.mark.parametrize("memory", [0, 1e9])
def test_progress_ends_at_its_total(layers, corpus, memory):
    told = Told()
    frame_scores(layers, corpus, ["cka"], memory=memory, told=told)
    assert told.total == len(list(combinations_with_replacement(layers, 2)))
    assert told.done == pytest.approx(told.total)


# Attention


def head_scores(models, corpus, *, memory=1e9, wanted=always, told=None):
    return attention_pass(
        models,
        tuple(corpus),
        find(OF_HEADS, ("head",)),
        SETTINGS,
        name_of=lambda model, label: f"{model} {label}",
        wanted=wanted,
        memory=memory,
        progress=told or Silent(),
    )


@pytest.fixture(scope="module")
def maps(models, corpus):
    outputs = {
        name: [model.run(each.read(16000), attention=True) for each in corpus]
        for name, model in models.items()
    }
    return {
        f"{name} {label}": [one.attentions[label] for one in outputs[name]]
        for name, model in models.items()
        for label in model.heads
    }


@pytest.mark.parametrize("measure", OF_HEADS)
def test_heads_are_scored_by_all_maps_at_once(models, corpus, maps, measure):
    scores, cautions = head_scores(models, corpus)
    assert cautions == []
    found = scores.dataset(per_head=True)
    expected = head_similarity_matrix(maps, [measure], settings=SETTINGS, per_head=True)
    for name in (measure, f"{measure}_by_head"):
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-9)


@pytest.mark.parametrize("measure", OF_HEADS)
def test_heads_are_scored_by_the_definition(models, corpus, maps, measure):
    found = head_scores(models, corpus)[0].dataset(per_head=True)
    row, col = "a encoder.1", "b encoder.3"
    xs, ys = ([one.astype(np.float64) for one in maps[name]] for name in (row, col))
    expected = getattr(oracles, measure)(xs, ys)
    cell = {"layer_row": row, "layer_col": col}
    np.testing.assert_allclose(found[f"{measure}_by_head"].sel(cell), expected, rtol=0, atol=1e-9)
    assert float(found[measure].sel(cell)) == pytest.approx(expected.max(1).mean(), abs=1e-9)


def size(models, frames):
    """Bytes that comparing one utterance's maps may take."""
    return 8 * 3 * sum(sum(model.heads.values()) for model in models.values()) * frames**2


def test_utterances_whose_maps_exceed_the_memory_are_passed_over(models, corpus, maps):
    longest = max(each.shape[1] for each in maps["a encoder.1"])
    told = Told()
    scores, (caution,) = head_scores(models, corpus, memory=size(models, longest) - 1, told=told)
    assert caution.startswith("1 of 6 utterances, the first 'prompt5', are too long for their att")
    assert told.done == pytest.approx(told.total)
    shorter = {name: list(each[:-1]) for name, each in maps.items()}
    expected = head_similarity_matrix(shorter, OF_HEADS, settings=SETTINGS)
    for name in OF_HEADS:
        np.testing.assert_allclose(scores.dataset(per_head=False)[name], expected[name], atol=1e-9)
    assert head_scores(models, corpus, memory=size(models, longest))[1] == []


def test_where_all_are_too_long_nothing_is_scored(models, corpus):
    scores, (caution,) = head_scores(models, corpus, memory=1)
    assert scores is None
    assert caution.startswith("6 of 6 utterances")


def test_only_wanted_pairs_of_layers_have_their_heads_scored(models, corpus):
    scores, _ = head_scores(models, corpus, wanted=lambda a, b: a[0] == b[0])
    for values in scores.dataset(per_head=False).values():
        table = values.to_numpy()
        assert np.isnan(table[:3, 3:]).all()
        assert np.isnan(table[3:, :3]).all()
        assert np.isfinite(table[:3, :3]).all()
        assert np.isfinite(table[3:, 3:]).all()

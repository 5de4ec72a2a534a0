"""The pass over the frames sees each of them once, whatever is in work at a time."""

import gc
import weakref
from dataclasses import fields
from itertools import combinations_with_replacement

import numpy as np
import oracles
import pytest
from material import make_folds
from told import Told

from assonance import Corpus, load_model, similarity_matrix
from assonance.activations.extraction import extract
from assonance.activations.stored_frames import Layer, StoredFrames
from assonance.measures import MEASURES, find
from assonance.scoring import frame_pass, frame_source, frame_sums, layer_sums
from assonance.scoring.frame_pass import FramePass
from assonance.scoring.kept_sums import KeptSums
from assonance.scoring.pair_rules import PairRules
from assonance.scoring.pass_result import PassResult, named_beside
from assonance.scoring.resampled import resample_frames
from assonance.scoring.tiles import plan
from assonance.settings import Settings
from assonance.utils.pieces import Pieces
from assonance.utils.progress import Silent

OF_FRAMES = [name for name, each in MEASURES.items() if each.level != "head" and not each.across]
# Fewer frames and folds than there are frames and utterances, so that choosing matters.
SETTINGS = Settings("few", sample_frames=60, folds=4, seed=3)
# What two layers, several, and all of them ask for.
MEMORIES = (0, 1.5e7, 1e10)


def always(a, b):
    return True


class Rules(PairRules):
    """Rules that score the wanted pairs."""

    def __init__(self, wanted):
        self.wanted = wanted

    def is_scored(self, a, b):
        return self.wanted(a, b)


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
    """The same frames in plain arrays, and the id of each frame's utterance."""
    arrays = {
        name: np.concatenate([layer.store.read(each.id)[layer.label] for each in corpus])
        for name, layer in layers.items()
    }
    store = layers["a encoder.0"].store
    sizes = [store.n_frames(each.id) for each in corpus]
    return arrays, np.repeat([each.id for each in corpus], sizes), sizes


def frame_scores(layers, corpus, measures=OF_FRAMES, *, memory=1e9, wanted=always, told=None):
    source = StoredFrames(layers, [each.id for each in corpus])
    chosen = find(measures, ("neuron", "layer"))
    one = FramePass(
        source,
        chosen,
        SETTINGS,
        resample_frames(source, chosen, SETTINGS),
        rules=Rules(wanted),
    )
    found = one.run(memory=memory, progress=told or Silent())
    assert all("independent" in each for each in found.caveats)  # it is little speech
    return named_beside({"": found.scores, "_by_neuron": found.singles, "_match": found.matches})


@pytest.fixture(scope="module")
def whole(layers, corpus):
    return frame_scores(layers, corpus)


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
    folds = make_folds(groups, SETTINGS.folds, SETTINGS.seed)
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


@pytest.mark.parametrize("memory", MEMORIES)
def test_no_bit_depends_on_the_memory(layers, corpus, whole, memory):
    found = frame_scores(layers, corpus, memory=memory)
    assert found.identical(whole)


def test_memories_above_ask_for_different_tiles(layers):
    widths = {name: layer.store.layers[layer.label] for name, layer in layers.items()}
    counts = {len(plan(widths, always, each, KeptSums(4, 4))) for each in MEMORIES}
    assert len(counts) == 3


def test_frames_are_read_in_chunks_of_any_size(layers, corpus, whole, monkeypatch):
    for module in (frame_source, layer_sums):
        monkeypatch.setattr(module, "CHUNK_FRAMES", 50)
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
        np.testing.assert_allclose(table, whole[name], rtol=0, atol=1e-9)


def test_only_the_layers_of_a_tile_are_read(layers, corpus, monkeypatch):
    read = []
    store = type(layers["a encoder.0"].store)
    original = store.read

    def watched(self, id, labels=None):
        read.append(tuple(labels))
        return original(self, id, labels)

    source = StoredFrames(layers, [each.id for each in corpus])
    chosen = find(["cka"], ("layer",))
    one = FramePass(
        source,
        chosen,
        SETTINGS,
        resample_frames(source, chosen, SETTINGS),
        rules=Rules(lambda a, b: a == b == "b encoder.2"),
    )
    monkeypatch.setattr(store, "read", watched)
    one.run(memory=1e9, progress=Silent())
    assert set(read) == {("encoder.2",)}


@pytest.mark.parametrize("memory", [0, 1e9])
def test_progress_ends_at_its_total(layers, corpus, memory):
    told = Told()
    frame_scores(layers, corpus, ["cka"], memory=memory, told=told)
    assert told.total == len(list(combinations_with_replacement(layers, 2)))
    assert told.done == pytest.approx(told.total)


def test_a_tile_s_sums_are_gone_before_the_next_are_gathered_but_of_common_layers(
    layers, corpus, monkeypatch
):
    made, own = [], {}

    class Counted(frame_sums.FrameSums):
        def __init__(self, *args, **about):
            assert not any(each() for each in made)
            kept = {name for name, each in own.items() if each() is not None}
            assert kept == own.keys() & set(args[2].layers)
            super().__init__(*args, **about)
            made.extend(map(weakref.ref, (self, self.moments)))
            own.clear()
            own.update({name: weakref.ref(each) for name, each in self.layers.items()})

    monkeypatch.setattr(frame_pass, "FrameSums", Counted)
    gc.collect()
    gc.disable()
    try:
        frame_scores(layers, corpus, memory=0)
    finally:
        gc.enable()
    assert len(made) > 6


class OwnFirst(PairRules):
    """Rules by which pairs within a model come first."""

    def comes_first(self, a, b):
        return a[0] == b[0]


@pytest.mark.parametrize("resident", [0.0, np.inf])
def test_sums_make_room_for_a_report_before_it_is_made(
    layers, corpus, whole, monkeypatch, resident
):
    monkeypatch.setattr(frame_pass, "resident_bytes", lambda: resident)
    source = StoredFrames(layers, [each.id for each in corpus])
    chosen = find(OF_FRAMES, ("neuron", "layer"))
    resampling = resample_frames(source, chosen, SETTINGS)
    one = FramePass(source, chosen, SETTINGS, resampling, rules=OwnFirst())
    there = []
    found = one.run(
        memory=1.5e7, progress=Silent(), first=lambda shown: there.append([*one._known])
    )
    (kept,) = there
    assert bool(kept) == (resident == 0)
    named = named_beside({"": found.scores, "_by_neuron": found.singles, "_match": found.matches})
    assert named.identical(whole)


class Stopped(Exception):  # noqa: N818 - it is no error
    """Stands for whatever stops a run."""


def kept_scores(layers, corpus, folder, *, told=None, after=None):
    """Score tile by tile with intervals and nulls; stop after some tiles."""
    source = StoredFrames(layers, [each.id for each in corpus])
    chosen = find(["maxcorr", "mincorr", "linreg", "svcca", "cka"], ("neuron", "layer"))
    resampling = resample_frames(source, chosen, SETTINGS, intervals=True, nulls=True)
    one = FramePass(source, chosen, SETTINGS, resampling)

    class Some:
        def each(self, stage, compute, items, pieces, advance):
            for number, piece in enumerate(compute(items, pieces, advance)):
                if number == after:
                    raise Stopped
                yield piece

    return one.run(
        memory=0, progress=told or Silent(), work=Some(), pieces=Pieces(folder, "frames")
    )


def test_an_interrupted_pass_computes_each_tile_once(layers, corpus, tmp_path, monkeypatch):
    computed = []

    class Counted(frame_sums.FrameSums):
        def __init__(self, *args, **about):
            computed.append(args[2].pairs)
            super().__init__(*args, **about)

    monkeypatch.setattr(frame_pass, "FrameSums", Counted)
    whole = kept_scores(layers, corpus, None)
    tiles = [*computed]
    assert len(tiles) > 10
    for after in (0, 5, 6, 6):
        with pytest.raises(Stopped):
            kept_scores(layers, corpus, tmp_path, after=after)
    damaged = min(tmp_path.iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-1])
    told = Told()
    found = kept_scores(layers, corpus, tmp_path, told=told)
    assert told.done == pytest.approx(told.total)
    assert len(computed) == 2 * len(tiles) + 1
    assert set(computed[len(tiles) :]) == set(tiles)
    assert found.caveats == whole.caveats
    for each in fields(PassResult):
        if each.name not in ("broken", "caveats"):
            one, two = getattr(found, each.name), getattr(whole, each.name)
            assert one.identical(two), each.name
            assert list(one) == list(two), each.name

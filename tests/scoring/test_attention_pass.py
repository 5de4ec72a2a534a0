"""The pass over the attention sees all maps once, and says what it left out or changed."""

import re
import weakref
from dataclasses import fields, replace

import numpy as np
import oracles
import pytest
import torch
import xarray as xr
from told import Told

from assonance import Corpus, head_similarity_matrix, load_model
from assonance.activations.attention_maps import AttentionMaps
from assonance.inference.resampling import Resampling
from assonance.measures import MEASURES, find
from assonance.scoring.attention_pass import AttentionPass
from assonance.scoring.pair_rules import PairRules
from assonance.scoring.pass_result import PassResult
from assonance.settings import Settings
from assonance.utils.pieces import NOWHERE, Pieces
from assonance.utils.progress import Silent

OF_HEADS = [name for name, each in MEASURES.items() if each.level == "head"]
SETTINGS = Settings("few", seed=3, folds=3)
# Maps are float32; sums of products of theirs are good to a few millionths.
CLOSE = {"rtol": 0, "atol": 3e-6}
SILENT = Silent()
DATASETS = [each.name for each in fields(PassResult) if each.name not in ("broken", "caveats")]


def always(a, b):
    return True


@pytest.fixture(scope="module")
def corpus(speech):
    return Corpus.from_path(speech)


@pytest.fixture(scope="module")
def models(checkpoint):
    """By name, of different widths and numbers of heads."""
    folders = {
        "a": checkpoint("wav2vec2", seed=1),
        "b": checkpoint("hubert", "large", hidden_size=24, num_attention_heads=3),
    }
    return {name: load_model(folder) for name, folder in folders.items()}


def parts_of(corpus):
    """Five parts, the last of two utterances or more."""
    return [min(number, 4) for number in range(len(tuple(corpus)))]


class Rules(PairRules):
    """Rules that score the wanted pairs."""

    def __init__(self, wanted):
        self.wanted = wanted

    def is_scored(self, a, b):
        return self.wanted(a, b)


def attention_pass(
    models,
    corpus,
    *,
    measures=OF_HEADS,
    settings=SETTINGS,
    memory=1e9,
    wanted=always,
    progress=SILENT,
    rows=0,
    pieces=NOWHERE,
):
    """Run the pass: its result, and the caveats of the maps and the pass."""
    source = AttentionMaps(
        models,
        tuple(corpus),
        longest=settings.attention_seconds,
        layer_name=lambda model, label: f"{model} {label}",
    )
    groups = np.array(parts_of(corpus))
    count = groups.max() + 1
    resampling = Resampling(groups, np.arange(count), (1 - np.eye(count, dtype=int)).tolist())
    one = AttentionPass(
        source, find(measures, ("head",)), settings, resampling, rules=Rules(wanted), rows=rows
    )
    result = one.run(memory=memory, progress=progress, pieces=pieces)
    return result, [*source.caveats(), *result.caveats]


def attention(model, samples):
    """Maps of one utterance by label."""
    maps = {}
    model.run(samples, attend=maps.__setitem__)
    return maps


def maps_of(models, utterances):
    """By layer, one array an utterance, in float64."""
    return {
        f"{name} {label}": [attention(model, each)[label].astype(np.float64) for each in utterances]
        for name, model in models.items()
        for label in model.heads
    }


@pytest.fixture(scope="module")
def maps(models, corpus):
    return maps_of(models, [each.read(16000) for each in corpus])


@pytest.fixture(scope="module")
def found(models, corpus):
    result, caveats = attention_pass(models, corpus)
    assert caveats == []
    return result


def of_position(maps, length):
    """Maps at one length of heads with the mean attention of each offset over all utterances."""
    made = {}
    for name, utterances in maps.items():
        heads = len(utterances[0])
        made[name] = [np.zeros((heads, length, length))]
        for head in range(heads):
            for offset in range(1 - length, length):
                diagonals = [np.diagonal(one[head], offset) for one in utterances]
                into = made[name][0][head][max(0, -offset) :, max(0, offset) :]
                np.fill_diagonal(into, np.concatenate(diagonals).mean())
        made[name][0] /= made[name][0].sum(-1, keepdims=True)
    return made


@pytest.mark.parametrize("measure", OF_HEADS)
def test_heads_are_scored_by_all_maps_at_once(found, maps, measure):
    expected = head_similarity_matrix(maps, [measure], settings=SETTINGS, per_head=True)
    np.testing.assert_allclose(found.scores[measure], expected[measure], **CLOSE)
    np.testing.assert_allclose(found.singles[measure], expected[f"{measure}_by_head"], **CLOSE)
    np.testing.assert_array_equal(found.matches[measure], expected[f"{measure}_match"])


@pytest.mark.parametrize("measure", OF_HEADS)
def test_heads_are_scored_by_the_definition(found, maps, measure):
    row, col = "a encoder.1", "b encoder.3"
    expected = getattr(oracles, measure)(maps[row], maps[col])
    cell = {"layer_row": row, "layer_col": col}
    table = found.singles[measure].sel(cell).values[:, :3]
    np.testing.assert_allclose(table, expected, **CLOSE)
    assert float(found.scores[measure].sel(cell)) == pytest.approx(expected.max(1).mean(), abs=3e-6)
    match = found.matches[measure].sel(cell).values.tolist()
    assert match == expected.argmax(1).tolist()


@pytest.mark.parametrize("measure", OF_HEADS)
def test_scores_without_each_group_are_those_of_the_other_utterances(found, corpus, maps, measure):
    parts = parts_of(corpus)
    assert found.replicates.sizes["group"] == max(parts) + 1 > 3
    for part in range(3):
        rest = {
            name: [one for one, of in zip(each, parts, strict=True) if of != part]
            for name, each in maps.items()
        }
        expected = head_similarity_matrix(rest, [measure], settings=SETTINGS)[measure]
        without = found.replicates[measure].sel(group=part)
        np.testing.assert_allclose(without, expected, **CLOSE)


@pytest.mark.parametrize("measure", OF_HEADS)
def test_what_positions_alone_would_score_stands_beside(found, maps, measure):
    length = int(np.median([one.shape[-1] for one in maps["a encoder.1"]]))
    of_positions = of_position(maps, length)
    expected = head_similarity_matrix(of_positions, [measure], settings=SETTINGS, per_head=True)
    if measure == "attn_js":  # smooth maps are all alike by it
        assert measure not in found.position_singles
        assert measure not in found.position_scores
        return
    table = found.position_singles[measure]
    np.testing.assert_allclose(table, expected[f"{measure}_by_head"], **CLOSE)
    np.testing.assert_allclose(found.position_scores[measure], expected[measure], **CLOSE)


def test_heads_are_described(found, maps):
    assert found.singles["entropy"].dims == ("layer_row", "head_row")
    rows = np.concatenate([one[1] for one in maps["b encoder.2"]], axis=None)
    count = sum(one.shape[-1] for one in maps["b encoder.2"])
    expected = -(rows * np.log(rows)).sum() / count
    here = {"layer_row": "b encoder.2"}
    assert float(found.singles["entropy"].sel(here)[1]) == pytest.approx(expected, abs=1e-5)
    assert np.isnan(found.singles["entropy"].sel(here)[3])
    np.testing.assert_allclose(found.singles["profile"].sel(here)[:3].sum("offset"), 1, atol=1e-5)


def on_parts(one, parts):
    """Average queries and sum keys over equal parts, after repeating every frame `parts` times."""
    length = len(one)
    fine = np.repeat(np.repeat(one, parts, 0), parts, 1) / parts
    return fine.reshape(parts, length, parts, length).sum(3).mean(1)


def test_mean_maps_are_those_of_the_models_own_attention(found, maps):
    for layer, utterances in maps.items():
        mean = found.maps["mean_map"].sel(layer_row=layer).to_numpy()
        count = len(utterances[0])
        expected = np.mean([[on_parts(head, 24) for head in one] for one in utterances], 0)
        np.testing.assert_allclose(mean[:count], expected, atol=1e-12)
        np.testing.assert_allclose(mean[:count].sum(-1), 1, atol=1e-6)
        assert np.isnan(mean[count:]).all()


def test_the_maps_of_the_utterance_of_median_length_are_kept(found, maps, corpus):
    seconds = {each.id: each.duration for each in corpus}
    apart = {id: abs(each - np.median(list(seconds.values()))) for id, each in seconds.items()}
    chosen = min(id for id, each in apart.items() if each < min(apart.values()) + 1e-6)
    shown = found.maps["utterance_map"]
    assert shown.attrs["utterance"] == chosen
    place = list(seconds).index(chosen)
    cells = shown.sizes["query_time"]
    middles = (np.arange(cells) + 0.5) * seconds[chosen] / cells
    np.testing.assert_allclose(shown["key_time"], middles)
    for layer, utterances in maps.items():
        own = utterances[place]
        assert cells == min(own.shape[-1], 48)
        levels = shown.sel(layer_row=layer).to_numpy()
        expected = np.stack([on_parts(head, cells) for head in own])
        np.testing.assert_allclose(levels[: len(own)] / 255, np.sqrt(expected), atol=0.501 / 255)
        assert (levels[len(own) :] == -1).all()


def test_of_two_utterances_equally_near_the_median_the_first_by_name_is_kept(models, corpus):
    speech = sorted(corpus, key=lambda each: each.duration)[:2]
    result, _ = attention_pass(models, sorted(speech, key=lambda each: each.id, reverse=True))
    assert result.maps["utterance_map"].attrs["utterance"] == min(each.id for each in speech)


# Memory and length


def size(models, frames):
    """Bytes of the maps of one utterance."""
    return 4 * sum(sum(model.heads.values()) for model in models.values()) * frames**2


def test_utterances_whose_maps_exceed_the_memory_are_passed_over(models, corpus, maps):
    longest = max(each.shape[1] for each in maps["a encoder.1"])
    told = Told()
    room = size(models, longest)
    result, (caveat,) = attention_pass(models, corpus, memory=room - 1, progress=told)
    assert caveat.startswith("1 of 6 utterances, the first 'prompt5', are too long for their att")
    assert told.done == pytest.approx(told.total)
    shorter = {name: list(each[:-1]) for name, each in maps.items()}
    expected = head_similarity_matrix(shorter, OF_HEADS, settings=SETTINGS)
    for name in OF_HEADS:
        np.testing.assert_allclose(result.scores[name], expected[name], **CLOSE)


@pytest.mark.parametrize("threads", [1, 3])
def test_scores_are_the_same_to_the_bit_on_any_cores_and_memory(
    models, corpus, maps, found, threads
):
    longest = max(each.shape[1] for each in maps["a encoder.1"])
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for memory in (size(models, longest), 1e9):
            result, caveats = attention_pass(models, corpus, memory=memory)
            assert caveats == []
            for name in DATASETS:
                xr.testing.assert_identical(getattr(result, name), getattr(found, name))
    finally:
        torch.set_num_threads(before)


def test_divergences_of_sampled_frames_name_their_error(models, corpus, found):
    result, (caveat,) = attention_pass(models, corpus, rows=8)
    assert caveat.startswith("Jensen–Shannon divergences are of 8 frames drawn at random")
    error = float(re.search(r"at most ([\d.e-]+) for two heads", caveat)[1])
    assert 0 < error < 0.1
    for name in OF_HEADS:
        sampled, exact = result.singles[name], found.singles[name]
        if name.startswith("attn_js"):
            assert 0 < float(abs(sampled - exact).max()) < 10 * error
        else:
            xr.testing.assert_identical(sampled, exact)


def test_frames_are_sampled_anew_for_each_utterance_and_by_the_seed(models, corpus):
    first, again, other = (
        attention_pass(models, corpus, rows=8, settings=replace(SETTINGS, seed=seed))[0]
        for seed in (3, 3, 4)
    )
    xr.testing.assert_identical(first.singles, again.singles)
    assert (first.singles["attn_js"] != other.singles["attn_js"]).any()


def test_where_all_are_too_long_nothing_is_scored(models, corpus):
    result, (caveat,) = attention_pass(models, corpus, memory=1)
    assert not result.scores
    assert caveat.startswith("6 of 6 utterances")


def test_long_utterances_are_cut_into_equal_pieces(models, checkpoint, tmp_path):
    import soundfile
    from signals import voice

    long, short = voice(2.3, seed=5), voice(0.9, seed=6)
    soundfile.write(tmp_path / "long.wav", long, 16000, subtype="FLOAT")
    soundfile.write(tmp_path / "short.wav", short, 16000, subtype="FLOAT")
    settings = Settings("cut", attention_seconds=1.0)
    result, (caveat,) = attention_pass(models, Corpus.from_path(tmp_path), settings=settings)
    assert caveat.startswith("1 of 2 utterances, the first 'long', are longer than 1 s and are cut")
    pieces = [*np.array_split(long, 3), short]
    expected = head_similarity_matrix(maps_of(models, pieces), OF_HEADS, per_head=True)
    for name in OF_HEADS:
        np.testing.assert_allclose(result.scores[name], expected[name], **CLOSE)
    # Of the two, equally near to the median, "long" comes first; its first piece is kept.
    shown = result.maps["utterance_map"]
    assert shown.attrs["utterance"] == "long"
    assert shown["query_time"].to_numpy()[[0, -1]].sum() == pytest.approx(2.3 / 3)
    own = attention(models["b"], pieces[0])["encoder.2"]
    expected = [on_parts(head, shown.sizes["key_time"]) for head in own]
    levels = shown.sel(layer_row="b encoder.2")[: len(own)]
    np.testing.assert_allclose(levels / 255, np.sqrt(expected), atol=0.51 / 255)


def test_only_wanted_pairs_of_layers_have_their_heads_scored(models, corpus):
    result, _ = attention_pass(models, corpus, wanted=lambda a, b: a[0] == b[0])
    for name in OF_HEADS:
        table = result.scores[name].to_numpy()
        assert np.isnan(table[:3, 3:]).all()
        assert np.isnan(table[3:, :3]).all()
        assert np.isfinite(table[:3, :3]).all()
        assert np.isfinite(table[3:, 3:]).all()


# Models that are not as they should be, or have another frame rate


class Broken:
    """A model one head of which gives NaN for what is long, as in half precision."""

    def __init__(self, model):
        self.model = model

    def __getattr__(self, name):
        return getattr(self.model, name)

    def run(self, samples, *, attend):
        def broken(label, maps):
            if label == "encoder.2" and maps.shape[-1] > 30:
                maps = maps.copy()
                maps[1, 3] = np.nan
            attend(label, maps)

        return self.model.run(samples, attend=broken)


def test_heads_with_broken_maps_are_named_counted_and_left_out(models, corpus, maps, found):
    result, (caveat,) = attention_pass({**models, "a": Broken(models["a"])}, corpus)
    whole = [index for index, one in enumerate(maps["a encoder.1"]) if one.shape[-1] <= 30]
    first = tuple(corpus)[len(whole)].id
    assert caveat.startswith("1 attention heads have maps that are not finite")
    assert f"a encoder.2 head 1, in {6 - len(whole)} of 6 utterances, the first '{first}'" in caveat
    shorter = {name: [each[index] for index in whole] for name, each in maps.items()}
    expected = head_similarity_matrix(shorter, OF_HEADS, per_head=True)
    for name in OF_HEADS:
        table, before = result.singles[name].values, found.singles[name].values
        np.testing.assert_allclose(
            table[1, :, 1], expected[f"{name}_by_head"].values[1, :, 1], **CLOSE
        )
        np.testing.assert_array_equal(table[1, 3:, [0, 2, 3]], before[1, 3:, [0, 2, 3]])


def test_models_of_other_frame_rates_are_compared_on_the_coarser_grid(models, checkpoint, corpus):
    slow = load_model(checkpoint("hubert", seed=2, conv_stride=(5, 2, 2, 2, 2, 2, 4)))
    both = {"a": models["a"], "slow": slow}
    result, (caveat,) = attention_pass(both, corpus)
    assert caveat.startswith("the attention of a is compared on the frames of the other")
    maps = maps_of(both, [each.read(16000) for each in corpus])
    assert maps["a encoder.1"][0].shape[-1] > maps["slow encoder.1"][0].shape[-1]
    expected = head_similarity_matrix(maps, OF_HEADS, settings=SETTINGS, per_head=True)
    for name in OF_HEADS:
        np.testing.assert_allclose(result.singles[name], expected[f"{name}_by_head"], **CLOSE)


class Stopped(Exception):  # noqa: N818 - it is no error
    """Stands for whatever stops a run."""


def test_an_interrupted_pass_reads_each_utterance_once(models, corpus, tmp_path, monkeypatch):
    for name in ("_PAUSE", "_SHARE"):  # every utterance is kept
        monkeypatch.setattr(f"assonance.scoring.attention_pass.{name}", 0.0)
    read, last = [], []
    original = AttentionMaps.read

    def watched(self, utterance):
        if len(read) in last:
            last.clear()
            raise Stopped
        read.append(utterance)
        return original(self, utterance)

    monkeypatch.setattr(AttentionMaps, "read", watched)
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)
    finer = {**models, "c": models["b"]}
    whole, caveats = attention_pass(finer, corpus)
    count = len(tuple(corpus))
    assert sorted(read) == list(range(count))
    for after in (1, 3):
        last[:] = [count + after]
        with pytest.raises(Stopped):
            attention_pass(finer, corpus, pieces=Pieces(tmp_path))
    told = Told()
    found, again = attention_pass(finer, corpus, pieces=Pieces(tmp_path), progress=told)
    assert sorted(read) == sorted([*range(count)] * 2)
    assert told.done == pytest.approx(told.total)
    assert (again, found.broken) == (caveats, whole.broken)
    for name in DATASETS:
        assert getattr(found, name).identical(getattr(whole, name)), name


def test_complete_batches_are_read_one_at_a_time(models, corpus, tmp_path, found):
    attention_pass(models, corpus, pieces=Pieces(tmp_path))
    pieces, living = [], []

    class Counted(Pieces):
        def read(self, name):
            piece = super().read(name)
            pieces.append(weakref.ref(piece))
            living.append(sum(each() is not None for each in pieces))
            return piece

    again, _ = attention_pass(models, corpus, pieces=Counted(tmp_path))
    assert len(living) > 4
    assert max(living) <= 2
    assert again.scores.identical(found.scores)


@pytest.mark.parametrize("count", [1, 2])
def test_a_single_utterance_is_shared_by_all_cores(models, corpus, monkeypatch, count):
    shared = []
    original = AttentionPass._sums

    def watched(self, utterance, pool_map):
        shared.append(pool_map is not map)
        return original(self, utterance, pool_map)

    monkeypatch.setattr(AttentionPass, "_sums", watched)
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    attention_pass(models, tuple(corpus)[:count])
    assert shared == [count == 1] * count

"""The pass over the attention sees all maps once, and says which are too large."""

import numpy as np
import oracles
import pytest
from told import Told

from assonance import Corpus, head_similarity_matrix, load_model
from assonance.attention_pass import attention_pass
from assonance.measures import MEASURES, Settings, find
from assonance.progress import Silent

OF_HEADS = [name for name, each in MEASURES.items() if each.level == "head"]
SETTINGS = Settings("few", seed=3)


def always(a, b):
    return True


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

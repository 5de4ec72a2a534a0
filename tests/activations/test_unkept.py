"""A store that keeps times alone: nothing on disk, and the same utterances as any store."""

import numpy as np

from assonance import Corpus, load_model
from assonance.activations.extraction import extract


def test_it_knows_the_utterances_and_times_of_a_store_and_leaves_no_file(
    checkpoint, speech, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    corpus, model = Corpus.from_path(speech), load_model(checkpoint())
    unkept, kept = extract(model, corpus, None), extract(model, corpus, tmp_path / "kept")
    assert unkept.ids == kept.ids
    assert unkept.computed == len(corpus)
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]
    one, other = unkept.store, kept.store
    assert one.ids == other.ids
    for id in one.ids:
        np.testing.assert_array_equal(one.times(id), other.times(id))
        assert one.n_frames(id) == other.n_frames(id)
        assert one.audio(id) == other.audio(id)
        assert one.holds(id, other.audio(id))
        assert id in one
    assert "nobody" not in one
    assert not one.holds(one.ids[0], "other audio")


def test_what_was_written_by_another_model_has_another_name(checkpoint, speech):
    corpus = Corpus.from_path(speech)
    first, second = (
        extract(load_model(checkpoint(seed=seed)), corpus, None).store for seed in (1, 2)
    )
    assert first.made_with != second.made_with
    assert len(first.made_with) == 64

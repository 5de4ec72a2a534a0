"""Held-out speech stays out of training, and batches depend on seed and step alone."""

import numpy as np
import pytest
import torch

from recipes.mini_ssl.data import cut_clips, frames_of, load_prompts, span_mask
from recipes.mini_ssl.objectives import make_objective
from recipes.speech.errors import RecipeError
from recipes.speech.split import bundled_ids, is_held_out, is_speech, name_of, split


def row(utterance_id, text=""):
    return {"id": utterance_id, "language": utterance_id[:2], "text": text}


HELD_OUT = next(f"p{i}" for i in range(100) if is_held_out(f"p{i}"))
KEPT = [f"p{i}" for i in range(100) if not is_held_out(f"p{i}")]


def test_names_are_held_out_in_every_language():
    training, held_out = split([row(f"{lang}/{HELD_OUT}") for lang in ("en", "fr", "ru")])
    assert not training
    assert len(held_out) == 3


def test_a_held_out_sentence_of_another_name_is_on_neither_side():
    rows = [
        row(f"en/{HELD_OUT}", "Goodbye."),
        row(f"en/{KEPT[0]}", "goodbye"),
        row(f"es/{KEPT[0]}", "goodbye"),
    ]
    training, held_out = split(rows)
    assert [r["id"] for r in training] == [f"es/{KEPT[0]}"]
    assert [r["id"] for r in held_out] == [f"en/{HELD_OUT}"]


def test_prompts_without_words_are_not_taken_for_one_another():
    training, _ = split([row(f"en/{HELD_OUT}"), row(f"en/{KEPT[0]}"), row(f"en/{KEPT[1]}")])
    assert len(training) == 2


def test_about_one_name_in_seven_is_held_out():
    share = np.mean([is_held_out(f"prompt-{i}") for i in range(2000)])
    assert share == pytest.approx(1 / 7, abs=0.02)


@pytest.mark.parametrize("name", ["beep", "silence/3", "tt-monkeys"])
def test_tones_and_silences_are_no_speech(name):
    assert not is_speech(name)
    assert is_speech("vm-goodbye")


def test_only_sentences_that_fit_in_every_language_are_bundled():
    languages = ("en", "es", "fr", "it", "ru")
    fitting = [(f"{lang}/{HELD_OUT}", 2.0) for lang in languages]
    assert len(bundled_ids(fitting)) == 5
    assert not bundled_ids([*fitting[:4], (f"ru/{HELD_OUT}", 20.0)])
    assert not bundled_ids([(f"{lang}/{KEPT[0]}", 2.0) for lang in languages])


def test_training_never_sees_a_held_out_recording(manifest):
    seen = load_prompts(manifest, held_out=False)
    unseen = load_prompts(manifest, held_out=True)
    names = {name_of(r["id"]) for r in seen.rows}
    assert seen.waves
    assert unseen.waves
    assert not names & {name_of(r["id"]) for r in unseen.rows}


def test_batches_are_a_function_of_seed_and_step(manifest):
    voices = load_prompts(manifest, held_out=False).by_language()
    first = cut_clips(voices, 1, 5, 3, 8000)
    cut_clips(voices, 1, 6, 3, 8000)
    np.testing.assert_array_equal(first, cut_clips(voices, 1, 5, 3, 8000))
    assert not np.array_equal(first, cut_clips(voices, 1, 6, 3, 8000))
    assert not np.array_equal(first, cut_clips(voices, 2, 5, 3, 8000))
    np.testing.assert_allclose(first.std(-1), 1, rtol=1e-3)


def test_masks_are_whole_spans_and_a_function_of_seed_and_step():
    mask = span_mask(1, 5, 4, 49, 0.08, 10)
    np.testing.assert_array_equal(mask, span_mask(1, 5, 4, 49, 0.08, 10))
    assert not np.array_equal(mask, span_mask(1, 6, 4, 49, 0.08, 10))
    edges = np.flatnonzero(np.diff(np.pad(mask[0].astype(int), 1)))
    assert np.all(np.diff(edges)[::2] >= 10)


def test_target_frames_are_the_encoder_s_frames(recipe):
    encoder = make_objective(recipe).model
    for samples in (8000, 12799, 12800):
        assert encoder._get_feat_extract_output_lengths(torch.tensor(samples)) == frames_of(samples)


def test_a_missing_manifest_says_how_to_make_one(tmp_path):
    with pytest.raises(RecipeError, match=r"recipes\.speech\.build"):
        load_prompts(tmp_path / "manifest.csv", held_out=False)


def test_a_file_that_is_no_manifest_is_refused(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(RecipeError, match="not a manifest"):
        load_prompts(path, held_out=False)

"""Transcripts become characters and back, errors are counted, and fine-tuning keeps its word."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_recipes import ROOT, tiny
from transformers import AutoModelForCTC, AutoProcessor

from recipes.mini_ssl import checkpoint
from recipes.mini_ssl.card import render
from recipes.mini_ssl.data import draw_prompts, load_prompts
from recipes.mini_ssl.encoders import load_encoder
from recipes.mini_ssl.evaluate import write_milestone
from recipes.mini_ssl.export import export, exported_name
from recipes.mini_ssl.objectives import make_objective
from recipes.mini_ssl.reading import reading_task
from recipes.mini_ssl.spelling import (
    SYMBOLS,
    character_error_rate,
    decode,
    edits,
    encode,
    read,
    spell,
)
from recipes.mini_ssl.train import train
from recipes.speech.build import read_manifest, write_manifest
from recipes.speech.errors import RecipeError


@pytest.fixture
def fine_tuning(encoder):
    return tiny("wav2vec2-mini-large-ctc", encoder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Call-Forward on No Answer.", "call forward on no answer"),
        ("... I'm  sorry!", "i'm sorry"),
        ("dash [-]", "dash"),
        ("Press 1 to mute", None),
        ("cost in $", None),
        ("...", None),
        ("", None),
    ],
)
def test_a_transcript_is_spelled_or_left_out_where_it_may_be_read_in_ways(text, words):
    assert spell(text) == words


def test_symbols_read_back_as_the_words_they_spell():
    assert read(encode("don't stop")) == "don't stop"
    a, b, blank = SYMBOLS.index("a"), SYMBOLS.index("b"), 0
    assert decode([blank, a, a, blank, a, b, b, blank]) == "aab"


def test_edits_are_insertions_deletions_and_substitutions():
    assert edits("kitten", "sitting") == 3
    assert edits("", "abc") == edits("abc", "") == 3
    assert character_error_rate(["abcd", "x"], ["abce", "xyzw"]) == 4 / 8


def test_the_front_end_stays_as_it_was_and_the_rest_does_not(
    fine_tuning, encoder, manifest, tmp_path
):
    list(train(fine_tuning, manifest, tmp_path))
    tuned = make_objective(fine_tuning)
    checkpoint.load(checkpoint.checkpoints(tmp_path)[-1], fine_tuning, tuned)
    after = tuned.model.base_model.state_dict()
    before = load_encoder(encoder).state_dict()
    for name, tensor in before.items():
        if name.startswith("feature_extractor"):
            assert torch.equal(after[name], tensor), name
    assert not torch.equal(
        after["encoder.layers.1.feed_forward.output_dense.weight"],
        before["encoder.layers.1.feed_forward.output_dense.weight"],
    )


def test_milestones_are_kept_exported_and_told(fine_tuning, manifest, tmp_path):
    list(train(fine_tuning, manifest, tmp_path / fine_tuning.name))
    kept = [path.stem for path in checkpoint.checkpoints(tmp_path / fine_tuning.name)]
    assert kept == ["step-000002", "step-000004", "step-000006"]
    twin = fine_tuning.twin()
    list(train(twin, manifest, tmp_path / twin.name))
    task = reading_task(fine_tuning, tmp_path, load_prompts(manifest, held_out=True))
    assert list(task["error_by_step"]) == [0, 2, 6]
    assert all(error >= 0 for error in [*task["error_by_step"].values(), task["random_error"]])

    name = exported_name(fine_tuning, 2)
    assert export(fine_tuning, tmp_path / fine_tuning.name, tmp_path / name, 2) == 2
    end = {"name": fine_tuning.name, "recipe": fine_tuning.as_dict(), "parameters": 1, "task": task}
    write_milestone(tmp_path / name, 2, end)
    result, config = (
        json.loads((tmp_path / name / f"{file}.json").read_text())
        for file in ("evaluation", "config")
    )
    assert "after 2 of 6 steps" in render(result, config)


def test_an_exported_reader_loads_with_its_head_and_its_letters(fine_tuning, manifest, tmp_path):
    list(train(fine_tuning, manifest, tmp_path / "training"))
    export(fine_tuning, tmp_path / "training", tmp_path / "model")
    model = load_encoder(tmp_path / "model", AutoModelForCTC)
    assert model.lm_head.out_features == len(SYMBOLS)
    tokenizer = AutoProcessor.from_pretrained(tmp_path / "model").tokenizer
    assert tokenizer("don't stop").input_ids == encode("don't stop")


def test_the_twin_is_the_same_network_from_other_weights(fine_tuning):
    trained, random = make_objective(fine_tuning), make_objective(fine_tuning.twin())
    ours, theirs = trained.model.state_dict(), random.model.state_dict()
    assert {k: t.shape for k, t in ours.items()} == {k: t.shape for k, t in theirs.items()}
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_corpus_without_transcripts_is_told(fine_tuning, manifest, tmp_path):
    rows = [
        {**row, "text": "", "path": str(manifest.parent / row["path"])}
        for row in read_manifest(manifest)
    ]
    write_manifest(tmp_path / "manifest.csv", rows)
    with pytest.raises(RecipeError, match="no prompt of language 'en' has a transcript"):
        next(train(fine_tuning, tmp_path / "manifest.csv", tmp_path))


def test_a_batch_is_of_prompts_of_like_lengths_by_seed_and_step():
    lengths = np.random.default_rng(0).integers(10_000, 90_000, 200)
    first = draw_prompts(lengths, 1, 5, 8, 80_000)
    assert first == draw_prompts(lengths, 1, 5, 8, 80_000)
    assert first != draw_prompts(lengths, 1, 6, 8, 80_000)
    assert len(set(first)) == 8
    drawn = [lengths[draw_prompts(lengths, 1, step, 8, 80_000)] for step in range(100)]
    assert all(batch.max() <= 80_000 for batch in drawn)
    assert np.mean([np.ptp(batch) for batch in drawn]) < 40_000
    assert np.ptp([batch.mean() for batch in drawn]) > 40_000


def test_few_prompts_make_smaller_batches():
    assert sorted(draw_prompts([8000, 9000, 7000], 1, 0, 8, 9000)) == [0, 1, 2]
    assert len(draw_prompts([8000] * 10, 1, 0, 8, 9000)) == 5


def test_prompts_longer_than_a_clip_are_told(fine_tuning, manifest, tmp_path):
    with pytest.raises(RecipeError, match=r"no prompt is as short as 0\.1 s: raise seconds"):
        next(train(replace(fine_tuning, seconds=0.1), manifest, tmp_path))


def test_a_missing_or_damaged_start_is_told(fine_tuning, encoder, tmp_path):
    task = fine_tuning.task | {"start": str(tmp_path / "nowhere")}
    with pytest.raises(RecipeError, match="nowhere holds no model"):
        make_objective(replace(fine_tuning, task=task))
    folder = tmp_path / "cut"
    folder.mkdir()
    for path in encoder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes()[: 900 if "safe" in path.name else None])
    with pytest.raises(RecipeError, match="cut is damaged"):
        make_objective(replace(fine_tuning, task=fine_tuning.task | {"start": str(folder)}))


def test_a_missing_package_is_one_line(tmp_path):
    code = (
        "import sys, importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'sklearn' else found(name, *a)\n"
        "import recipes.mini_ssl"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: the recipes need scikit-learn")

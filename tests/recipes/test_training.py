"""Objectives learn, interruptions leave no trace, and damage is told."""

import json
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel
from transformers.utils import logging

from recipes.mini_ssl import checkpoint
from recipes.mini_ssl.card import main as card_main
from recipes.mini_ssl.config import Recipe, load_recipe
from recipes.mini_ssl.data import load_prompts
from recipes.mini_ssl.export import export
from recipes.mini_ssl.export import main as export_main
from recipes.mini_ssl.objectives import batches_of, make_objective, negatives
from recipes.mini_ssl.train import LOG, make_optimizer, train, train_step
from recipes.mini_ssl.train import main as train_main
from recipes.speech.errors import RecipeError, exit_code

HUBERT = Path(__file__).parents[2] / "recipes/mini_ssl/configs/hubert-mini.yaml"


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_each_objective_learns_a_batch(recipe, manifest):
    recipe = replace(recipe, steps=60)
    data = batches_of(recipe, load_prompts(manifest, held_out=False), recipe.seed)
    model = make_objective(recipe)
    model.prepare(data.waves(i) for i in range(3))
    adam = make_optimizer(recipe, model)
    losses = [train_step(recipe, model, adam, data[0], s)["loss"] for s in range(recipe.steps)]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


def test_a_resumed_run_equals_an_uninterrupted_one(recipe, manifest, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    list(train(recipe, manifest, whole))
    list(islice(train(recipe, manifest, cut), 5))  # stops past the checkpoint of step 2
    list(train(recipe, manifest, cut))
    assert states(whole) == states(cut)
    assert lines(whole) == lines(cut)


def states(folder):
    """Bytes of every tensor of the last checkpoint."""
    tensors = load_file(checkpoint.checkpoints(folder)[-1])
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def lines(folder):
    """Log without what a clock put in."""
    read = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in read]


def test_a_cut_checkpoint_is_told_and_the_one_before_still_works(recipe, manifest, tmp_path):
    list(train(recipe, manifest, tmp_path))
    whole = states(tmp_path)
    last = checkpoint.checkpoints(tmp_path)[-1]
    last.write_bytes(last.read_bytes()[:5000])
    with pytest.raises(RecipeError, match=r"step-000006\.safetensors is damaged"):
        next(train(recipe, manifest, tmp_path))
    last.unlink()
    list(train(recipe, manifest, tmp_path))
    assert states(tmp_path) == whole


def test_another_recipe_does_not_go_on_from_a_checkpoint(recipe, manifest, tmp_path):
    list(train(recipe, manifest, tmp_path))
    with pytest.raises(RecipeError, match="learning_rate differ"):
        next(train(replace(recipe, learning_rate=1.0), manifest, tmp_path))


def test_exported_encoders_load_whole(recipe, manifest, tmp_path):
    list(train(recipe, manifest, tmp_path / "training"))
    assert export(recipe, tmp_path / "training", tmp_path / "model") == recipe.steps
    logging.set_verbosity_error()
    model, info = AutoModel.from_pretrained(
        tmp_path / "model",
        use_safetensors=True,
        dtype=torch.float32,
        attn_implementation="eager",
        output_loading_info=True,
    )
    assert not info["missing_keys"]
    assert not info["mismatched_keys"]
    trained = make_objective(recipe)
    checkpoint.load(checkpoint.checkpoints(tmp_path / "training")[-1], recipe, trained)
    expected = trained.model.base_model.state_dict()
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, expected[name].half().float())


def test_negatives_are_other_masked_frames_of_the_same_clip():
    mask = torch.zeros(3, 20, dtype=torch.bool)
    mask[0, :4] = mask[1, 5:] = mask[2, ::2] = True
    clip_of = mask.nonzero()[:, 0]
    drawn = negatives(mask, 30)
    assert drawn.shape == (len(clip_of), 30)
    assert (clip_of[drawn] == clip_of.unsqueeze(1)).all()
    assert (drawn != torch.arange(len(drawn)).unsqueeze(1)).all()


def test_the_learning_rate_rises_then_falls_to_nothing(recipe):
    recipe = replace(recipe, steps=100, warmup=10, learning_rate=1.0)
    rates = [recipe.learning_rate_at(step) for step in range(101)]
    assert rates[9] == max(rates) == 1.0
    assert rates[100] == 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("steps:", "stepz:"), "stepz"),
        (("steps: ", "steps: many # "), "steps is 'many', not of type int"),
        (("save_every: ", "save_every: 7 # "), "multiple"),
        (("name:", "\tname:"), "not a recipe"),
    ],
)
def test_a_wrong_setting_is_named(change, message, tmp_path):
    text = HUBERT.read_text()
    path = tmp_path / "recipe.yaml"
    path.write_text(text.replace(*change, 1))
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


def test_an_unknown_objective_lists_the_known_ones(recipe):
    with pytest.raises(RecipeError, match="ctc, hubert, wav2vec2"):
        make_objective(replace(recipe, objective="wavlm"))


def test_a_missing_task_setting_is_named(recipe):
    with pytest.raises(RecipeError, match="lacks the setting"):
        make_objective(replace(recipe, task={}))


def test_recipes_keep_their_settings(recipe):
    assert Recipe(**recipe.as_dict()) == recipe


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (train_main, ["nowhere.yaml"]),
        (train_main, [str(HUBERT), "--manifest", "nowhere.csv", "--output", "out"]),
        (export_main, [str(HUBERT), "--training", "nowhere"]),
        (card_main, ["nowhere"]),
    ],
)
def test_commands_fail_in_one_line(command, arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["command", *arguments])
    assert exit_code(command) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "nowhere" in line

"""Pretrain or fine-tune a miniature model, or go on from its last checkpoint.

Run from the root of the repository::

    python -m recipes.mini_ssl.train recipes/mini_ssl/configs/hubert-mini.yaml

A run that was cut off continues with the same command, and ends with the same bits.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn, optim
from transformers.utils import logging

from recipes.mini_ssl import checkpoint
from recipes.mini_ssl.config import Recipe, load_recipe
from recipes.mini_ssl.data import load_prompts
from recipes.mini_ssl.objectives import Stats, batches_of, make_objective
from recipes.speech.errors import RecipeError, exit_code

BETAS, EPSILON = (0.9, 0.98), 1e-6
FITTING_BATCHES = 60  # about 100 000 frames for k-means
EVALUATION_BATCHES = 4
EVALUATION_SEED = 2**31  # no recipe's seed, so that held-out batches are all recipes' own
LOG = "log.jsonl"


def make_optimizer(recipe: Recipe, model: nn.Module) -> optim.AdamW:
    """AdamW; vectors (norms, biases, the mask) are not decayed."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return optim.AdamW(groups, betas=BETAS, eps=EPSILON)


def train_step(
    recipe: Recipe, model: nn.Module, adam: optim.AdamW, batch: tuple, step: int
) -> Stats:
    """Take one step, seeded by its number."""
    torch.manual_seed(recipe.seed * 1_000_003 + step)
    for group in adam.param_groups:
        group["lr"] = recipe.learning_rate_at(step)
    model.train()
    loss, stats = model(*batch, step)
    adam.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
    if not torch.isfinite(norm):
        raise RecipeError(f"the gradient is not finite at step {step}: lower learning_rate")
    adam.step()
    return stats


@torch.no_grad()
def evaluate(model: nn.Module, batches: Iterable[tuple], step: int) -> Stats:
    """Return statistics on batches of held-out speech, without dropout."""
    model.eval()
    seen = []
    for index, batch in enumerate(batches):
        torch.manual_seed(index)  # contrastive coding draws negatives
        seen.append(model(*batch, step)[1])
    return mean_of(seen)


def mean_of(stats: list[Stats]) -> Stats:
    """Return the mean of each statistic."""
    return {key: float(np.mean([s[key] for s in stats])) for key in stats[0]}


def rewind_log(path: Path, step: int) -> None:
    """Drop log lines later than a step: the steps behind them are taken again."""
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
        partial = path.with_suffix(".partial")
        partial.write_text("".join(kept), encoding="utf-8")
        partial.replace(path)


def report(path: Path, line: dict) -> None:
    """Append a line to the log."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def train(recipe: Recipe, manifest: Path, folder: Path) -> Iterator[dict]:
    """Train from the last checkpoint in `folder`, or from the start, yielding the log lines.

    It may be cut off anywhere: what was done since the last checkpoint is done again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = batches_of(recipe, load_prompts(manifest, held_out=False), recipe.seed)
    unseen_data = batches_of(recipe, load_prompts(manifest, held_out=True), EVALUATION_SEED)
    unseen_batches = [unseen_data[index] for index in range(EVALUATION_BATCHES)]
    model = make_objective(recipe)
    adam = make_optimizer(recipe, model)
    log = folder / LOG
    if saved := checkpoint.checkpoints(folder):
        start = checkpoint.load(saved[-1], recipe, model, adam)
    else:
        start = 0
        # steps counted from the far end, so that fitting sees no batch twice
        model.prepare(data.waves(recipe.steps + i) for i in range(FITTING_BATCHES))
    rewind_log(log, start)
    window: list[Stats] = []
    began = time.monotonic()
    for step in range(start, recipe.steps):
        window.append(train_step(recipe, model, adam, data[step], step))
        done = step + 1
        if done % recipe.report_every == 0 or done == recipe.steps:
            line = {"step": done, "split": "train", **mean_of(window)}
            line["seconds"] = round((time.monotonic() - began) / len(window), 4)
            report(log, line)
            yield line
            window, began = [], time.monotonic()
        if done % recipe.save_every == 0 or done == recipe.steps:
            line = {"step": done, "split": "held-out", **evaluate(model, unseen_batches, done)}
            report(log, line)
            yield line
            checkpoint.save(folder, recipe, done, model, adam)
            began = time.monotonic()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path, help="YAML file of the model")
    parser.add_argument("--manifest", type=Path, default=Path("data/speech/manifest.csv"))
    parser.add_argument("--output", type=Path, default=Path("training"))
    parser.add_argument("--threads", type=int, default=1, help="the bits depend on this number")
    parser.add_argument(
        "--twin", action="store_true", help="fine-tune the same network from random weights"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    recipe = load_recipe(arguments.recipe)
    if arguments.twin:
        if recipe.objective != "ctc":
            raise RecipeError(f"--twin is for fine-tuning: {arguments.recipe} pretrains")
        recipe = recipe.twin()
    for line in train(recipe, arguments.manifest, arguments.output / recipe.name):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(exit_code(main))

"""How well fine-tuned models read held-out prompts: character error rates along the way."""

from pathlib import Path
from typing import Any

import torch

from recipes.mini_ssl.batches import pad
from recipes.mini_ssl.config import Recipe
from recipes.mini_ssl.data import Prompts, frames_of, normalise
from recipes.mini_ssl.export import restore
from recipes.mini_ssl.objectives import Reading, best_paths, make_objective
from recipes.mini_ssl.spelling import character_error_rate


@torch.no_grad()
def error_of(objective: Reading, prompts: Prompts, language: str) -> float:
    """Character error rate of the best paths on prompts, each read by itself."""
    objective.eval()
    waves, said = prompts.transcribed(language)
    heard = []
    for wave in waves:
        samples, lengths = pad([normalise(wave / 2**15)])
        heard += best_paths(objective.logits(samples, lengths), frames_of(lengths))
    return character_error_rate(heard, said)


def reading_task(recipe: Recipe, training: Path, unseen: Prompts) -> dict[str, Any]:
    """Character error rates before, along and after fine-tuning, and from random weights.

    Before fine-tuning the head for characters has random weights: it knows nothing.
    """
    language = recipe.task["language"]
    _, said = unseen.transcribed(language)
    by_step = {0: error_of(make_objective(recipe), unseen, language)}
    for milestone in (*recipe.task.get("milestones", ()), None):
        objective, step = restore(recipe, training / recipe.name, milestone)
        by_step[step] = error_of(objective, unseen, language)
    twin, twin_steps = restore(recipe.twin(), training / recipe.twin().name)
    return {
        "prompts": len(said),
        "characters": sum(map(len, said)),
        "error_by_step": by_step,
        "error": by_step[max(by_step)],
        "random_error": error_of(twin, unseen, language),
        "random_steps": twin_steps,
    }

"""Checkpoints: all tensors in one safetensors file, replaced in one move.

Nothing random needs saving: every step seeds its own generators from the recipe's seed and the
step's number.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn, optim

from recipes.mini_ssl.config import Recipe
from recipes.speech.errors import RecipeError

MOMENTS = ("exp_avg", "exp_avg_sq", "step")
KEPT = 2  # the newest, and one before it should the newest be lost; milestones besides


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, oldest first."""
    return sorted(p for p in folder.glob("*.safetensors") if re.fullmatch(r"step-\d{6}", p.stem))


def at_step(folder: Path, step: int) -> Path:
    """Name the checkpoint of a step."""
    return folder / f"step-{step:06d}.safetensors"


def trained(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the parameters that training changes, by name."""
    return ((name, p) for name, p in model.named_parameters() if p.requires_grad)


def save(folder: Path, recipe: Recipe, step: int, model: nn.Module, adam: optim.AdamW) -> None:
    """Write the state after `step` steps, and drop checkpoints no longer needed."""
    tensors = {f"model/{name}": t for name, t in model.state_dict().items()}
    for name, parameter in trained(model):
        for moment, tensor in adam.state[parameter].items():
            tensors[f"adam/{moment}/{name}"] = tensor
    path = at_step(folder, step)
    partial = path.with_suffix(".partial")
    metadata = {"step": str(step), "recipe": json.dumps(recipe.as_dict())}
    save_file({k: t.contiguous() for k, t in tensors.items()}, partial, metadata)
    partial.replace(path)
    milestones = {at_step(folder, each) for each in recipe.task.get("milestones", ())}
    for old in checkpoints(folder)[:-KEPT]:
        if old not in milestones:
            old.unlink()


def load(path: Path, recipe: Recipe, model: nn.Module, adam: optim.AdamW | None = None) -> int:
    """Restore a checkpoint into a model, and an optimizer if given; return its step."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no dict)
    except (SafetensorError, OSError) as error:
        raise RecipeError(
            f"{path} is damaged or missing ({error}): delete it to go on from the one before"
        ) from error
    saved = json.loads(metadata["recipe"])
    if saved != json.loads(json.dumps(recipe.as_dict())):
        changed = sorted(k for k, v in recipe.as_dict().items() if saved.get(k) != v)
        raise RecipeError(
            f"{path} was made by another recipe ({', '.join(changed)} differ): "
            "restore the recipe or train in a new folder"
        )
    model.load_state_dict(
        {k.removeprefix("model/"): t for k, t in tensors.items() if k.startswith("model/")}
    )
    if adam is not None:
        for name, parameter in trained(model):
            adam.state[parameter] = {m: tensors[f"adam/{m}/{name}"] for m in MOMENTS}
    return int(metadata["step"])

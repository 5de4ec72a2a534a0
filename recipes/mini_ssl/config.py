"""A model's recipe: everything that decides its weights, read from YAML."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_origin

import yaml

from recipes.speech.errors import RecipeError


@dataclass(frozen=True)
class Recipe:
    """Settings of one pretraining.

    Attributes
    ----------
    name
        Name of the model and of its folders.
    objective
        ``hubert`` or ``wav2vec2``.
    seed
        Seed of weights, batches, masks, negatives and dropout.
    clips, seconds
        Clips in a batch and the length of each.
    mask_start, mask_length
        Share of frames at which a masked span starts, and its length in frames.
    steps, warmup, learning_rate, weight_decay, clip_norm
        AdamW with linear warm-up and linear decay to zero.
    report_every, save_every
        Steps between log lines, and between checkpoints and held-out evaluations.
    encoder
        Arguments of the model's Hugging Face configuration.
    task
        Arguments of the objective.
    """

    name: str
    objective: str
    seed: int
    clips: int
    seconds: float
    mask_start: float
    mask_length: int
    steps: int
    warmup: int
    learning_rate: float
    weight_decay: float
    clip_norm: float
    report_every: int
    save_every: int
    encoder: dict[str, Any]
    task: dict[str, Any]

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            kind = {float: float | int}.get(field.type, get_origin(field.type) or field.type)
            if not isinstance(value, kind):
                raise RecipeError(f"{field.name} is {value!r}, not of type {field.type.__name__}")
        if self.save_every % self.report_every:
            # else a resumed run would average a log line over other steps
            raise RecipeError("save_every must be a multiple of report_every")

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        rising = (step + 1) / self.warmup
        falling = (self.steps - step) / max(1, self.steps - self.warmup)
        return self.learning_rate * min(1.0, rising, falling)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return asdict(self)


def load_recipe(path: Path) -> Recipe:
    """Read a recipe, refusing settings it does not know and settings that are missing."""
    try:
        return Recipe(**yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise RecipeError(f"{path} does not exist: name a YAML file with a recipe") from error
    except (TypeError, yaml.YAMLError, RecipeError) as error:
        reason = str(error).replace("\n", " ").replace("Recipe.__init__() ", "")
        raise RecipeError(f"{path} is not a recipe: {reason}") from error

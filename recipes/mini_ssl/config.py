"""A model's recipe: everything that decides its weights, read from YAML."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_origin

import yaml

from recipes.speech.errors import RecipeError


@dataclass(frozen=True)
class Recipe:
    """Settings of one training.

    Attributes
    ----------
    name
        Name of the model and of its folders.
    objective
        ``hubert`` or ``wav2vec2`` to pretrain, ``ctc`` to fine-tune.
    seed
        Seed of weights, batches, masks, negatives and dropout.
    clips, seconds
        Clips in a batch and the length of each; to fine-tune, the most that a clip may last.
    mask_start, mask_length
        Share of frames at which a masked span starts, and its length in frames.
    steps, warmup, learning_rate, weight_decay, clip_norm
        AdamW with linear warm-up and linear decay to zero.
    report_every, save_every
        Steps between log lines, and between checkpoints and held-out evaluations.
    encoder
        Arguments of the model's Hugging Face configuration; to fine-tune, what to change in it.
    task
        Arguments of the objective. ``hubert``: ``clusters``, and ``bands`` of the log-mel frames or
        the ``teacher`` (a folder) and its ``layer``, counted from 1, whose states are clustered.
        ``wav2vec2``: ``temperature``, first and last, and ``cooling``. ``ctc``: ``start`` (a
        folder), ``language``, ``milestones``, the steps whose checkpoints are kept, and
        ``random``, true to take the start's architecture alone.
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

    def twin(self) -> "Recipe":
        """Return the same fine-tuning of the same network from random weights."""
        return replace(self, name=f"{self.name}-random", task=self.task | {"random": True})

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

"""Exported encoders, loaded as a user loads them, and their architecture with random weights."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModel, PreTrainedModel

from recipes.speech.errors import RecipeError


def load_encoder(folder: Path, kind: type = AutoModel, **changes: object) -> PreTrainedModel:
    """Load an exported model for computing in float32.

    Parameters
    ----------
    folder
        As `recipes.mini_ssl.export` writes it.
    kind
        Class of the model, such as `AutoModelForCTC`.
    changes
        Settings of its configuration to change.
    """
    try:
        return kind.from_pretrained(
            checked(folder),
            use_safetensors=True,
            local_files_only=True,
            dtype=torch.float32,
            attn_implementation="eager",
            **changes,
        )
    except SafetensorError as error:
        raise RecipeError(f"{folder} is damaged ({error}): export the model again") from error


def new_encoder(folder: Path, kind: type = AutoModel, **changes: object) -> PreTrainedModel:
    """Return the architecture of an exported model with weights drawn from torch's generator."""
    config = AutoConfig.from_pretrained(checked(folder), local_files_only=True, **changes)
    return kind.from_config(config, attn_implementation="eager", dtype=torch.float32)


def checked(folder: Path) -> Path:
    """Return a folder that holds a model."""
    if not (folder / "config.json").exists():
        raise RecipeError(
            f"{folder} holds no model: export it with `python -m recipes.mini_ssl.export`"
        )
    return folder

"""Export a trained encoder as a Hugging Face folder with float16 weights.

Run from the root of the repository::

    python -m recipes.mini_ssl.export recipes/mini_ssl/configs/hubert-mini.yaml

HuBERT is exported as `HubertModel`, wav2vec 2.0 as `Wav2Vec2ForPreTraining` (encoder and
quantizer), as published checkpoints are; both load with `transformers.AutoModel`.
"""

import argparse
import shutil
import sys
from pathlib import Path

import torch
from transformers import Wav2Vec2FeatureExtractor
from transformers.utils import logging

from recipes.mini_ssl import checkpoint
from recipes.mini_ssl.config import Recipe, load_recipe
from recipes.mini_ssl.data import RATE
from recipes.mini_ssl.objectives import make_objective
from recipes.speech.errors import RecipeError, exit_code


def restore(recipe: Recipe, folder: Path) -> tuple[torch.nn.Module, int]:
    """Return a recipe's objective as its last checkpoint left it, and the steps taken."""
    saved = checkpoint.checkpoints(folder)
    if not saved:
        raise RecipeError(f"{folder} holds no checkpoint: run `python -m recipes.mini_ssl.train`")
    objective = make_objective(recipe)
    return objective.eval(), checkpoint.load(saved[-1], recipe, objective)


def export(recipe: Recipe, training: Path, output: Path) -> int:
    """Replace the files of a model in `output`; return the steps it was trained for."""
    objective, step = restore(recipe, training)
    scratch = output.with_name(output.name + ".partial")
    shutil.rmtree(scratch, ignore_errors=True)
    objective.model.half().save_pretrained(scratch)
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=True)
    extractor.save_pretrained(scratch)
    output.mkdir(parents=True, exist_ok=True)
    for path in sorted(scratch.iterdir()):
        path.chmod(0o644)  # safetensors files come readable by their owner alone
        path.replace(output / path.name)
    scratch.rmdir()
    return step


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path, help="YAML file of the model")
    parser.add_argument("--training", type=Path, default=Path("training"))
    parser.add_argument("--output", type=Path, default=Path("src/assonance/demo/models"))
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    recipe = load_recipe(arguments.recipe)
    output = arguments.output / recipe.name
    step = export(recipe, arguments.training / recipe.name, output)
    print(f"{recipe.name} after {step} steps in {output}")


if __name__ == "__main__":
    sys.exit(exit_code(main))

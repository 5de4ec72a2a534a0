"""Export a trained encoder as a Hugging Face folder with float16 weights.

Run from the root of the repository::

    python -m recipes.mini_ssl.export recipes/mini_ssl/configs/hubert-mini.yaml

HuBERT is exported as `HubertModel`, wav2vec 2.0 as `Wav2Vec2ForPreTraining` (encoder and
quantizer), fine-tuned ones with their head for characters and a tokenizer, as published checkpoints
are; all load with `transformers.AutoModel`.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2Processor
from transformers.utils import logging

from recipes.mini_ssl import checkpoint
from recipes.mini_ssl.config import Recipe, load_recipe
from recipes.mini_ssl.data import RATE
from recipes.mini_ssl.objectives import make_objective
from recipes.mini_ssl.spelling import BLANK, SYMBOLS
from recipes.speech.errors import RecipeError, exit_code


def restore(
    recipe: Recipe, folder: Path, milestone: int | None = None
) -> tuple[torch.nn.Module, int]:
    """Return a recipe's objective as a checkpoint left it, the last by default, and its step."""
    saved = checkpoint.checkpoints(folder)
    if milestone is not None:
        saved = [path for path in saved if path == checkpoint.at_step(folder, milestone)]
    if not saved:
        which = "" if milestone is None else f" of step {milestone}"
        raise RecipeError(
            f"{folder} holds no checkpoint{which}: run `python -m recipes.mini_ssl.train`"
        )
    objective = make_objective(recipe)
    return objective.eval(), checkpoint.load(saved[-1], recipe, objective)


def export(recipe: Recipe, training: Path, output: Path, milestone: int | None = None) -> int:
    """Replace the files of a model in `output`; return the steps it was trained for."""
    objective, step = restore(recipe, training, milestone)
    scratch = output.with_name(output.name + ".partial")
    shutil.rmtree(scratch, ignore_errors=True)
    objective.model.half().save_pretrained(scratch)
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=True)
    if recipe.objective == "ctc":
        Wav2Vec2Processor(extractor, tokenizer(scratch)).save_pretrained(scratch)
    else:
        extractor.save_pretrained(scratch)
    output.mkdir(parents=True, exist_ok=True)
    for path in sorted(scratch.iterdir()):
        path.chmod(0o644)  # safetensors files come readable by their owner alone
        path.replace(output / path.name)
    scratch.rmdir()
    return step


def tokenizer(folder: Path) -> Wav2Vec2CTCTokenizer:
    """Tokenizer of the characters; its vocabulary is written into the folder."""
    path = folder / "vocab.json"
    path.write_text(json.dumps({symbol: index for index, symbol in enumerate(SYMBOLS)}), "utf-8")
    return Wav2Vec2CTCTokenizer(
        path, pad_token=BLANK, unk_token=BLANK, bos_token=None, eos_token=None
    )


def exported_name(recipe: Recipe, milestone: int | None) -> str:
    """Name of a model, or of a milestone on the way to it."""
    return recipe.name if milestone is None else f"{recipe.name}-step{milestone}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path, help="YAML file of the model")
    parser.add_argument("--training", type=Path, default=Path("training"))
    parser.add_argument("--output", type=Path, default=Path("src/assonance/demo/models"))
    parser.add_argument("--milestone", type=int, metavar="STEP", help="a step on the way")
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    recipe = load_recipe(arguments.recipe)
    milestone = arguments.milestone
    output = arguments.output / exported_name(recipe, milestone)
    step = export(recipe, arguments.training / recipe.name, output, milestone)
    print(f"{recipe.name} after {step} steps in {output}")


if __name__ == "__main__":
    sys.exit(exit_code(main))

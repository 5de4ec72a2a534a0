"""Measure what a model learned, on speech that it was not trained on.

Run from the root of the repository, after exporting it and a partner of the other objective::

    python -m recipes.mini_ssl.evaluate recipes/mini_ssl/configs/hubert-mini.yaml wav2vec2-mini

Writes ``evaluation.json`` into the model's folder: settings, training curve, and every number of
its card. The exported weights are measured; only the task itself is measured on the training
checkpoints, which have the head of HuBERT and the steps on the way of a fine-tuning.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel
from transformers.utils import logging

from recipes.mini_ssl.config import Recipe, load_recipe
from recipes.mini_ssl.data import RATE, Prompts, load_prompts, normalise
from recipes.mini_ssl.encoders import load_encoder, new_encoder
from recipes.mini_ssl.export import exported_name, restore
from recipes.mini_ssl.objectives import MaskedPrediction, batches_of
from recipes.mini_ssl.probes import predicted_share, probe_accuracy
from recipes.mini_ssl.reading import reading_task
from recipes.mini_ssl.train import EVALUATION_BATCHES, EVALUATION_SEED, LOG, evaluate
from recipes.speech.errors import exit_code
from recipes.speech.split import name_of

TASK_BATCHES = 40  # 24 minutes of held-out clips
SHORTEST = 1.0  # seconds; a letter or a digit says little about its language
RANDOM_SEEDS = (101, 102, 103)
CURVE_POINTS = 10

Layers = list[list[np.ndarray]]  # layer by layer, utterance by utterance: frames × neurons


def task_result(recipe: Recipe, training: Path, unseen: Prompts) -> dict[str, Any]:
    """How well a model does what it was trained for, on held-out speech."""
    if recipe.objective == "ctc":
        return reading_task(recipe, training, unseen)
    return pretraining_task(recipe, training / recipe.name, unseen)


def pretraining_task(recipe: Recipe, training: Path, unseen: Prompts) -> dict[str, float]:
    """Statistics of the pretraining task on held-out clips, beside what guessing would give."""
    objective, step = restore(recipe, training)
    data = batches_of(recipe, unseen, EVALUATION_SEED)
    batches = [data[index] for index in range(TASK_BATCHES)]
    stats = evaluate(objective, batches, step) | {"batches": TASK_BATCHES}
    if isinstance(objective, MaskedPrediction):
        counts = torch.cat([objective.targets(waves)[mask] for waves, mask in batches]).bincount()
        stats["guessing"] = (counts.max() / counts.sum()).item()
        stats["clusters"] = recipe.task["clusters"]
    else:
        choices = recipe.encoder["num_negatives"] + 1
        groups = recipe.encoder["num_codevector_groups"]
        stats["guessing"] = 1 / choices
        stats["codes"] = groups * recipe.encoder["num_codevectors_per_group"]
    return stats


@torch.no_grad()
def layers_of(model: PreTrainedModel, waves: list[np.ndarray]) -> Layers:
    """Hidden states of each utterance by itself, unpadded."""
    model.eval()
    by_utterance = []
    for wave in waves:
        samples = torch.from_numpy(normalise(wave / 2**15)).unsqueeze(0)
        states = model(samples, output_hidden_states=True).hidden_states
        by_utterance.append([state[0].numpy() for state in states])
    return [list(layer) for layer in zip(*by_utterance, strict=True)]


def untrained(folder: Path, seed: int) -> PreTrainedModel:
    """Return an exported encoder's architecture with random weights."""
    torch.manual_seed(seed)
    return new_encoder(folder).float()


def probe_layers(layers: Layers, rows: list[dict[str, str]]) -> dict[str, list[float]]:
    """Accuracy of language probes on the mean of each utterance, layer by layer.

    Across all languages a probe may lean on the voice; English and Spanish are the same voice.
    """
    languages = np.array([row["language"] for row in rows])
    sentences = np.array([name_of(row["id"]) for row in rows])
    one_voice = np.isin(languages, ["en", "es"])
    five, two = [], []
    for layer in layers:
        means = np.stack([states.mean(0) for states in layer])
        five.append(probe_accuracy(means, languages, sentences))
        two.append(probe_accuracy(means[one_voice], languages[one_voice], sentences[one_voice]))
    return {"five_languages": five, "one_voice": two}


def mean_over(results: list[dict[str, list[float]]]) -> dict[str, list[float]]:
    """Average of several networks' results."""
    return {key: np.mean([r[key] for r in results], axis=0).tolist() for key in results[0]}


def shared_space(source: Layers, target: Layers, sentences: list[str]) -> list[float]:
    """Share of each layer of `target` that the same layer of `source` predicts."""
    pairs = zip(source, target, strict=True)
    return [predicted_share(x, y, sentences) for x, y in pairs]


def curve(log: Path) -> list[dict[str, float]]:
    """Return a few evenly spread points of the training log, the last included."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    unseen = {line["step"]: line for line in lines if line["split"] == "held-out"}
    seen = {line["step"]: line for line in lines if line["split"] == "train"}
    steps = sorted(unseen)
    chosen = {steps[round(i)] for i in np.linspace(0, len(steps) - 1, CURVE_POINTS)}
    keys = ("loss", "accuracy", "perplexity", "character_error_rate")
    return [
        {
            "step": step,
            **{f"train_{k}": seen[step][k] for k in keys if k in seen[step]},
            **{f"held_out_{k}": unseen[step][k] for k in keys if k in unseen[step]},
        }
        for step in sorted(chosen)
    ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path, help="YAML file of the model")
    parser.add_argument("partner", help="name of an exported model of as many layers")
    parser.add_argument("--manifest", type=Path, default=Path("data/speech/manifest.csv"))
    parser.add_argument("--training", type=Path, default=Path("training"))
    parser.add_argument("--models", type=Path, default=Path("src/assonance/demo/models"))
    arguments = parser.parse_args()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    evaluate_model(
        load_recipe(arguments.recipe),
        arguments.partner,
        arguments.manifest,
        arguments.training,
        arguments.models,
    )


def evaluate_model(
    recipe: Recipe, partner: str, manifest: Path, training: Path, models: Path
) -> None:
    """Evaluate a model by itself and against a partner, and write the results."""
    seen = load_prompts(manifest, held_out=False)
    unseen = load_prompts(manifest, held_out=True)
    long = [len(wave) >= SHORTEST * RATE for wave in unseen.waves]
    rows = [row for row, keep in zip(unseen.rows, long, strict=True) if keep]
    waves = [wave for wave, keep in zip(unseen.waves, long, strict=True) if keep]
    sentences = [name_of(row["id"]) for row in rows]

    folder = models / recipe.name
    network = load_encoder(folder)
    own = layers_of(network, waves)
    probes, floors = [], []
    for seed in RANDOM_SEEDS:
        probes.append(probe_layers(layers_of(untrained(folder, seed), waves), rows))
        other = layers_of(untrained(models / partner, seed), waves)
        floors.append(shared_space(other, own, sentences))
    other = layers_of(load_encoder(models / partner), waves)
    logs = training / recipe.name
    result = {
        "name": recipe.name,
        "partner": partner,
        "recipe": recipe.as_dict(),
        "steps": restore(recipe, logs)[1],
        "parameters": sum(p.numel() for p in network.parameters()),
        "speech": {
            **amount_of_training(recipe, seen),
            "held_out_prompts": len(unseen.waves),
            "held_out_minutes": unseen.seconds / 60,
            "measured_prompts": len(waves),
            "measured_minutes": sum(map(len, waves)) / RATE / 60,
        },
        "curve": curve(logs / LOG),
        "curve_batches": EVALUATION_BATCHES,
        "task": task_result(recipe, training, unseen),
        "probe": {
            "trained": probe_layers(own, rows),
            "random": mean_over(probes),
            "random_networks": len(RANDOM_SEEDS),
        },
        "predicted_by_partner": {
            "trained": shared_space(other, own, sentences),
            "random": np.mean(floors, axis=0).tolist(),
        },
    }
    write_json(folder / "evaluation.json", result)
    print(folder / "evaluation.json")
    for step in recipe.task.get("milestones", ()):
        write_milestone(models / exported_name(recipe, step), step, result)


def write_milestone(folder: Path, step: int, end: dict[str, Any]) -> None:
    """Write what is known of a milestone, if it was exported, beside the model it led to."""
    if folder.exists():
        shared = {key: end[key] for key in ("recipe", "parameters")}
        error = end["task"]["error_by_step"][step]
        result = {"name": folder.name, "end": end["name"], "steps": step, "error": error, **shared}
        write_json(folder / "evaluation.json", result)
        print(folder / "evaluation.json")


def amount_of_training(recipe: Recipe, seen: Prompts) -> dict[str, float]:
    """Prompts and minutes that a model was trained on."""
    waves = seen.waves
    if recipe.objective == "ctc":
        waves, _ = seen.transcribed(recipe.task["language"])
    return {
        "training_prompts": len(waves),
        "training_minutes": sum(map(len, waves)) / RATE / 60,
    }


def write_json(path: Path, result: dict) -> None:
    """Write rounded results in one move."""
    rounded = json.loads(json.dumps(result), parse_float=lambda digits: round(float(digits), 5))
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(exit_code(main))

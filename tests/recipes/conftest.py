"""A corpus and recipes small enough to train on in seconds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recipes.mini_ssl.config import load_recipe
from recipes.mini_ssl.export import export
from recipes.mini_ssl.train import train
from recipes.speech.build import RATE, write_manifest

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "recipes/mini_ssl/configs"
WORDS = ("one", "two", "three")


@pytest.fixture(scope="session")
def manifest(tmp_path_factory):
    """Coloured noise in two languages, 30 prompts each, some of them held out by name."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    rows = []
    for language in ("en", "it"):
        for index in range(30):
            noise = rng.normal(size=RATE // 2 + 800 * index)
            wave = np.convolve(noise, rng.normal(size=16), "same") / 30
            path = f"{language}-{index}.wav"
            soundfile.write(folder / path, wave, RATE, subtype="PCM_16")
            rows.append(
                {
                    "id": f"{language}/prompt-{index}",
                    "path": path,
                    "speaker": language,
                    "language": language,
                    "text": f"{WORDS[index % 3]} {WORDS[index // 10]}",
                    "duration": f"{len(wave) / RATE:.4f}",
                }
            )
    write_manifest(folder / "manifest.csv", rows)
    return folder / "manifest.csv"


@pytest.fixture(scope="session")
def encoder(manifest, tmp_path_factory):
    """Folder of an exported encoder, hardly trained, for fine-tuning and as a teacher."""
    folder = tmp_path_factory.mktemp("encoder")
    recipe = tiny("hubert-mini")
    list(train(recipe, manifest, folder / "training"))
    export(recipe, folder / "training", folder / "model")
    return folder / "model"


@pytest.fixture(
    params=["hubert-mini", "hubert-mini-large", "wav2vec2-mini", "wav2vec2-mini-large-ctc"]
)
def recipe(request, encoder):
    """A shipped recipe of every kind, made tiny."""
    return tiny(request.param, encoder)


def tiny(name, encoder=None):
    """Make a shipped recipe tiny; `encoder` stands for whatever encoder it builds on."""
    shipped = load_recipe(CONFIGS / f"{name}.yaml")
    small, task = dict(shipped.encoder), dict(shipped.task)
    if shipped.objective != "ctc":
        small |= {
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "conv_dim": [16] * 7,
            "num_conv_pos_embeddings": 8,
            "num_conv_pos_embedding_groups": 2,
        }
    if shipped.objective == "hubert":
        task |= {"clusters": 8}
    if shipped.objective == "wav2vec2":
        small |= {"num_negatives": 5, "codevector_dim": 8, "num_codevectors_per_group": 4}
    if "teacher" in task:
        task |= {"teacher": str(encoder), "layer": 1}
    if shipped.objective == "ctc":
        task |= {"start": str(encoder), "milestones": [2]}
    return replace(
        shipped,
        clips=2,
        seconds=2.4 if shipped.objective == "ctc" else 0.8,
        mask_length=4,
        steps=6,
        warmup=2,
        learning_rate=3e-3,
        report_every=1,
        save_every=2,
        encoder=small,
        task=task,
    )

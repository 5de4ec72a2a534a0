"""A corpus and recipes small enough to train on in seconds."""

import numpy as np
import pytest
import soundfile
from tiny_recipes import tiny

from recipes.mini_ssl.export import export
from recipes.mini_ssl.train import train
from recipes.speech.build import RATE, write_manifest

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

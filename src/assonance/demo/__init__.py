"""Bundled miniature models and real speech, to try assonance without a download."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_MODELS = _HERE / "models"
# An installed package has the same recordings as Opus: FLAC alone would double its size.
_LOSSLESS, _COMPRESSED = _HERE / "speech", _HERE / "speech_opus"
SPEECH = _LOSSLESS if _LOSSLESS.is_dir() else _COMPRESSED
# Compared by default: both objectives, and a second seed of one as a ceiling. Takes minutes.
MODELS = tuple(_MODELS / name for name in ("hubert-mini", "hubert-mini-seed1", "wav2vec2-mini"))
# The other miniatures, which only the sources have: an installed package would be three times as
# large with them.
_OTHERS = (
    "hubert-mini-large",
    "hubert-mini-large-ctc",
    "wav2vec2-mini-large",
    "wav2vec2-mini-large-ctc",
    "wav2vec2-mini-large-ctc-step200",
    "wav2vec2-mini-large-ctc-step700",
    "wav2vec2-mini-seed2",
)
# Pretraining objective of each architecture.
_OBJECTIVES = {"wav2vec2": "contrastive", "hubert": "predictive"}


@dataclass(frozen=True)
class Miniature:
    """A bundled model, described by its files.

    Attributes
    ----------
    name
        Can be given wherever a model is named.
    path
        Its folder.
    objective
        Pretraining objective: "contrastive" or "predictive".
    fine_tuned_from
        Name of the pretrained model if it was fine-tuned to recognise letters, or None.
    seed_of
        Name of the first model of the same recipe if this is another seed, or None.
    milestone
        Training step of an intermediate checkpoint of a fine-tuning, or None for a final model.
    seed
        Training seed.
    layers, width, parameters
        Number of blocks, neurons per block and parameters of the encoder.
    megabytes
        Size of the weights on disk.
    """

    name: str
    path: Path
    objective: str
    fine_tuned_from: str | None
    seed_of: str | None
    milestone: int | None
    seed: int
    layers: int
    width: int
    parameters: int
    megabytes: float

    def __str__(self) -> str:
        """Describe the model in one line."""
        how = f"fine-tuned from {self.fine_tuned_from}" if self.fine_tuned_from else "pretrained"
        if self.milestone:
            how += f", checkpoint at step {self.milestone}"
        if self.seed_of:
            how += f", another seed of {self.seed_of}"
        return (
            f"{self.objective}, {how}, {self.layers} layers × {self.width}, "
            f"{self.parameters / 1e6:.2f} M parameters, {self.megabytes:.1f} MB, seed {self.seed}"
        )


def miniatures() -> tuple[Miniature, ...]:
    """List the bundled models in alphabetical order."""
    first: dict[str, str] = {}
    models = []
    for path in sorted(_MODELS.glob("*/model.safetensors")):
        name, result = path.parent.name, _json(path.with_name("evaluation.json"))
        recipe = _recipe_but_seed(result)
        models.append(_miniature(path.parent, result, first.get(recipe)))
        first.setdefault(recipe, name)
    return tuple(models)


def elsewhere() -> tuple[str, ...]:
    """Return the names of the miniatures that are not here, but come with the sources."""
    return tuple(name for name in _OTHERS if find(name) is None)


def find(name: str) -> Path | None:
    """Return the folder of the bundled model with this name, or None."""
    paths = (path.parent for path in _MODELS.glob("*/model.safetensors"))
    return next((path for path in paths if path.name == name), None)


def _recipe_but_seed(result: Mapping[str, Any]) -> str:
    """Return a key that models have in common if they differ in seed only."""
    recipe = {key: value for key, value in result["recipe"].items() if key not in ("name", "seed")}
    return json.dumps([recipe, result["steps"]], sort_keys=True)


def _miniature(folder: Path, result: Mapping[str, Any], seed_of: str | None) -> Miniature:
    """Describe a bundled model by its configuration and its evaluation."""
    config = _json(folder / "config.json")
    recipe = result["recipe"]
    start = recipe["task"].get("start")
    return Miniature(
        name=folder.name,
        path=folder,
        objective=_OBJECTIVES[config["model_type"]],
        fine_tuned_from=Path(start).name if start else None,
        seed_of=seed_of,
        milestone=result["steps"] if "end" in result else None,
        seed=recipe["seed"],
        layers=config["num_hidden_layers"],
        width=config["hidden_size"],
        parameters=result["parameters"],
        megabytes=(folder / "model.safetensors").stat().st_size / 1e6,
    )


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))

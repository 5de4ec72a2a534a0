"""Bundled miniature models and real speech, to try assonance without a download."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_MODELS = _HERE / "models"
SPEECH = _HERE / "speech"
# What the demo compares unless all are asked for: both objectives, and another seed of one as a
# ceiling, in minutes.
MODELS = tuple(_MODELS / name for name in ("hubert-mini", "hubert-mini-seed1", "wav2vec2-mini"))
# What a model was pretrained on, by its architecture.
_OBJECTIVES = {"wav2vec2": "contrastive", "hubert": "predictive"}


@dataclass(frozen=True)
class Miniature:
    """A bundled model, as its files tell.

    Attributes
    ----------
    name
        Stands for the model wherever a model is named.
    path
        Its folder.
    objective
        "contrastive" or "predictive", which it was pretrained on.
    fine_tuned_from
        Name of the model that it was fine-tuned from to read letters; None where it was not.
    seed_of
        Name of the model of whose recipe this is another seed; None where it is the first.
    milestone
        Steps after which it was taken out of a fine-tuning that went on; None for one that ended.
    seed
        Of its training.
    layers, width, parameters
        Blocks, neurons in each, and parameters of the encoder.
    megabytes
        Of its weights on disk.
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
        """Describe it in a line."""
        how = f"fine-tuned from {self.fine_tuned_from}" if self.fine_tuned_from else "pretrained"
        if self.milestone:
            how += f", as far as step {self.milestone}"
        if self.seed_of:
            how += f", another seed of {self.seed_of}"
        return (
            f"{self.objective}, {how}, {self.layers} layers × {self.width}, "
            f"{self.parameters / 1e6:.2f} M parameters, {self.megabytes:.1f} MB, seed {self.seed}"
        )


def miniatures() -> tuple[Miniature, ...]:
    """List the bundled models in alphabetical order."""
    first: dict[str, str] = {}
    found = []
    for path in sorted(_MODELS.glob("*/model.safetensors")):
        name, result = path.parent.name, _json(path.with_name("evaluation.json"))
        recipe = _recipe_but_seed(result)
        found.append(_miniature(path.parent, result, first.get(recipe)))
        first.setdefault(recipe, name)
    return tuple(found)


def find(name: str) -> Path | None:
    """Return the folder of a bundled model; None where no model has that name."""
    paths = (path.parent for path in _MODELS.glob("*/model.safetensors"))
    return next((path for path in paths if path.name == name), None)


def _recipe_but_seed(result: Mapping[str, Any]) -> str:
    recipe = {key: value for key, value in result["recipe"].items() if key not in ("name", "seed")}
    return json.dumps([recipe, result["steps"]], sort_keys=True)


def _miniature(folder: Path, result: Mapping[str, Any], seed_of: str | None) -> Miniature:
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

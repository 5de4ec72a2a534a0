"""Models and their random-weights twins, each under a name of its own."""

from collections.abc import Container, Iterable, Mapping
from itertools import chain, count
from pathlib import Path

from assonance.errors import AssonanceError
from assonance.models import SpeechModel, load_model

# By name the model and, for a twin, whose twin it is.
Named = Mapping[str, tuple[SpeechModel, str | None]]


def load_named(
    models: Iterable[str | Path | SpeechModel],
    seed: int | None,
    *,
    device: str,
    offline: bool,
    record: str | Iterable[str],
    precision: str,
) -> Named:
    """Load models and then their twins, each under a name of its own.

    Parameters
    ----------
    models
        Models, or names of models as `load_model` takes them.
    seed
        Draws the twins' weights; None for no twins.
    device, offline, record, precision
        As for `load_model`, for models that are not loaded yet. Twins have the layers of theirs.

    Returns
    -------
    mapping
        By name the model and, for a twin, whose twin it is.

    Raises
    ------
    AssonanceError
        There are none, or one cannot be loaded.
    """
    if isinstance(models, str | Path):
        models = [models]
    kinds = (record,) if isinstance(record, str) else tuple(record)
    loaded = [
        load_model(model, device=device, offline=offline, record=kinds, precision=precision)
        if isinstance(model, str | Path)
        else model
        for model in models
    ]
    if not loaded:
        raise AssonanceError("no models to compare; give at least one")
    named: dict[str, tuple[SpeechModel, str | None]] = {}
    for model in loaded:
        named[_unlike(model.name, named)] = model, None
    if seed is not None:
        for name, (model, _) in list(named.items()):
            twin = None if model.info.objective == "none" else model.twin(seed)
            if twin is not None:
                named[_unlike(f"{name}, random weights", named)] = twin, name
    return named


def _unlike(name: str, taken: Container[str]) -> str:
    """Give a name a number where it is taken."""
    numbered = (f"{name} ({number})" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)

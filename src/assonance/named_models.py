"""Models and their random-weights twins, each under a name of its own."""

from collections.abc import Container, Iterable, Mapping
from itertools import chain, count
from pathlib import Path

from assonance.errors import AssonanceError
from assonance.models import SpeechModel, load_model
from assonance.outside import one_line

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


def by_name(named: Named, seeds: Mapping[str, str]) -> dict[str, str]:
    """Say which models are others trained from another seed.

    Parameters
    ----------
    named
        The models.
    seeds
        A second training to the first, each by its name or as it was given to be loaded.

    Returns
    -------
    dict of str
        The same by the models' names.

    Raises
    ------
    AssonanceError
        One of them is not there, or a model is its own.
    """
    known = {
        key: name
        for name, (model, twin_of) in named.items()
        if twin_of is None
        for key in (model.info.source, Path(model.info.source).name, name)
    }
    for each in (*seeds, *seeds.values()):
        if each not in known:
            raise AssonanceError(
                f"seed of a model: {one_line(each)} is none of those compared; "
                f"name one of {', '.join(dict.fromkeys(known.values()))}"
            )
    found = {known[second]: known[first] for second, first in seeds.items()}
    for second, first in found.items():
        if second == first:
            raise AssonanceError(f"seed of a model: {one_line(second)} cannot be its own")
    return found


def _unlike(name: str, taken: Container[str]) -> str:
    """Give a name a number where it is taken."""
    numbered = (f"{name} ({number})" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)

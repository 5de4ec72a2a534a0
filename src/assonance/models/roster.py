"""Models and what they are held against, each under a name of its own."""

import os
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from assonance.errors import AssonanceError, printable
from assonance.models import SpeechModel
from assonance.models.loading import load_model
from assonance.models.precomputed import is_one
from assonance.models.spectra import mel


@dataclass(frozen=True)
class RosterEntry:
    """A model and its part in a comparison.

    Attributes
    ----------
    model
        The model.
    twin_of
        Names of the models whose random-weights twin this is; empty for any other.
    baseline
        Whether it is what the acoustics alone give.
    """

    model: SpeechModel
    twin_of: tuple[str, ...] = ()
    baseline: bool = False

    @property
    def control(self) -> bool:
        """Whether models are held against it, and nothing is asked about it."""
        return self.baseline or bool(self.twin_of)


Roster = Mapping[str, RosterEntry]

# Models that are named by what they are derived from, or by code.
_PREFIXED = re.compile("(random|rotated|module):")

# What makes a name unique.
_NUMBER = re.compile(r" \(\d+\)$")


def load_roster(
    models: Iterable[str | Path | SpeechModel],
    seed: int | None,
    *,
    device: str,
    offline: bool,
    record: str | Iterable[str],
    precision: str,
) -> Roster:
    """Load models, then their twins and the baseline, each under a name of its own.

    Models of one architecture and preprocessing have one twin, since theirs would be the same.

    The baseline, log-mel frames, stands beside models that have twins: only these hear speech and
    are trained. It is left out where it is one of the models.

    Parameters
    ----------
    models
        Models, or names of models as `load_model` takes them.
    seed
        Draws the twins' weights; None for neither twins nor baseline.
    device, offline, record, precision
        As for `load_model`, for models that are not loaded yet. Twins have the layers of theirs.

    Returns
    -------
    mapping
        By name, in this order.

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
    named = dict(zip(unique_names(loaded), map(RosterEntry, loaded), strict=True))
    if seed is not None:
        for twin, names in _twins(named, seed):
            named[_unique_name(f"{names[0]}, random weights", named)] = RosterEntry(
                twin, twin_of=names
            )
        baseline = mel()
        if len(named) > len(loaded) and all(
            each.fingerprint != baseline.fingerprint for each in loaded
        ):
            named[_unique_name(baseline.name, named)] = RosterEntry(baseline, baseline=True)
    return named


SEED, BASE = "seed of a model", "base of a fine-tuned model"


def stated_by_name(named: Roster, stated: Mapping[str, str], what: str) -> dict[str, str]:
    """Resolve which models were stated to be second seeds, or fine-tuned from others.

    Parameters
    ----------
    named
        The models.
    stated
        Second seed to first seed, or fine-tuned model to base, each by its name or as it was given
        to be loaded.
    what
        `SEED` or `BASE`, for messages.

    Returns
    -------
    dict of str
        The same by the models' names.

    Raises
    ------
    AssonanceError
        A model is not in the comparison, goes back to itself or has two.
    """
    models = {name: each.model.info.source for name, each in named.items() if not each.control}
    known = {key: name for name, source in models.items() for key in (Path(source).name, source)}
    known |= {name: name for name in models}
    for each in (*stated, *stated.values()):
        if each not in known:
            raise _unknown(each, models, what)
    found: dict[str, str] = {}
    for key, value in stated.items():
        name, other = known[key], known[value]
        if found.setdefault(name, other) != other:
            raise AssonanceError(
                f"{what}: {printable(name)} has two, {printable(found[name])} and "
                f"{printable(other)}; state one"
            )
    for name in found:
        way = [name]
        while (following := found.get(way[-1])) is not None:
            if following in way:
                through = f", through {', '.join(map(printable, way[1:]))}" if way[1:] else ""
                raise AssonanceError(f"{what}: {printable(name)} cannot be its own{through}")
            way.append(following)
    return found


def refuse_unknown(
    models: Iterable[str | Path | SpeechModel], stated: Mapping[str, str], what: str
) -> None:
    """Refuse statements about models that are certainly not compared, before any is loaded.

    Raises
    ------
    AssonanceError
        A name is not part of how any model is given, nor its folder's name.
    """
    names: dict[str, str] = {}
    for model in models:
        if not isinstance(model, str | Path) or _PREFIXED.match(str(model)) or is_one(model):
            return  # only the loaded model has its name
        names[str(model)] = Path(os.path.abspath(model)).name  # noqa: PTH100 - keep links' names
    for each in (*stated, *stated.values()):
        stem = _NUMBER.sub("", each)
        if stem not in names.values() and not any(stem in spec for spec in names):
            raise _unknown(each, names.values(), what)


def _unknown(name: str, models: Iterable[str], what: str) -> AssonanceError:
    return AssonanceError(
        f"{what}: {printable(name)} is none of those compared; "
        f"name one of {', '.join(dict.fromkeys(map(printable, models)))}"
    )


def _twins(named: Roster, seed: int) -> list[tuple[SpeechModel, tuple[str, ...]]]:
    """Make the twins that can be made, each with the names of its models."""
    twins: dict[str, tuple[SpeechModel, tuple[str, ...]]] = {}
    for name, each in named.items():
        twin = None if each.model.info.objective == "none" else each.model.twin(seed)
        if twin is not None:
            same, names = twins.get(twin.fingerprint, (twin, ()))
            twins[twin.fingerprint] = same, (*names, name)
    return list(twins.values())


def unique_names(models: Iterable[SpeechModel]) -> list[str]:
    """Return the names that models have in a comparison, in their order."""
    names: list[str] = []
    for model in models:
        names.append(_unique_name(model.name, names))
    return names


def _unique_name(name: str, taken: Container[str]) -> str:
    """Give a name a number where it is taken."""
    numbered = (f"{name} ({number})" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)

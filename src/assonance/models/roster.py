"""List the models of a comparison with their random twins and the baseline, by unique names."""

import os
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from assonance.errors import AssonanceError, one_line, printable
from assonance.models import SpeechModel
from assonance.models.loading import Loading, load_all
from assonance.models.precomputed import is_one
from assonance.models.spectra import mel
from assonance.utils.progress import Progress, Silent


@dataclass(frozen=True)
class RosterEntry:
    """A model and its role in a comparison.

    Attributes
    ----------
    model
        The model.
    twin_of
        Names of the models whose random twin this is; empty for any other model.
    baseline
        Whether this is the baseline: log-mel frames.
    compared
        Labels of the layers whose frames are compared; all if None.
    """

    model: SpeechModel
    twin_of: tuple[str, ...] = ()
    baseline: bool = False
    compared: tuple[str, ...] | None = None

    @property
    def control(self) -> bool:
        """Whether this is a random twin or the baseline, and not a model under study."""
        return self.baseline or bool(self.twin_of)

    @property
    def widths(self) -> dict[str, int]:
        """Number of neurons of each layer whose frames are compared, by label."""
        labels = self.model.layers if self.compared is None else self.compared
        return {label: self.model.widths[label] for label in labels}


Roster = Mapping[str, RosterEntry]

_SILENT = Silent()

# Models that are named by what they are derived from, or by code.
_PREFIXED = re.compile("(random|rotated|module):")

# What makes a name unique.
_NUMBER = re.compile(r" \(\d+\)$")


def load_roster(
    models: Iterable[str | Path | SpeechModel],
    seed: int | None,
    loading: Loading,
    progress: Progress = _SILENT,
) -> Roster:
    """Load models, their random twins and the baseline, each under a unique name.

    Models with the same architecture and preprocessing share one twin, since theirs would be
    identical. The baseline, log-mel frames, is added if any model has a twin, unless it is one of
    the models already: only a model with a twin hears speech and is trained.

    Parameters
    ----------
    models
        Models, or names of models as `load_model` takes them.
    seed
        Seed of the twins' weights, or None for neither twins nor baseline.
    loading
        Options for the models given by name. A twin records the same layers as its model.
    progress
        Receives the stages of downloading and converting.

    Returns
    -------
    mapping of str to RosterEntry
        By name: models first, then twins, then the baseline.

    Raises
    ------
    AssonanceError
        If no model is given, or one cannot be loaded.
    """
    if isinstance(models, str | Path):
        models = [models]
    loaded = load_all(models, loading, progress)
    if not loaded:
        raise AssonanceError("no models to compare; give at least one")
    for model in loaded:
        for label in model.layers:
            if not label.isprintable():
                raise AssonanceError(
                    f"{printable(model.name)}: a layer is named {label!r}; rename it, with "
                    "characters that can be printed"
                )
    roster = dict(zip(unique_names(loaded), map(RosterEntry, loaded), strict=True))
    if seed is not None:
        for twin, names in _twins(roster, seed):
            roster[_unique_name(f"{names[0]}, random weights", roster)] = RosterEntry(
                twin, twin_of=names
            )
        baseline = mel()
        if len(roster) > len(loaded) and all(
            each.fingerprint != baseline.fingerprint for each in loaded
        ):
            roster[_unique_name(baseline.name, roster)] = RosterEntry(baseline, baseline=True)
    return roster


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


def _twins(roster: Roster, seed: int) -> list[tuple[SpeechModel, tuple[str, ...]]]:
    """Make the distinct random twins, each with the names of its models."""
    twins: dict[str, tuple[SpeechModel, tuple[str, ...]]] = {}
    for name, each in roster.items():
        twin = None if each.model.info.objective == "none" else each.model.twin(seed)
        if twin is not None:
            same, names = twins.get(twin.fingerprint, (twin, ()))
            twins[twin.fingerprint] = same, (*names, name)
    return list(twins.values())


def unique_names(models: Iterable[SpeechModel]) -> list[str]:
    """Return the names that models have in a comparison, in their order, safe in a terminal."""
    names: list[str] = []
    for model in models:
        names.append(_unique_name(one_line(model.name), names))
    return names


def _unique_name(name: str, taken: Container[str]) -> str:
    """Append a number to a name that is already taken."""
    numbered = (f"{name} ({number})" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)

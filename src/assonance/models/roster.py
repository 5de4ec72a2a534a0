"""List the models of a comparison with their random twins and the baseline, by unique names."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from assonance.errors import AssonanceError, printable
from assonance.models import SpeechModel
from assonance.models.loading import Loading, load
from assonance.models.spectra import mel


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
    """

    model: SpeechModel
    twin_of: tuple[str, ...] = ()
    baseline: bool = False

    @property
    def control(self) -> bool:
        """Whether this is a random twin or the baseline, and not a model under study."""
        return self.baseline or bool(self.twin_of)


Roster = Mapping[str, RosterEntry]


def load_roster(
    models: Iterable[str | Path | SpeechModel], seed: int | None, loading: Loading
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
    loaded = [load(each, loading) if isinstance(each, str | Path) else each for each in models]
    if not loaded:
        raise AssonanceError("no models to compare; give at least one")
    roster: dict[str, RosterEntry] = {}
    for model in loaded:
        roster[_unique_name(model.name, roster)] = RosterEntry(model)
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


def seeds_by_name(named: Roster, seeds: Mapping[str, str]) -> dict[str, str]:
    """Name each second seed of a model, and that model, as the roster does.

    Parameters
    ----------
    named
        The models.
    seeds
        From a second seed to the first model: each by its name in the roster, by what it was
        loaded from, or by the last part of that path.

    Returns
    -------
    dict of str to str
        The same with names of the roster.

    Raises
    ------
    AssonanceError
        If a model is not in the roster, or is given as its own second seed.
    """
    known = {
        key: name
        for name, each in named.items()
        if not each.control
        for key in (each.model.info.source, Path(each.model.info.source).name, name)
    }
    for each in (*seeds, *seeds.values()):
        if each not in known:
            raise AssonanceError(
                f"seed of a model: {printable(each)} is none of those compared; "
                f"name one of {', '.join(dict.fromkeys(known.values()))}"
            )
    found = {known[second]: known[first] for second, first in seeds.items()}
    for second, first in found.items():
        if second == first:
            raise AssonanceError(f"seed of a model: {printable(second)} cannot be its own")
    return found


def _twins(roster: Roster, seed: int) -> list[tuple[SpeechModel, tuple[str, ...]]]:
    """Make the distinct random twins, each with the names of its models."""
    twins: dict[str, tuple[SpeechModel, tuple[str, ...]]] = {}
    for name, each in roster.items():
        twin = None if each.model.info.objective == "none" else each.model.twin(seed)
        if twin is not None:
            same, names = twins.get(twin.fingerprint, (twin, ()))
            twins[twin.fingerprint] = same, (*names, name)
    return list(twins.values())


def _unique_name(name: str, taken: Container[str]) -> str:
    """Append a number to a name that is already taken."""
    numbered = (f"{name} ({number})" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)

"""Models and what they are held against, each under a name of its own."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from assonance.errors import AssonanceError, printable
from assonance.models import SpeechModel
from assonance.models.loading import load_model
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
    named: dict[str, RosterEntry] = {}
    for model in loaded:
        named[_unique_name(model.name, named)] = RosterEntry(model)
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


def seeds_by_name(named: Roster, seeds: Mapping[str, str]) -> dict[str, str]:
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


def _twins(named: Roster, seed: int) -> list[tuple[SpeechModel, tuple[str, ...]]]:
    """Make the twins that can be made, each with the names of its models."""
    twins: dict[str, tuple[SpeechModel, tuple[str, ...]]] = {}
    for name, each in named.items():
        twin = None if each.model.info.objective == "none" else each.model.twin(seed)
        if twin is not None:
            same, names = twins.get(twin.fingerprint, (twin, ()))
            twins[twin.fingerprint] = same, (*names, name)
    return list(twins.values())


def _unique_name(name: str, taken: Container[str]) -> str:
    """Give a name a number where it is taken."""
    numbered = (f"{name} ({number})" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)

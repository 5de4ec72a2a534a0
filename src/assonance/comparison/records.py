"""Record what was compared: models, corpus, settings and versions."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Self

from pydantic import TypeAdapter, ValidationError

from assonance.__about__ import __version__
from assonance.corpus import Corpus, LeftOut
from assonance.errors import one_line

if TYPE_CHECKING:
    from assonance.models.roster import RosterEntry

# Libraries that the numbers depend on; their versions are recorded.
_LIBRARIES = ("numpy", "torch", "transformers", "soundfile", "soxr")


@dataclass(frozen=True)
class ModelRecord:
    """Record of a model.

    Attributes
    ----------
    name
        Name on axes and in tables; unique within the comparison.
    source
        Path or name that it was loaded from.
    family, objective, size, n_parameters, fine_tuned, task, base
        See `assonance.models.ModelCard`.
    fingerprint
        Hash of everything that its activations depend on.
    layers
        From the label of a layer to its description, from the input up.
    twin_of
        Names of the models whose random twin this is; empty for any other model.
    seed_of
        Name of the model whose second seed this is (a ceiling), or None.
    tuned_from
        Name of the model that this one was fine-tuned from, as the user stated, or None; see
        `assonance.comparison.relations.Relations`.
    baseline
        Whether this is the baseline: log-mel frames.
    weights, input
        See `assonance.models.ModelCard`.
    """

    name: str
    source: str
    family: str
    objective: str
    size: str
    n_parameters: int
    fine_tuned: bool
    fingerprint: str
    layers: Mapping[str, str]
    twin_of: tuple[str, ...] = ()
    seed_of: str | None = None
    baseline: bool = False
    tuned_from: str | None = None
    task: str | None = None
    base: str | None = None
    weights: str = ""
    input: str = ""


@dataclass(frozen=True)
class CorpusRecord:
    """Record of the speech: the utterances that every model can use."""

    name: str
    source: str
    utterances: int
    frames: int
    seconds: float
    speakers: tuple[str, ...]
    languages: tuple[str, ...]
    sampling_rates: tuple[int, ...]


@dataclass(frozen=True)
class Provenance:
    """Record of a comparison: models, corpus, settings, versions and caveats.

    Attributes
    ----------
    versions
        Versions of assonance and of the libraries that the numbers depend on.
    measures, settings
        Names of the measures, and the settings field by field.
    models
        Models first, then random twins, then the baseline.
    corpus
        The speech.
    left_out
        Utterances that were left out, with the reason.
    notes
        Caveats.
    population
        Population of speech that the intervals generalise to, in words.
    """

    versions: Mapping[str, str]
    measures: tuple[str, ...]
    settings: Mapping[str, Any]
    models: tuple[ModelRecord, ...]
    corpus: CorpusRecord
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = field(default=())
    population: str = ""

    def to_json(self) -> str:
        """Return the record as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a record from JSON.

        Raises
        ------
        ValueError
            If the text is not such a record.
        """
        try:
            record: Self = TypeAdapter(cls).validate_json(text, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "record"
            raise ValueError(f"provenance: {where}: {first['msg']}") from error
        return record.escaped()

    def escaped(self) -> Self:
        """Return the record with all of its text safe in lines and terminals; see `one_line`."""
        record: Self = _escaped(self)
        return record


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, tuple):
        return tuple(map(_escaped, value))
    if isinstance(value, Mapping):
        return {_escaped(key): _escaped(each) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: _escaped(getattr(value, each.name)) for each in fields(value)}
        return replace(value, **parts)
    return value


def record_of(
    name: str, entry: "RosterEntry", seed_of: str | None, tuned_from: str | None
) -> ModelRecord:
    """Record a model of a comparison, with its first seed and its base if they are stated."""
    model = entry.model
    card = asdict(model.info)
    del card["notes"]  # they are among the comparison's
    return ModelRecord(
        name=name,
        **card,
        fingerprint=model.fingerprint,
        layers=dict(model.meanings),
        twin_of=entry.twin_of,
        seed_of=seed_of,
        tuned_from=tuned_from,
        baseline=entry.baseline,
    )


def record_of_speech(speech: Corpus, frames: int) -> CorpusRecord:
    """Record the speech of a comparison, and the number of rows of every layer."""
    return CorpusRecord(
        name=speech.name,
        source=speech.source,
        utterances=len(speech),
        frames=frames,
        seconds=round(speech.seconds, 3),
        speakers=speech.speakers,
        languages=speech.languages,
        sampling_rates=speech.sampling_rates,
    )


def versions() -> dict[str, str]:
    """Return the versions of this package, and of the libraries that the numbers depend on."""
    return {"assonance": __version__, **{name: version(name) for name in _LIBRARIES}}

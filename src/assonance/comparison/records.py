"""Record what was compared: models, corpus, settings and versions."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from assonance.corpus import LeftOut


@dataclass(frozen=True)
class ModelRecord:
    """A model as it was compared.

    Attributes
    ----------
    name
        On axes and in tables; unique within the comparison.
    source
        What it was loaded from.
    family, objective, size, n_parameters, fine_tuned
        See `assonance.models.ModelCard`.
    fingerprint
        Hash of all that decides its activations.
    layers
        Labels from the input up, and what each is.
    twin_of
        Names of the models whose random-weights twin this is; empty for a model of its own.
    seed_of
        Name of the model of whose recipe this is another training seed: its ceiling.
    tuned_from
        Name of the model that this one was fine-tuned from, as the user stated; None without a
        statement, see `assonance.comparison.relations.Relations`.
    baseline
        Whether this is no model but what the acoustics alone give: log-mel frames.
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


@dataclass(frozen=True)
class CorpusRecord:
    """The speech as it was compared: only what every model could use."""

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
    """What was run on what, and what a reader must know of it.

    Attributes
    ----------
    versions
        Of assonance and of the libraries that the numbers depend on.
    measures, settings
        Names of the measures; every choice that their definitions leave open.
    models
        Models first, then their random-weights twins, then the baseline.
    corpus
        The speech that was used.
    left_out
        What was not, and why.
    notes
        Warnings that came up, and what else a reader must know first.
    population
        The speech that intervals are about, in words.
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
        """Write it down."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read it back.

        Raises
        ------
        ValueError, TypeError, KeyError
            The text is something else.
        """
        record = json.loads(text)
        corpus = record["corpus"]
        for key in ("speakers", "languages", "sampling_rates"):
            corpus[key] = tuple(corpus[key])
        return cls(
            versions=record["versions"],
            measures=tuple(record["measures"]),
            settings=record["settings"],
            models=tuple(
                ModelRecord(**{**model, "twin_of": tuple(model["twin_of"])})
                for model in record["models"]
            ),
            corpus=CorpusRecord(**corpus),
            left_out=tuple(LeftOut(**each) for each in record["left_out"]),
            notes=tuple(record["notes"]),
            population=record["population"],
        )

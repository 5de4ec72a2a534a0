"""Read a study from YAML: its models, the settings it is run with, and its findings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assonance.claims.claim import Claim, claims_in
from assonance.errors import printable
from assonance.settings import SETTINGS
from assonance.utils.strict_reader import StrictReader
from assonance.utils.yaml_files import read_yaml

# The runs of a study: the published definitions, and those with floors and held-out measures.
RUNS = ("published", "default")
# The bundled speech, as the name of a corpus.
DEMO = "demo"


@dataclass(frozen=True)
class ModelSet:
    """Models by their roles in a study, and the speech that they are run on.

    Attributes
    ----------
    replicates
        Whether these are the models of the paper, so that the study is a replication.
    models
        From a role to the name of a model, as `assonance.load_model` takes it.
    audio
        Path of the speech, `DEMO` for the bundled speech, or None if it must be given.
    hours
        Hours of it to sample; None for all.
    seed_of, tuned_from
        From the role of a second seed, or of a fine-tuned model, to that of the first or its base.
    """

    replicates: bool
    models: Mapping[str, str]
    audio: str | None
    hours: float | None
    seed_of: Mapping[str, str]
    tuned_from: Mapping[str, str]


@dataclass(frozen=True)
class Run:
    """How the models are compared in one run of a study.

    Attributes
    ----------
    settings
        Name of the settings.
    measures
        Names of the measures.
    twins
        Whether to add random twins and log-mel frames.
    groups, shifts
        Settings that replace those of that name; None to keep them.
    """

    settings: str
    measures: tuple[str, ...]
    twins: bool
    groups: int | None = None
    shifts: int | None = None


@dataclass(frozen=True)
class Finding:
    """A finding of the paper, and the claims that it is tested by.

    Attributes
    ----------
    says
        The finding, without its full stop.
    published
        The claim in the paper's own measures, tested in the run of that name.
    stricter
        Claims with floors or held-out measures, tested in the run "default".
    besides
        Claims that qualify it, tested there too; they do not enter its verdict.
    """

    says: str
    published: Claim
    stricter: tuple[Claim, ...]
    besides: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class Study:
    """A study that can be repeated.

    Attributes
    ----------
    title, source
        Of the paper.
    sets
        The sets of models by name, the default one first.
    runs
        How they are compared, by the names of `RUNS`.
    findings
        In the order of the file.
    """

    title: str
    source: str
    sets: Mapping[str, ModelSet]
    runs: Mapping[str, Run]
    findings: tuple[Finding, ...]


def load_study(path: Path) -> Study:
    """Load a study from a YAML file.

    Parameters
    ----------
    path
        A file in the format of the bundled ``elkheir2024.yaml``.

    Raises
    ------
    AssonanceError
        The file cannot be read or does not have the format. The message names the file and key.
    """
    return _Reader(path).study(read_yaml(path))


class _Reader(StrictReader):
    """A strict reader of studies."""

    def __init__(self, path: Path) -> None:
        super().__init__(printable(path))
        self._file = path

    def study(self, content: Any) -> Study:
        keys = ("title", "source", "models", "runs", "findings", "claims")
        entries = self.mapping("the file", content, keys)
        claims = {
            each.name: each for each in claims_in({"claims": entries.get("claims")}, self._file)
        }
        runs = self.mapping("runs", entries.get("runs"), RUNS)
        findings = entries.get("findings")
        if not isinstance(findings, list) or not findings:
            raise self.wrong("findings", "must be a list of findings, at least one")
        return Study(
            self.text("title", entries.get("title")),
            self.text("source", entries.get("source")),
            self._sets(entries.get("models")),
            {name: self._run(f"runs.{name}", runs.get(name)) for name in RUNS},
            tuple(
                self._finding(f"findings[{number}]", each, claims)
                for number, each in enumerate(findings)
            ),
        )

    def _sets(self, content: Any) -> dict[str, ModelSet]:
        if not isinstance(content, Mapping) or not content:
            raise self.wrong("models", "must map names to sets of models")
        return {
            self.text("models", name): self._set(f"models.{name}", content[name])
            for name in content
        }

    def _set(self, key: str, content: Any) -> ModelSet:
        keys = ("replicates", "models", "audio", "hours", "seed_of", "tuned_from")
        entries = self.mapping(key, content, keys)
        models = self._names(f"{key}.models", entries.get("models"))
        if not models:
            raise self.wrong(f"{key}.models", "must map roles to models, at least one")
        relations = {
            name: self._names(f"{key}.{name}", entries.get(name, {}))
            for name in ("seed_of", "tuned_from")
        }
        for name, pairs in relations.items():
            for role in (*pairs, *pairs.values()):
                self.one_of(f"{key}.{name}", role, models)
        hours = entries.get("hours")
        if hours is not None and (isinstance(hours, bool) or not isinstance(hours, int | float)):
            raise self.wrong(f"{key}.hours", "must be a number of hours")
        audio = entries.get("audio")
        return ModelSet(
            self._truth(f"{key}.replicates", entries.get("replicates", False)),
            models,
            None if audio is None else self.text(f"{key}.audio", audio),
            hours,
            **relations,
        )

    def _run(self, key: str, content: Any) -> Run:
        keys = ("settings", "measures", "twins", "groups", "shifts")
        entries = self.mapping(key, content, keys)
        numbers = {name: entries.get(name) for name in ("groups", "shifts")}
        for name, number in numbers.items():
            if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
                raise self.wrong(f"{key}.{name}", "must be a whole number")
        return Run(
            self.one_of(f"{key}.settings", entries.get("settings"), SETTINGS),
            self.texts(f"{key}.measures", entries.get("measures")),
            self._truth(f"{key}.twins", entries.get("twins", True)),
            **numbers,
        )

    def _finding(self, key: str, content: Any, claims: Mapping[str, Claim]) -> Finding:
        entries = self.mapping(key, content, ("says", "published", "stricter", "besides"))
        stricter, besides = (
            tuple(
                claims[self.one_of(f"{key}.{name}", each, claims)]
                for each in self.texts(f"{key}.{name}", entries.get(name, ()))
            )
            for name in ("stricter", "besides")
        )
        if not stricter:
            raise self.wrong(f"{key}.stricter", "must name at least one claim")
        published = claims[self.one_of(f"{key}.published", entries.get("published"), claims)]
        return Finding(self.text(f"{key}.says", entries.get("says")), published, stricter, besides)

    def _names(self, key: str, content: Any) -> dict[str, str]:
        if not isinstance(content, Mapping):
            raise self.wrong(key, "must be a mapping")
        return {self.text(key, name): self.text(f"{key}.{name}", content[name]) for name in content}

    def _truth(self, key: str, content: Any) -> bool:
        if not isinstance(content, bool):
            raise self.wrong(key, "must be true or false")
        return content

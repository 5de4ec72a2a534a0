"""Keep the finished results in a run's folder safe from runs that would give other results."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml

from assonance.activations.kept import remove
from assonance.comparison import lookup
from assonance.comparison.prepared import PIECES, Prepared
from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError, error_text, printable
from assonance.utils.files import (
    encoded,
    exists,
    finish_replacing,
    replace_together,
    write_text,
    write_together,
)
from assonance.utils.lock import locked, refuse_locked
from assonance.utils.pieces import Pieces
from assonance.utils.yaml_files import read_yaml

RESULTS, CONFIG, TABLE, REPORT = lookup.RESULTS, lookup.CONFIG, "results.csv", "report.html"
CLAIMS = "claims.csv"
# Folder of results without intervals, while these are computed.
PRELIMINARY = "preliminary"
CHANGES, CHANGED_HEADS, CHANGES_FIGURE = "changes.csv", "changed_heads.csv", "changes.svg"
# Files that only `diff` writes.
_DIFF_ONLY = (CHANGES, CHANGED_HEADS, CHANGES_FIGURE)
# Lists result files while they are replaced; temporary files of killed runs.
_JOURNAL = "replacing.json"
_LEFTOVERS = ("*.tmp", f"{PIECES}/*.tmp", f"{PRELIMINARY}/*.tmp", "activations/*/*.tmp")
# Parts of a configuration that no result depends on.
_IRRELEVANT = ("out", "memory", "offline", "pickles")
# Parts that may have more than before: results are then added to.
_ADDED_TO = ("models", "measures")
_LONGEST = 60  # characters of a value in a message
_TOLERANCE = 1e-3  # scores of the same run differ by less between two machines


@dataclass(frozen=True)
class RunFolder:
    """A run's folder, which may hold finished results.

    Attributes
    ----------
    path
        The folder.
    overwrite
        Whether finished results of another run may be replaced. They stay until all new results
        are on the disk.
    activations
        Another folder for the activations, which several runs share; None for this one.
    keep
        Whether activations stay when the results are written.
    """

    path: Path
    overwrite: bool = False
    activations: Path | None = None
    keep: bool = True

    def refuse_running(self) -> None:
        """Check that no other run writes here, before anything that takes time.

        Raises
        ------
        AssonanceError
            One does.
        """
        refuse_locked(self.path)

    @contextmanager
    def start(self, config: Mapping[str, Any], prepared: Prepared) -> Iterator[None]:
        """Check that a run may write here, then hold the folder and write its configuration.

        A folder with finished results keeps its configuration until they are replaced. What a
        killed run left unfinished is finished or removed.

        Raises
        ------
        AssonanceError
            If another run writes here, or the folder holds results of another run, or cannot be
            written.
        """
        if self._protected:
            self._check_config(config)
            self._check_models_and_speech(prepared)
        self._make()
        with locked(self.path):
            finish_replacing(self.path / _JOURNAL)
            for pattern in _LEFTOVERS:
                for leftover in self.path.glob(pattern):
                    leftover.unlink(missing_ok=True)
            shutil.rmtree(self.path / PRELIMINARY, ignore_errors=True)
            if self._protected:
                self._check_config(config)
            if not self._finished:
                write_text(self.path / CONFIG, as_yaml(config))
            yield

    def show_early(self, comparison: Comparison, texts: Mapping[str, str]) -> None:
        """Write results without intervals, and their tables and report, into a folder of their own.

        They go when the results are complete.

        Parameters
        ----------
        comparison, texts
            As for `finish`.

        Raises
        ------
        AssonanceError
            If a file cannot be written.
        """
        files = {self.path / PRELIMINARY / name: encoded(text) for name, text in texts.items()}
        write_together({self.path / PRELIMINARY / RESULTS: comparison.to_bytes(), **files})

    def finish(self, comparison: Comparison, texts: Mapping[str, str]) -> None:
        """Write results and other files together, after all of them are made.

        Parameters
        ----------
        comparison
            The results.
        texts
            The other files, by name.

        Raises
        ------
        AssonanceError
            If a file cannot be written. Then the folder stays as it was.
        """
        files = {self.path / name: encoded(text) for name, text in texts.items()}
        # Of the results that are replaced, nothing stays.
        removed = [self.path / name for name in _DIFF_ONLY if name not in texts]
        results = {self.path / RESULTS: comparison.to_bytes()}
        replace_together({**results, **files}, removed, self.path / _JOURNAL)
        Pieces(self.path / PIECES).clear()
        shutil.rmtree(self.path / PRELIMINARY, ignore_errors=True)
        if not self.keep:
            remove(self.path)

    def clean(self) -> int:
        """Remove activations and what killed runs left, never results; return the bytes set free.

        Raises
        ------
        AssonanceError
            A run writes into the folder, or a file cannot be removed.
        """
        with locked(self.path):
            finish_replacing(self.path / _JOURNAL)
            pieces = Pieces(self.path / PIECES)
            freed = remove(self.path) + pieces.size
            pieces.clear()
            for leftover in self.path.glob("*.tmp"):
                freed += leftover.stat().st_size
                leftover.unlink(missing_ok=True)
        return freed

    def check_scores(self, comparison: Comparison) -> None:
        """Check that scores equal those they replace, even if a file of speech has changed.

        Raises
        ------
        AssonanceError
            If they differ, unless they may be overwritten.
        """
        if not self._protected:
            return
        before, now = Comparison.load(self.path / RESULTS).scores, comparison.scores
        if not all(name in now and _agree(before[name], now[name]) for name in before):
            raise self._refusal("the speech or the machine has changed since")

    @property
    def _finished(self) -> bool:
        return (self.path / RESULTS).exists()

    @property
    def _protected(self) -> bool:
        return self._finished and not self.overwrite

    def _make(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AssonanceError(
                f"{printable(self.path)}: cannot be made: {error_text(error)}; "
                "name another with --out"
            ) from error

    def _check_config(self, config: Mapping[str, Any]) -> None:
        """Check that the results were made with the same configuration."""
        try:
            saved = read_yaml(self.path / CONFIG)
        except AssonanceError:
            saved = None
        if not isinstance(saved, dict):
            raise self._refusal(f"no {CONFIG} that can be read says how they were made")
        before, now = (_flat(each) for each in (saved, yaml.safe_load(as_yaml(config))))
        differences = [
            f"{name} {_short(before.get(name))}, now {_short(now.get(name))}"
            for name in {**before, **now}
            if before.get(name) != now.get(name)
            and not (name in _ADDED_TO and begins(now.get(name), before.get(name)))
        ]
        if differences:
            raise self._refusal("; ".join(differences))

    def _check_models_and_speech(self, prepared: Prepared) -> None:
        """Check that the results are of the same models and the same speech."""
        try:
            record = Comparison.load(self.path / RESULTS).provenance
        except AssonanceError as error:
            raise self._refusal(str(error)) from error
        # A baseline may have been dropped, and models may be added.
        before = {model.fingerprint for model in record.models if not model.baseline}
        now = {each.model.fingerprint for each in prepared.roster.values()}
        if before - now:
            raise self._refusal("the models have changed since")
        speech = prepared.speech
        count = record.corpus.utterances + len(record.left_out)
        if count != len(speech) + len(speech.left_out) or (
            not record.left_out and record.corpus.seconds != round(speech.seconds, 3)
        ):
            raise self._refusal("the speech has changed since")

    def _refusal(self, why: str) -> AssonanceError:
        return AssonanceError(
            f"{printable(self.path)}: holds finished results that this run would not give: {why}; "
            "name another folder with --out, or replace them with --overwrite"
        )


def begins(more: object, fewer: object) -> bool:
    """Return whether a list begins with all that another one holds."""
    both = isinstance(more, list) and isinstance(fewer, list)
    return both and more[: len(fewer)] == fewer  # type: ignore[index, arg-type]


def _agree(before: xr.DataArray, now: xr.DataArray) -> bool:
    """Return whether scores equal those of before, wherever those are defined."""
    if before.dims != now.dims or any(
        not set(before[dim].values) <= set(now[dim].values) for dim in before.coords
    ):
        return False
    same = now.sel({dim: before[dim] for dim in before.coords})
    close = np.isclose(before, same, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
    return bool(close.all())


def as_yaml(config: Mapping[str, Any]) -> str:
    """Format a configuration as YAML."""
    return yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what results depend on, with the values of nested mappings one by one."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if name in _IRRELEVANT:
            continue
        if name in ("models", "audio"):
            paths = [value] if isinstance(value, str) else value
            flat[name] = [_absolute(each) for each in paths]
        elif isinstance(value, dict) and name != "seeds":
            flat |= {f"{name}.{each}": inner for each, inner in value.items()}
        else:
            flat[name] = value
    return flat


def _absolute(name: str) -> str:
    """Return the absolute path if there is such a file or folder, else the name."""
    return str(Path(name).resolve()) if exists(name) else name


def _short(value: object) -> str:
    text = printable(", ".join(map(str, value)) if isinstance(value, list) else str(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

"""A run on disk: a comparison and the files it leaves in its folder."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml

from assonance.__about__ import __version__
from assonance.claims.claim import load_claims
from assonance.claims.verdict import ClaimResult, evaluate_claims, to_dataframe
from assonance.comparison import relations
from assonance.comparison.compare import compare
from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.corpus import Corpus
from assonance.errors import AssonanceError, error_text, printable
from assonance.measures import find
from assonance.measures.roles import STANDARD
from assonance.models import SpeechModel
from assonance.models.loading import load_model
from assonance.plots import changes as change_plots
from assonance.report import change_summary, write_report
from assonance.report.summary import sentences
from assonance.settings import find_settings
from assonance.tables import changes as change_tables
from assonance.tables.heads import head_measures
from assonance.utils.files import slug, write_text
from assonance.utils.progress import Progress

RESULTS, TABLE, CONFIG, REPORT = "results.nc", "results.csv", "config.yaml", "report.html"


CLAIMS = "claims.csv"


CHANGES, CHANGED_HEADS, CHANGES_FIGURE = "changes.csv", "changed_heads.csv", "changes.svg"


def run(
    models: Sequence[str],
    audio: str,
    out: Path,
    *,
    measures: Sequence[str],
    settings: str,
    twins: bool,
    speech: Mapping[str, Any],
    pooling: Mapping[str, Any],
    memory: str,
    device: str,
    offline: bool,
    record: Sequence[str],
    precision: str,
    on_error: Literal["skip", "stop"],
    seeds: Mapping[str, str],
    uncertainty: bool,
    groups: int | None,
    bootstrap: int | None,
    shifts: int | None,
    progress: Progress,
    diff: bool = False,
) -> Comparison:
    """Compare models and leave results, tables, configuration and report in a folder.

    The parameters are those of `assonance.compare`; no `measures` are the standard ones;
    `groups`, `bootstrap` and `shifts` take the place of the settings'. `speech` holds options of
    `Corpus.from_path`, `pooling` those of `compare` that say what a row is. With `diff`, the
    models are one before and after fine-tuning and, if given, its second seed: what changed heads
    the report, and stands in tables and a figure of its own.

    Returns
    -------
    Comparison
        As saved.

    Raises
    ------
    AssonanceError
        As `assonance.compare`, or the folder cannot be written.
    """
    given: dict[str, Any] = {"groups": groups, "bootstrap": bootstrap, "shifts": shifts}
    chosen_settings = replace(
        find_settings(settings),
        **{name: value for name, value in given.items() if value is not None},
    )
    chosen = [each.name for each in find(measures or STANDARD, ("neuron", "layer", "head"))]
    config = {
        "assonance": __version__,
        "models": list(models),
        "audio": audio,
        "out": str(out),
        "measures": chosen,
        "settings": asdict(chosen_settings),
        "twins": twins,
        "speech": dict(speech),
        "pooling": dict(pooling),
        "memory": memory,
        "device": device,
        "offline": offline,
        "record": list(record),
        "precision": precision,
        "on_error": on_error,
        "seeds": dict(seeds),
        "uncertainty": uncertainty,
    }
    _make(out)
    write_text(out / CONFIG, _yaml(config))
    loaded = (
        _of_one_architecture(
            load_model(each, device=device, offline=offline, record=record, precision=precision)
            for each in models
        )
        if diff
        else models
    )
    comparison = compare(
        loaded,
        Corpus.from_path(audio, **speech),
        chosen,
        settings=chosen_settings,
        twins=twins,
        **pooling,
        out=out,
        memory=memory,
        device=device,
        offline=offline,
        record=record,
        precision=precision,
        on_error=on_error,
        seeds=seeds,
        uncertainty=uncertainty,
        progress=progress,
    )
    comparison.save(out / RESULTS)
    _write_table(out / TABLE, comparison.to_dataframe())
    found = evaluate_claims(comparison)
    _write_table(out / CLAIMS, to_dataframe(found))
    pairs = pairs_of(comparison, diff=diff)
    said = [*answer(comparison, pairs), *(each.sentence() for each in found if each.asked)]
    with progress.stage("writing the report", 1) as advance:
        for pair in pairs or ():
            write_changes(comparison, pair, out)
        write_report(comparison, said, out / REPORT, pairs)
        advance(1)
    return comparison


def _of_one_architecture(models: Iterable[SpeechModel]) -> list[SpeechModel]:
    """Load what is to be followed layer by layer, before anything is computed."""
    loaded = list(models)
    relations.of_one_architecture(
        {
            each.info.source: (each.info.family, each.info.n_parameters, each.layers)
            for each in loaded
        }
    )
    return loaded


def pairs_of(comparison: Comparison, *, diff: bool) -> tuple[FineTuning, ...] | None:
    """Name the pair that a run of `diff` is about; None for any other run."""
    return (FineTuning(*comparison.models),) if diff else None


def answer(comparison: Comparison, pairs: Sequence[FineTuning] | None = None) -> list[str]:
    """Say what a comparison found; of pairs before and after fine-tuning, what changed."""
    if pairs is None:
        return sentences(comparison)
    return [line for pair in pairs for line in change_summary.sentences(comparison, pair)]


def write_changes(comparison: Comparison, pair: FineTuning, out: Path) -> None:
    """Leave the tables of what changed, and the figure of the most telling measure."""
    layers = change_tables.layers(comparison, pair)
    _write_table(out / CHANGES, layers.reset_index())
    heads = {
        measure: change_tables.heads(comparison, pair, measure)
        for measure in head_measures(comparison)
    }
    if heads:
        table = pd.concat(heads, names=["measure"]).reset_index()
        _write_table(out / CHANGED_HEADS, table)
    told = change_tables.leading_measures(layers)
    if told:
        file = io.StringIO()
        change_plots.layers(comparison, [pair], told[0], {pair: layers}).savefig(file, format="svg")
        write_text(out / CHANGES_FIGURE, file.getvalue())


def ask(run: Path, config: Path | None) -> tuple[list[ClaimResult], Path]:
    """Ask a finished run whether claims hold, and write the answers beside its results.

    Parameters
    ----------
    run
        The run's folder, or its results file.
    config
        A file of claims, see `assonance.claims.claim.load_claims`; None for the bundled ones.

    Returns
    -------
    tuple of list of Answer and Path
        The answers, and the table they were written to.

    Raises
    ------
    AssonanceError
        There is no such run, the claims cannot be read, or the table not written.
    """
    claims = load_claims(config)
    results = run / RESULTS if run.is_dir() else run
    found = evaluate_claims(Comparison.load(results), claims)
    table = results.with_name(CLAIMS)
    _write_table(table, to_dataframe(found))
    return found, table


def folder_for(models: Sequence[str]) -> Path:
    """Name a run's folder after its models."""
    return Path("runs") / "-vs-".join(slug(Path(model).name) for model in models)


def _write_table(path: Path, table: pd.DataFrame) -> None:
    text = io.StringIO()
    table.to_csv(text, index=False)
    write_text(path, text.getvalue())


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AssonanceError(
            f"{printable(folder)}: cannot be made: {error_text(error)}; name another with --out"
        ) from error


def _yaml(config: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)

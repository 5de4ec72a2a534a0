"""A run on disk: a comparison and the files it leaves in its folder."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml

from assonance.__about__ import __version__
from assonance.activations.shared_rows import Pooling
from assonance.claims.claim import load_claims
from assonance.claims.verdict import ClaimResult, evaluate_claims, to_dataframe
from assonance.comparison import relations
from assonance.comparison.compare import Prepared, prepare
from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.corpus import Corpus
from assonance.errors import AssonanceError, error_text, printable
from assonance.measures import find
from assonance.measures.roles import STANDARD
from assonance.models import SpeechModel
from assonance.models.loading import load_model
from assonance.models.roster import unique_names
from assonance.plots import changes as change_plots
from assonance.report import change_summary
from assonance.report.page import render
from assonance.report.summary import sentences
from assonance.settings import find_settings
from assonance.tables import changes as change_tables
from assonance.tables.heads import head_measures
from assonance.utils.files import encoded, slug, write_text, write_together
from assonance.utils.progress import Progress

RESULTS, TABLE, CONFIG, REPORT = "results.nc", "results.csv", "config.yaml", "report.html"


CLAIMS = "claims.csv"


CHANGES, CHANGED_HEADS, CHANGES_FIGURE = "changes.csv", "changed_heads.csv", "changes.svg"
# What a finished run of `diff` may leave beside what every run does.
_OF_CHANGES = (CHANGES, CHANGED_HEADS, CHANGES_FIGURE)
# Parts of a configuration on which no result depends.
_INDIFFERENT = ("out", "memory", "offline")
_LONG = 60  # characters of a value that a message shows
_ROUNDING = 1e-3  # more than the same scores differ by on two machines
# What `Pooling` calls the options of `compare`.
_POOLING = {"pool_by": "by"}


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
    tuned_from: Mapping[str, str],
    uncertainty: bool,
    groups: int | None,
    bootstrap: int | None,
    shifts: int | None,
    progress: Progress,
    diff: bool = False,
    overwrite: bool = False,
) -> Comparison:
    """Compare models and leave results, tables, configuration and report in a folder.

    The parameters are those of `assonance.compare`; no `measures` are the standard ones;
    `groups`, `bootstrap` and `shifts` take the place of the settings'. `speech` holds options of
    `Corpus.from_path`, `pooling` those of `compare` that say what a row is. With `diff`, the
    models are one before and after fine-tuning and, if given, its second seed: what changed heads
    the report, and stands in tables and a figure of its own.

    Everything is validated before anything is written. A folder with the finished results of
    another run is refused unless `overwrite` is given; then its results stay until all new ones
    are on the disk, and are replaced together.

    Returns
    -------
    Comparison
        As saved.

    Raises
    ------
    AssonanceError
        As `assonance.compare`, the folder holds another run's results, or cannot be written.
    """
    counts: dict[str, Any] = {"groups": groups, "bootstrap": bootstrap, "shifts": shifts}
    chosen_settings = replace(
        find_settings(settings),
        **{name: value for name, value in counts.items() if value is not None},
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
        "tuned_from": dict(tuned_from),
        "uncertainty": uncertainty,
        **({"diff": True} if diff else {}),
    }
    given: Sequence[str | SpeechModel] = models
    if diff:
        given = loaded = _of_one_architecture(models, device, offline, record, precision)
        tuned_from = _base_of_the_second(loaded)
    finished = (out / RESULTS).exists()
    prepared = prepare(
        given,
        Corpus.from_path(audio, **speech),
        chosen,
        settings=chosen_settings,
        twins=twins,
        pooling=Pooling(**{_POOLING.get(name, name): value for name, value in pooling.items()}),
        memory=memory,
        device=device,
        offline=offline,
        record=record,
        precision=precision,
        on_error=on_error,
        seeds=seeds,
        tuned_from=tuned_from,
        progress=progress,
    )
    if finished and not overwrite:
        _refuse_others_results(out, config)
        _refuse_other_material(out, prepared)
    _make(out)
    if not finished:
        write_text(out / CONFIG, _yaml(config))
    comparison = prepared.run(out, uncertainty, progress)
    if finished and not overwrite:
        _refuse_other_scores(out, comparison)
    _leave(comparison, config, out, progress)
    return comparison


def _leave(
    comparison: Comparison, config: Mapping[str, Any], out: Path, progress: Progress
) -> None:
    """Write the results and all that is made of them, none before all are made."""
    found = evaluate_claims(comparison)
    pairs = pairs_of(comparison, diff=config.get("diff", False))
    said = [*answer(comparison, pairs), *(each.sentence() for each in found if each.tested)]
    with progress.stage("writing the report", 1) as advance:
        texts = {
            TABLE: _csv(comparison.to_dataframe()),
            CLAIMS: _csv(to_dataframe(found)),
            CONFIG: _yaml(config),
            REPORT: render(comparison, said, pairs),
        }
        for pair in pairs or ():
            texts |= _changes(comparison, pair)
        written = {out / name: encoded(text) for name, text in texts.items()}
        write_together({out / RESULTS: comparison.to_bytes(), **written})
        for name in _OF_CHANGES:
            if name not in texts:  # they were of results that are replaced
                (out / name).unlink(missing_ok=True)
        advance(1)


def _refuse_others_results(out: Path, config: Mapping[str, Any]) -> None:
    """Refuse a folder whose finished results were asked for by another configuration."""
    try:
        saved = yaml.safe_load((out / CONFIG).read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        saved = None
    if not isinstance(saved, dict):
        raise _holds_others(out, f"no {CONFIG} that can be read says how they were made")
    there, here = (_flat(each) for each in (saved, yaml.safe_load(_yaml(config))))
    differing = [
        f"{name} {_short(there.get(name))}, now {_short(here.get(name))}"
        for name in {**there, **here}
        if there.get(name) != here.get(name)
    ]
    if differing:
        raise _holds_others(out, "; ".join(differing))


def _refuse_other_material(out: Path, prepared: Prepared) -> None:
    """Refuse a folder whose finished results are of other models, or of other speech."""
    try:
        record = Comparison.load(out / RESULTS).provenance
    except AssonanceError as error:
        raise _holds_others(out, str(error)) from error
    there = {model.fingerprint for model in record.models}
    # A baseline may have been left out.
    here = {each.model.fingerprint for each in prepared.named.values() if not each.baseline}
    speech = prepared.speech
    if here - there:
        raise _holds_others(out, "the models have changed since")
    count = record.corpus.utterances + len(record.left_out)
    if count != len(speech) + len(speech.left_out) or (
        not record.left_out and record.corpus.seconds != round(speech.seconds, 3)
    ):
        raise _holds_others(out, "the speech has changed since")


def _refuse_other_scores(out: Path, comparison: Comparison) -> None:
    """Refuse to replace scores by others: of files that have changed and are as long as before."""
    before, now = Comparison.load(out / RESULTS).scores, comparison.scores
    same = set(before) == set(now) and all(
        before[name].shape == now[name].shape
        and np.allclose(before[name], now[name], rtol=_ROUNDING, atol=_ROUNDING, equal_nan=True)
        for name in now
    )
    if not same:
        raise _holds_others(out, "the speech or the machine has changed since")


def _holds_others(out: Path, how: str) -> AssonanceError:
    return AssonanceError(
        f"{printable(out)}: holds finished results that this run would not give: {how}; "
        "name another folder with --out, or replace them with --overwrite"
    )


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """List what decides the results, settings and the like one by one."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if name in _INDIFFERENT:
            continue
        if name in ("models", "audio"):
            flat[name] = [_place(each) for each in ([value] if isinstance(value, str) else value)]
        elif isinstance(value, dict) and name != "seeds":
            flat |= {f"{name}.{each}": inner for each, inner in value.items()}
        else:
            flat[name] = value
    return flat


def _place(name: str) -> str:
    """Name a place in one way, however it was given."""
    return str(Path(name).resolve()) if Path(name).exists() else name


def _short(value: object) -> str:
    text = printable(", ".join(map(str, value)) if isinstance(value, list) else str(value))
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def _of_one_architecture(
    models: Sequence[str], device: str, offline: bool, record: Sequence[str], precision: str
) -> list[SpeechModel]:
    """Load what is to be followed layer by layer."""
    loaded = [
        load_model(each, device=device, offline=offline, record=record, precision=precision)
        for each in models
    ]
    relations.of_one_architecture(
        {
            each.info.source: (each.info.family, each.info.n_parameters, each.layers)
            for each in loaded
        }
    )
    return loaded


def _base_of_the_second(models: Sequence[SpeechModel]) -> dict[str, str]:
    """State that the second model was fine-tuned from the first, if both were trained."""
    pair = models[:2]
    names = unique_names(pair)
    both = all(relations.learned(each.info.objective, each.info.source) for each in pair)
    return {names[1]: names[0]} if both else {}


def pairs_of(comparison: Comparison, *, diff: bool) -> tuple[FineTuning, ...] | None:
    """Name the pair that a run of `diff` is about; None for any other run."""
    return (FineTuning(*comparison.models),) if diff else None


def answer(comparison: Comparison, pairs: Sequence[FineTuning] | None = None) -> list[str]:
    """Say what a comparison found; of pairs before and after fine-tuning, what changed."""
    if pairs is None:
        return sentences(comparison)
    return [line for pair in pairs for line in change_summary.sentences(comparison, pair)]


def _changes(comparison: Comparison, pair: FineTuning) -> dict[str, str]:
    """Make the tables of what changed, and the figure of the most telling measure, by name."""
    layers = change_tables.layers(comparison, pair)
    made = {CHANGES: _csv(layers.reset_index())}
    heads = {
        measure: change_tables.heads(comparison, pair, measure)
        for measure in head_measures(comparison)
    }
    if heads:
        made[CHANGED_HEADS] = _csv(pd.concat(heads, names=["measure"]).reset_index())
    told = change_tables.leading_measures(layers)
    if told:
        file = io.StringIO()
        change_plots.layers(comparison, [pair], told[0], {pair: layers}).savefig(file, format="svg")
        made[CHANGES_FIGURE] = file.getvalue()
    return made


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
    tuple of list of ClaimResult and Path
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
    write_text(table, _csv(to_dataframe(found)))
    return found, table


def folder_for(models: Sequence[str]) -> Path:
    """Name a run's folder after its models."""
    return Path("runs") / "-vs-".join(slug(Path(model).name) for model in models)


def _csv(table: pd.DataFrame) -> str:
    text = io.StringIO()
    table.to_csv(text, index=False)
    return text.getvalue()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AssonanceError(
            f"{printable(folder)}: cannot be made: {error_text(error)}; name another with --out"
        ) from error


def _yaml(config: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)

"""Run a comparison and write results, tables, claims and report into a folder."""

import io
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pandas as pd

from assonance.claims.claim import load_claims
from assonance.claims.verdict import ClaimResult, evaluate_claims, to_dataframe
from assonance.cli.run_folder import (
    CHANGED_HEADS,
    CHANGES,
    CHANGES_FIGURE,
    CLAIMS,
    CONFIG,
    PRELIMINARY,
    REPORT,
    RESULTS,
    TABLE,
    RunFolder,
    as_yaml,
)
from assonance.cli.sound import check_sound, described, sound_of
from assonance.comparison import relations
from assonance.comparison.cluster.workers import connected, working
from assonance.comparison.configuration import Configuration
from assonance.comparison.forecast.counts import count_comparison
from assonance.comparison.forecast.forecast import check_disk
from assonance.comparison.kept_run import kept_by
from assonance.comparison.lookup import open_run
from assonance.comparison.moments import Sound
from assonance.comparison.parts import refuse_incomplete
from assonance.comparison.prepared import prepare
from assonance.comparison.relations import FineTuning
from assonance.comparison.request import Request
from assonance.comparison.result import Comparison
from assonance.errors import printable
from assonance.models import SpeechModel
from assonance.models.loading import Loading, load_all
from assonance.models.roster import unique_names
from assonance.plots import changes as change_plots
from assonance.report.findings import pairs_of, summary
from assonance.report.page import render
from assonance.tables import changes as change_tables
from assonance.tables.heads import head_measures
from assonance.utils.files import is_folder, slug, write_text
from assonance.utils.memory import keep_freed_memory, parse_bytes
from assonance.utils.progress import Progress

# How the line begins that names a report before the results are complete.
FIRST_REPORT = "a preliminary report"


def run(
    models: Sequence[str],
    audio: str,
    out: RunFolder,
    request: Request,
    progress: Progress,
    *,
    diff: bool = False,
    sound: bool = False,
    early: bool = True,
) -> Comparison:
    """Compare models and write all files of a run into a folder.

    All options are checked before anything is written.

    Parameters
    ----------
    models
        Names of models, as `load_model` takes them. With `diff`: a model before fine-tuning, the
        same after and, optionally, a second seed of the first.
    audio
        Path of the corpus; see `Corpus.from_path`.
    out
        The folder.
    request
        The options.
    progress
        Receives the stages.
    diff
        Whether to report what fine-tuning changed, with tables and a figure of its own.
    sound
        Whether the report has clips of the moments that excite neurons most.
    early
        Whether a long run shows a preliminary report.

    Returns
    -------
    Comparison
        As saved.

    Raises
    ------
    AssonanceError
        See `assonance.compare` and `RunFolder`.
    """
    keep_freed_memory(parse_bytes(request.memory))
    out.refuse_running()
    refuse_incomplete(out.activations or out.path)
    if sound:
        check_sound(models, request.measures)
    config = Configuration.of(models, audio, out.path, request, diff=diff).values()
    given: Sequence[str | SpeechModel] = models
    if diff:
        given = loaded = _load_same_architecture(models, request.loading, progress)
        request = replace(request, tuned_from=_base_of_the_second(loaded))
    with ExitStack() as stack:
        client = stack.enter_context(connected(request.cluster))
        prepared = prepare(given, audio, request, progress)
        check_disk(count_comparison(prepared), out.path)
        stack.enter_context(out.start(config, prepared))
        made = Configuration.of(models, audio, out.path, request)
        work = working(client, prepared, made, out.path, out.activations)

        def show(first: Comparison) -> None:
            out.show_early(first, _texts(first, pairs_of(first, diff=diff)))
            report = printable(out.path / PRELIMINARY / REPORT)
            progress.announce(f"{FIRST_REPORT}, the rest to follow: {report}")

        shown = show if early else None
        comparison = prepared.run(out.path, progress, out.activations, shown, work)
        out.check_scores(comparison)
        with progress.stage("writing the report", 1) as advance:
            heard = None
            if sound:
                folder, aligned = out.activations or out.path, request.pooling.alignments
                heard = sound_of(kept_by(comparison, folder, prepared.speech, aligned))
                progress.announce(described(heard))
            texts = _texts(comparison, pairs_of(comparison, diff=diff), heard)
            out.finish(comparison, {CONFIG: as_yaml(config), **texts})
            advance(1)
    return comparison


def _texts(
    comparison: Comparison, pairs: Sequence[FineTuning] | None, sound: Sound | None = None
) -> dict[str, str]:
    """Return tables, claims and report, by the names of their files."""
    claims = evaluate_claims(comparison)
    findings = [*summary(comparison, pairs), *(each.sentence() for each in claims if each.tested)]
    texts = {
        TABLE: _csv(comparison.to_dataframe()),
        CLAIMS: _csv(to_dataframe(claims)),
        REPORT: render(comparison, findings, pairs, sound),
    }
    for pair in pairs or ():
        texts |= _change_texts(comparison, pair)
    return texts


def _change_texts(comparison: Comparison, pair: FineTuning) -> dict[str, str]:
    """Return tables of what fine-tuning changed and a figure, by the names of their files."""
    layers = change_tables.layers(comparison, pair)
    texts = {CHANGES: _csv(layers.reset_index())}
    heads = {
        measure: change_tables.heads(comparison, pair, measure)
        for measure in head_measures(comparison)
    }
    if heads:
        texts[CHANGED_HEADS] = _csv(pd.concat(heads, names=["measure"]).reset_index())
    leading = change_tables.leading_measures(layers)
    if leading:
        file = io.StringIO()
        figure = change_plots.layers(comparison, [pair], leading[0], {pair: layers})
        figure.savefig(file, format="svg")
        texts[CHANGES_FIGURE] = file.getvalue()
    return texts


def _load_same_architecture(
    models: Sequence[str], loading: Loading, progress: Progress
) -> list[SpeechModel]:
    """Load models whose layers are compared one to one, and check that they correspond."""
    loaded = load_all(models, loading, progress)
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


def evaluate(run: Path, config: Path | None) -> tuple[list[ClaimResult], Path]:
    """Evaluate claims on a finished run, and write the verdicts beside its results.

    Parameters
    ----------
    run
        The run's folder, or its results file.
    config
        File of claims, see `assonance.claims.claim.load_claims`; None for the bundled ones.

    Returns
    -------
    tuple of list of ClaimResult and Path
        The verdicts, and the table that they were written to: ``claims.csv``, or for claims of
        ``mine.yaml`` ``claims-mine.csv`` beside it.

    Raises
    ------
    AssonanceError
        If there is no such run, the claims cannot be read, or the table cannot be written.
    """
    claims = load_claims(config)
    results = run / RESULTS if is_folder(run) else run
    verdicts = evaluate_claims(open_run(run), claims)
    name = CLAIMS if config is None else f"claims-{slug(config.stem)}.csv"
    table = results.with_name(name)
    write_text(table, _csv(to_dataframe(verdicts)))
    return verdicts, table


def folder_for(models: Sequence[str]) -> Path:
    """Return the default folder of a run, named after its models."""
    return Path("runs") / "-vs-".join(slug(Path(model).name) for model in models)


def _csv(table: pd.DataFrame) -> str:
    text = io.StringIO()
    table.to_csv(text, index=False)
    return text.getvalue()

"""A run in the terminal: its progress, and what a researcher wants to read first."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from assonance.cli import run as runs
from assonance.cli.options import Certainty, Machine, Measuring, Remedy, Rows, Speech, plain
from assonance.cli.progress_bars import Bars
from assonance.comparison.result import Comparison
from assonance.errors import AssonanceWarning, join_names, printable

_SHOWN = 10  # of what was left out


def run(
    models: Sequence[str],
    audio: str,
    out: Path,
    measuring: Measuring,
    speech: Speech,
    rows: Rows,
    machine: Machine,
    certainty: Certainty,
    *,
    seeds: Mapping[str, str],
    tuned_from: Mapping[str, str],
    record: Sequence[str] = ("blocks",),
    precision: str = "float32",
    on_error: Remedy = Remedy.SKIP,
    diff: bool = False,
    overwrite: bool = False,
) -> None:
    """Compare models with bars of progress, and say what was found; see `assonance.cli.run.run`.

    Raises
    ------
    AssonanceError
        As `assonance.cli.run.run`.
    typer.Exit
        It was interrupted.
    """
    try:
        with Bars() as bars, warnings.catch_warnings():
            warnings.simplefilter("ignore", AssonanceWarning)  # they are among the notes
            comparison = runs.run(
                models,
                audio,
                out,
                measures=measuring.measure or [],
                settings=measuring.settings,
                twins=measuring.twins,
                speech=plain(speech),
                pooling=plain(rows),
                **plain(machine),
                record=record,
                precision=precision,
                on_error=on_error.value,
                seeds=seeds,
                tuned_from=tuned_from,
                **plain(certainty),
                progress=bars,
                diff=diff,
                overwrite=overwrite,
            )
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on from here", err=True)
        raise typer.Exit(130) from None
    _tell(comparison, out, diff=diff)


def _tell(comparison: Comparison, out: Path, *, diff: bool) -> None:
    record = comparison.provenance
    for note in record.notes:
        typer.echo(f"note: {note}", err=True)
    for each in record.left_out[:_SHOWN]:
        typer.echo(f"left out: {each.path}: {each.reason}", err=True)
    if len(record.left_out) > _SHOWN:
        more = len(record.left_out) - _SHOWN
        typer.echo(f"left out: {more} more; the report names them", err=True)
    speech = record.corpus
    typer.echo(
        f"{join_names(comparison.models)} on {speech.utterances} utterances, "
        f"{speech.seconds / 60:.1f} minutes, {speech.frames} frames"
    )
    for sentence in runs.answer(comparison, runs.pairs_of(comparison, diff=diff)):
        typer.echo(f"  {sentence}")
    names = (runs.RESULTS, runs.TABLE, runs.CLAIMS, *([runs.CHANGES] if diff else []))
    typer.echo(f"results: {', '.join(printable(out / name) for name in names)}")
    typer.echo(f"report:  {printable(out / runs.REPORT)}")

"""Run a comparison in the terminal: progress bars, then a short summary."""

import warnings
from collections.abc import Sequence

from assonance.cli import run as runs
from assonance.cli.lines import say
from assonance.cli.run_folder import CHANGES, CLAIMS, REPORT, RESULTS, TABLE, RunFolder
from assonance.comparison.request import Request
from assonance.comparison.result import Comparison
from assonance.errors import AssonanceWarning, join_names, printable
from assonance.report.findings import pairs_of, summary
from assonance.utils.progress_bars import Bars

_SHOWN = 10  # utterances that were left out


def run(
    models: Sequence[str],
    audio: str,
    out: RunFolder,
    request: Request,
    *,
    diff: bool = False,
    sound: bool = False,
) -> None:
    """Compare models with progress bars and print a summary; see `assonance.cli.run.run`.

    Raises
    ------
    AssonanceError
        See `assonance.cli.run.run`.
    """
    with Bars() as bars, warnings.catch_warnings():
        warnings.simplefilter("ignore", AssonanceWarning)  # printed with the notes below
        comparison = runs.run(models, audio, out, request, bars, diff=diff, sound=sound)
    _print_summary(comparison, out, diff=diff)


def _print_summary(comparison: Comparison, out: RunFolder, *, diff: bool) -> None:
    record = comparison.provenance
    for note in record.notes:
        say(f"note: {note}", err=True)
    for each in record.left_out[:_SHOWN]:
        say(f"left out: {each.shown}: {each.reason}", err=True)
    if len(record.left_out) > _SHOWN:
        more = len(record.left_out) - _SHOWN
        say(f"left out: {more} more; the report names them", err=True)
    speech = record.corpus
    say(
        f"{join_names(comparison.models)} on {speech.utterances} utterances, "
        f"{speech.seconds / 60:.1f} minutes, {speech.frames} frames"
    )
    for sentence in summary(comparison, pairs_of(comparison, diff=diff)):
        say(f"  {sentence}")
    names = (RESULTS, TABLE, CLAIMS, *([CHANGES] if diff else []))
    say(f"results: {', '.join(printable(out.path / name) for name in names)}")
    say(f"report:  {printable(out.path / REPORT)}")

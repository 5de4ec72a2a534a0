"""Print what a comparison would take, and refuse one that disk or memory cannot hold."""

from collections.abc import Sequence
from pathlib import Path

from assonance.cli.lines import say
from assonance.comparison.forecast.counts import Counts, count_comparison
from assonance.comparison.forecast.forecast import Forecast, free_bytes, make_forecast
from assonance.comparison.prepared import prepare
from assonance.comparison.request import Request
from assonance.errors import printable
from assonance.models.loading import outline_all
from assonance.utils.cores import cores
from assonance.utils.memory import allowed_bytes, format_bytes, keep_freed_memory, parse_bytes
from assonance.utils.progress_bars import Bars


def show_plan(
    models: Sequence[str], audio: str, out: Path, request: Request, hours: float | None = None
) -> None:
    """Forecast a comparison and print it.

    Parameters
    ----------
    models, audio, request
        As for `assonance.cli.run.run`.
    out
        Folder that the run would write to.
    hours
        Hours of speech to plan for; None for the speech as it is.

    Raises
    ------
    AssonanceError
        A model or the speech cannot be used, or disk or memory do not suffice; then the numbers
        are printed before.
    """
    keep_freed_memory(parse_bytes(request.memory))  # as the run does
    with Bars() as bars:
        outlines = outline_all(models, request.loading, bars)
        counts = count_comparison(prepare(outlines, audio, request, bars), hours)
        forecast = make_forecast(counts, bars)
    for line in (*_counted(counts), "", *_table(forecast), "", *_fits(forecast, out)):
        say(line)
    forecast.check(out)


def _counted(counts: Counts) -> list[str]:
    """Return lines of counts."""
    roster = counts.extracted.roster
    models = [printable(name) for name, each in roster.items() if not each.control]
    controls = [printable(name) for name, each in roster.items() if each.control]
    speech = counts.speech
    lines = [
        f"models   {'; '.join(models)}",
        *([f"floors   {'; '.join(controls)}"] if controls else []),
        f"speech   {len(speech)} utterances, {speech.seconds / 60:.1f} minutes, "
        f"{counts.frames} frames",
        f"layers   {len(counts.widths)}, in {counts.pairs} pairs and {len(counts.tiles)} tiles",
    ]
    if counts.attention is not None:
        heads = sum(counts.attention.heads.values())
        lines.append(f"heads    {heads}, in {counts.head_pairs} pairs")
    return lines


def _table(forecast: Forecast) -> list[str]:
    """Return the stages as a table."""
    rows = [("stage", "time", "GFLOP", "disk", "memory")]
    rows += [
        (
            each.name,
            format_seconds(each.seconds),
            f"{each.operations / 1e9:.0f}",
            format_bytes(each.disk) if each.disk else "",
            format_bytes(each.memory),
        )
        for each in forecast.stages
    ]
    rows.append(("in all", format_seconds(forecast.seconds), "", "", ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _fits(forecast: Forecast, out: Path) -> list[str]:
    """Return lines about the machine, and about what is not counted."""
    device = forecast.counts.plan.device
    where = f"{cores()} cores" if device == "cpu" else device
    return [
        f"disk     {format_bytes(forecast.counts.disk)} for activations in {printable(out)}; "
        f"{format_bytes(free_bytes(out))} are free",
        f"memory   {format_bytes(forecast.memory)} at most; the machine has "
        f"{format_bytes(allowed_bytes())}",
        f"times    measured on {where} of this machine, as if nothing else used it; loading the "
        "models and writing the report are not counted, nor are operations after the products",
    ]


def format_seconds(seconds: float) -> str:
    """Return a duration as people say it, such as "40 s", "12 min" or "3.5 h"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 99.5 else f"{minutes / 60:.1f} h"

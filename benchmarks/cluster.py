"""Measure a comparison on workers, and forecast from it what more workers would give.

    python -m benchmarks.cluster [--models NAME ...] [--audio PATH] [--hours 960] [--bandwidth 1]
                                 [--worker-memory 16GB] [--larger MODEL ...] [--out FILE]
                                 [--write docs/scale.md] [-- OPTION...]

`assonance compare` runs four times, each process on one thread: without workers, with one on this
machine, with one and with two of a scheduler. Dask's record of its tasks gives the cost of each.
The same comparison is planned as `assonance plan` does; what its tasks took beside the plan is a
factor for each stage. A larger comparison, of four base and two large models, is then planned, its
tasks cost what the plan gives times that factor, and `benchmarks.schedule` gives its end.
`--bandwidth` is that of the storage that all workers share, in GB a second.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from distributed import Client, get_task_stream

from assonance.demo import SPEECH
from benchmarks.larger import LARGER, Measured, factors, larger_stages
from benchmarks.real import run_command
from benchmarks.schedule import Stage
from benchmarks.tables import show

MEMORY = "600MB"
WORKERS = [2**n for n in range(9)]
BEGIN, END = "<!-- benchmarks.cluster begins -->", "<!-- benchmarks.cluster ends -->"
_CONNECTING = 60  # seconds


@dataclass(frozen=True)
class Task:
    """A task of a run, as Dask recorded it: the stage, its worker, its start and its end."""

    stage: str
    worker: str
    start: float
    stop: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.stop - self.start


@contextmanager
def _process(*words: str) -> Iterator[None]:
    """Run a command of Dask, which is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def on_a_cluster(workers: int, command: Sequence[str], folder: Path) -> tuple[float, list[Task]]:
    """Run a command on a scheduler with so many workers; return its seconds and its tasks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    where = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    each = ("worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny")
    with ExitStack() as stack:
        stack.enter_context(_process("scheduler", *where))
        _wait_for("127.0.0.1", port)
        for _ in range(workers):
            stack.enter_context(_process(*each, "--local-directory", str(folder)))
        connected: Any = Client
        client = stack.enter_context(connected(address, timeout=_CONNECTING))
        client.wait_for_workers(workers, timeout=_CONNECTING)
        with get_task_stream(client) as recorded:
            seconds = run_command([*command, "--scheduler", address]).seconds
        return seconds, sorted(_tasks(recorded.data), key=lambda task: task.start)


def _wait_for(host: str, port: int) -> None:
    """Wait until something answers."""
    deadline = time.monotonic() + _CONNECTING
    while True:
        try:
            socket.create_connection((host, port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _tasks(recorded: Sequence[dict[str, Any]]) -> Iterator[Task]:
    for each in recorded:
        for span in each["startstops"]:
            if span["action"] == "compute":
                stage = str(each["key"]).split("-")[0]
                yield Task(stage, str(each["worker"]), span["start"], span["stop"])


def span(tasks: Sequence[Task]) -> float:
    """Return the seconds from the start of the first task to the end of the last."""
    return max(each.stop for each in tasks) - min(each.start for each in tasks)


def measured(seconds: float, tasks: Sequence[Task]) -> Measured:
    """Summarise the tasks of one worker.

    The first task of a worker opens models and speech, and the first of each stage plans it: what
    these take beyond the median task of their stage is no task's cost.
    """
    stages = list(dict.fromkeys(each.stage for each in tasks))
    costs, opening = {}, {}
    for stage in stages:
        taken = [each.seconds for each in tasks if each.stage == stage]
        median = statistics.median(taken)
        # Only where there are others to hold it against.
        opening[stage] = max(0.0, taken[0] - median) if len(taken) > 2 else 0.0
        costs[stage] = [taken[0] - opening[stage], *taken[1:]]
    idle = [b.start - a.stop for a, b in pairwise(tasks) if a.stage == b.stage]
    gap = max(0.0, statistics.median(idle)) if idle else 0.0
    return Measured(costs, opening, gap, seconds - span(tasks))


def runs(command: Sequence[str], folder: Path) -> tuple[list[dict[str, Any]], Measured]:
    """Run the comparison in the four ways."""

    def out(name: str) -> list[str]:
        return [*command, "--out", str(folder / name)]

    alone = run_command(out("alone")).seconds
    local = run_command([*out("local"), "--workers", "1"]).seconds
    one, one_tasks = on_a_cluster(1, out("one"), folder)
    two, two_tasks = on_a_cluster(2, out("two"), folder)
    stages, halves = span(one_tasks), span(two_tasks)
    found = measured(one, one_tasks)
    start = found.opening[one_tasks[0].stage]  # a worker imports torch and opens the models
    table: list[dict[str, Any]] = [
        {"run": "without workers", "seconds": alone},
        {
            **{"run": "--workers 1", "seconds": local, "of that without": local / alone},
            "less its start": (local - start) / alone,
        },
        {"run": "one worker of a scheduler", "seconds": one, "tasks, s": stages},
        {
            **{"run": "two workers of a scheduler", "seconds": two, "tasks, s": halves},
            **{"faster": one / two, "tasks faster": stages / halves},
        },
    ]
    names = ("alone", "local", "one", "two")
    if len({(folder / each / "results.nc").read_bytes() for each in names}) > 1:
        raise SystemExit("the runs differ: workers must not change a byte")
    return table, found


def scaling(stages: Sequence[Stage], bandwidth: float) -> list[dict[str, Any]]:
    """Simulate the larger comparison on more and more workers."""
    table: list[dict[str, Any]] = []
    for workers in WORKERS:
        taken = {each.name: each.seconds(workers, bandwidth) for each in stages}
        slowest = max(stages, key=lambda each: taken[each.name])
        limits = slowest.limits(workers, bandwidth)
        hours = sum(taken.values()) / 3600
        table.append(
            {
                **{"workers": workers, "hours": hours},
                "faster": table[0]["hours"] / hours if table else 1.0,
                "longest stage": slowest.name,
                "share": taken[slowest.name] / sum(taken.values()),
                "limited by": max(limits, key=lambda name: limits[name]),
            }
        )
    return table


def sentences(
    table: Sequence[dict[str, Any]], stages: Sequence[Stage], bandwidth: float
) -> list[str]:
    """State where the larger comparison stops scaling, and why."""
    pairs = pairwise(table)
    useful = [new["workers"] for old, new in pairs if old["hours"] / new["hours"] >= 1.5]
    best, last = max(useful, default=1), table[-1]
    (at,) = [row for row in table if row["workers"] == best]
    beyond = "" if best == last["workers"] else f" {last['workers']} give {last['faster']:.0f}."
    serial = sum(each.limits(1, bandwidth)["the process of the run"] for each in stages) / 3600
    moved = sum(each.limits(last["workers"], bandwidth)["the shared storage"] for each in stages)
    return [
        f"Doubling the workers shortens the run by a third or more up to {best} workers, which are "
        f"{at['faster']:.0f} times as fast as one.{beyond}",
        f"With {last['workers']} workers {last['share']:.0%} of the time is the stage "
        f"“{last['longest stage']}”, which {last['limited by']} limits.",
        f"What the process of the run does alone takes {serial:.1f} h, and the shared storage "
        f"moves bytes for {moved / 3600:.1f} h at {bandwidth / 1e9:g} GB/s.",
    ]


def forecast(
    asked: argparse.Namespace, one: Measured, parts: dict[str, list[dict[str, Any]]], folder: Path
) -> list[str]:
    """Add the tables of the larger comparison, and return sentences about it."""
    stages, bandwidth = larger_stages(asked, one, parts["tasks"], folder), 1e9 * asked.bandwidth
    parts["scaling"] = scaling(stages, bandwidth)
    parts["stages"] = [
        {"stage": each.name, "tasks": len(each.tasks)}
        | {f"{name}, h": s / 3600 for name, s in each.limits(WORKERS[-1], bandwidth).items()}
        for each in stages
    ]
    return sentences(parts["scaling"], stages, bandwidth)


def page(parts: dict[str, list[dict[str, Any]]], said: Sequence[str], asked: Any) -> str:
    """Return the section for `docs/scale.md`."""
    joined = " ".join(asked.options)
    lines = [
        BEGIN,
        "",
        "## What workers give",
        "",
        "`python -m benchmarks.cluster --write docs/scale.md` has written this section. All runs "
        f"are of {' and '.join(asked.models)} on the bundled speech with "
        f"{f'`{joined}`' if joined else 'all defaults'}, on one thread a process, and end with the "
        "same bytes.",
        "",
        *_table(parts["runs"]),
        "",
        "*Tasks* are the seconds from the start of the first task to the end of the last; the "
        "rest is starting, checking and the report. *Its start* is what the first task of a worker "
        "takes beyond a usual one: opening torch, models and speech. One worker's tasks, and what "
        "`assonance plan` gives for them:",
        "",
        *_table(parts["tasks"]),
        "",
        *(_page_of_larger(parts, said, asked) if said else ()),
        END,
    ]
    return "\n".join(lines)


def _page_of_larger(
    parts: dict[str, list[dict[str, Any]]], said: Sequence[str], asked: Any
) -> list[str]:
    return [
        f"A simulated schedule for {asked.hours:g} hours of such speech and six models "
        f"({', '.join(LARGER)}) without floors: tasks cost what the plan gives for this "
        "machine, times the last column. Workers have one core and "
        f"{asked.worker_memory}, and share a storage of {asked.bandwidth:g} GB/s.",
        "",
        *_table(parts["scaling"]),
        "",
        *said,
        "",
        *_table(parts["stages"]),
        "",
    ]


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return [
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(_cell(row.get(name)) for name in columns)} |" for row in rows),
    ]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
    return str(value)


def write_into(path: Path, text: str) -> None:
    """Put a section between its marks in a page, or at its end."""
    there = path.read_text("utf-8")
    before, _, rest = there.partition(BEGIN)
    after = rest.partition(END)[2] if rest else "\n"
    path.write_text(f"{before.rstrip()}\n\n{text}{after}", "utf-8")


def main() -> None:
    """Measure, forecast, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["hubert-mini", "wav2vec2-mini"])
    parser.add_argument("--audio", default=str(SPEECH))
    parser.add_argument("--hours", type=float, default=960.0)
    parser.add_argument("--bandwidth", type=float, default=1.0)
    parser.add_argument("--worker-memory", default="16GB")
    parser.add_argument("--memory", default=MEMORY)
    parser.add_argument("--larger", nargs="*", default=LARGER)
    parser.add_argument("--out")
    parser.add_argument("--write", type=Path)
    parser.add_argument("options", nargs="*", help="options of `assonance compare`, after --")
    asked = parser.parse_args()
    # Of the processes that are started: one thread, and workers as the manual starts them.
    os.environ |= {"OMP_NUM_THREADS": "1", "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
    torch.set_num_threads(1)
    command = ["compare", *asked.models, "--audio", asked.audio, "--memory", asked.memory]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        parts: dict[str, list[dict[str, Any]]] = {}
        parts["runs"], one = runs([*command, *asked.options], folder)
        parts["tasks"] = factors(folder / "one", one)
        torch.set_num_threads(os.cpu_count() or 1)  # only to be done sooner
        said = forecast(asked, one, parts, folder) if asked.larger else []
    kept = {**vars(asked), "write": str(asked.write)}
    for rows in parts.values():
        show(rows, kept, asked.out)
    print("\n".join(said))
    if asked.write:
        write_into(asked.write, page(parts, said, asked))


if __name__ == "__main__":
    main()

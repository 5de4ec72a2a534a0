"""Hold what `assonance plan` states against what the same comparison then takes, by stage.

    python -m benchmarks.plan [--models NAME ...] [--audio PATH] [--max-hours H] [--hours H]
                              [--memory AMOUNT] [--measure NAME ...] [--no-uncertainty]
                              [--no-twins] [--device cpu] [--run FOLDER] [--out FILE]

The comparison runs first, report included, so that the largest memory of the process is its own.
Times are those of all cores that the process used, divided by their number, as the plan states
them; the time on the clock stands beside it. A model is a name that `assonance compare` takes, or
FAMILY-SIZE of `benchmarks.real`, such as wav2vec2-base, which is made with random weights. With
`--hours` the speech is repeated, under other names, until it lasts as long.

A run of hours is kept with `--run FOLDER`. If it is interrupted, the same command goes on, and
times are added up over all processes. The two base and two large models of the study, on an hour
of speech:

    python -m benchmarks.plan --models wav2vec2-base hubert-base wav2vec2-large hubert-large
                              --hours 1 --run runs/study
"""

import argparse
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from assonance import Corpus
from assonance.cli.run import run
from assonance.cli.run_folder import RunFolder
from assonance.comparison.forecast.counts import count_comparison
from assonance.comparison.forecast.forecast import ATTENTION, bytes_under, make_forecast
from assonance.comparison.plan import BOTH
from assonance.comparison.prepared import prepare
from assonance.comparison.request import Request
from assonance.corpus import Reading
from assonance.demo import SPEECH
from assonance.measures.roles import STANDARD
from assonance.models.loading import Loading, outline_all
from assonance.utils.cores import cores
from assonance.utils.files import write_text
from assonance.utils.memory import MEMORY
from assonance.utils.progress import Silent
from benchmarks.real import CLASSES, SIZES, make_model, stage_of
from benchmarks.tables import show

_PAUSE = 10.0  # seconds between two records of the times of a run


class Clock(Silent):
    """Adds up the seconds of stages: of all cores divided by their number, and on the clock.

    They are recorded beside the run while it goes on, with the largest memory of its processes, so
    that a run taken up again adds to them.

    Parameters
    ----------
    record
        File of what earlier processes took.
    """

    def __init__(self, record: Path) -> None:
        self._record = record
        self._cores = cores()  # inside a pool of workers it is one
        before = json.loads(record.read_text()) if record.exists() else {}
        self.stages: dict[str, tuple[float, float]] = {
            name: (used, clock) for name, (used, clock) in before.get("stages", {}).items()
        }
        self.peak = float(before.get("peak", 0.0))

    @contextmanager
    def stage(
        self, name: str, total: float, *, unit: str = ""
    ) -> Iterator[Callable[[float], None]]:
        """Time a stage; those that read speech are one.

        What is read while attention is compared counts there, as in the plan.
        """
        name = ATTENTION if name == BOTH else stage_of(name)
        used, clock = self.stages.get(name, (0.0, 0.0))
        started = time.process_time(), time.perf_counter()
        written = started[1]
        done = 0.0

        def note() -> None:
            self.stages[name] = (
                used + (time.process_time() - started[0]) / self._cores,
                clock + time.perf_counter() - started[1],
            )

        def advance(units: float) -> None:
            nonlocal written, done
            done += units
            if time.perf_counter() - written > _PAUSE:
                note()
                self._write({name: done / total})
                written = time.perf_counter()

        try:
            yield advance
        finally:
            note()
            self._write({})

    def _write(self, now: Mapping[str, float]) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
        self.peak = max(self.peak, peak)
        record = {"stages": self.stages, "peak": self.peak, "now": now}
        write_text(self._record, json.dumps(record))


def repeated(audio: str, hours: float, folder: Path) -> Path:
    """Write speech of so many hours: copies of all utterances, under other names."""
    corpus = Corpus.from_path(audio)
    times = round(hours * 3600 / corpus.seconds)
    rows = []
    folder.mkdir(parents=True, exist_ok=True)
    for utterance in corpus:
        for number in range(times):
            name = f"{number:03d}-{utterance.id}".replace("/", "-")
            copy = folder / f"{name}{utterance.path.suffix}"
            if not copy.exists():
                shutil.copyfile(utterance.path, copy)
            rows.append({"id": name, "path": copy.name, "speaker": utterance.speaker})
    pd.DataFrame(rows).to_csv(folder / "manifest.csv", index=False)
    return folder


def find_models(names: Sequence[str], folder: Path) -> list[str]:
    """Return the models, and make those of a family and size."""
    found = []
    for number, name in enumerate(names):
        family, _, size = name.partition("-")
        made = family in CLASSES and size in SIZES
        found.append(str(make_model(folder, family, size, number)) if made else name)
    return found


def rows(args: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Run a comparison in a folder, plan it, and set both beside each other."""
    models = find_models(args.models, args.folder)
    audio = args.audio
    if args.hours is not None:
        audio = str(repeated(audio, args.hours, args.folder / f"speech-{args.hours:g}h"))
    request = Request(
        measures=tuple(args.measure or STANDARD),
        reading=Reading(max_hours=args.max_hours),
        loading=Loading(device=args.device, offline=True),
        memory=args.memory,
        uncertainty=args.uncertainty,
        twins=args.twins,
    )
    clock = Clock(folder.with_name(f"{folder.name}.seconds.json"))
    comparison = run(models, audio, RunFolder(folder), request, clock)
    disk = bytes_under(folder / "activations")
    silent = Silent()
    outlines = outline_all(models, request.loading, silent)
    started = time.process_time()
    counts = count_comparison(prepare(outlines, audio, request, silent))
    forecast = make_forecast(counts, silent)
    probe = (time.process_time() - started) / cores()
    assert counts.frames == comparison.provenance.corpus.frames
    table: list[dict[str, Any]] = [
        {
            "stage": each.name,
            "planned": each.seconds,
            "taken": clock.stages[each.name][0],
            "ratio": each.seconds / clock.stages[each.name][0],
            "clock": clock.stages[each.name][1],
        }
        for each in forecast.stages
    ]
    taken = sum(each["taken"] for each in table)
    planned = {each["stage"] for each in table}
    return [
        *table,
        {
            **{"stage": "in all", "planned": forecast.seconds, "taken": taken},
            "ratio": forecast.seconds / taken,
        },
        *(
            {"stage": f"not planned: {name}", "taken": used, "clock": seconds}
            for name, (used, seconds) in clock.stages.items()
            if name not in planned
        ),
        {"stage": "probe", "taken": probe},
        {
            "stage": "disk, bytes",
            "planned": counts.disk,
            "taken": disk,
            "ratio": counts.disk / disk,
        },
        {
            **{"stage": "memory, bytes", "planned": forecast.memory, "taken": clock.peak},
            "ratio": forecast.memory / clock.peak,
        },
    ]


def main() -> None:
    """Run, plan, and print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["hubert-mini", "wav2vec2-mini"])
    parser.add_argument("--audio", default=str(SPEECH))
    parser.add_argument("--max-hours", type=float)
    parser.add_argument("--hours", type=float)
    parser.add_argument("--memory", default=MEMORY)
    parser.add_argument("--measure", nargs="*")
    parser.add_argument("--no-uncertainty", dest="uncertainty", action="store_false")
    parser.add_argument("--no-twins", dest="twins", action="store_false")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, default=Path("runs/real"))
    parser.add_argument("--run", type=Path)
    parser.add_argument("--out")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.folder) as scratch:
        table = rows(args, args.run or Path(scratch) / "run")
    asked = {**vars(args), "folder": str(args.folder), "run": str(args.run)}
    show(table, asked, args.out)


if __name__ == "__main__":
    main()

"""Hold what `assonance plan` states against what the same comparison then takes, by stage.

    python -m benchmarks.plan [--models NAME ...] [--audio PATH] [--max-hours H] [--memory AMOUNT]
                              [--measure NAME ...] [--no-uncertainty] [--no-twins] [--device cpu]
                              [--out FILE]

The comparison runs first, so that the largest memory of the process is its own. Times are those of
all cores that the process used, divided by their number, as the plan states them; the time on the
clock stands beside it. A model is a name that `assonance compare` takes, or FAMILY-SIZE of
`benchmarks.real`, such as wav2vec2-base, which is made with random weights.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assonance.comparison.forecast.counts import count_comparison
from assonance.comparison.forecast.forecast import ATTENTION, bytes_under, make_forecast
from assonance.comparison.plan import BOTH
from assonance.comparison.prepared import prepare
from assonance.comparison.request import Request
from assonance.corpus import Reading
from assonance.measures.roles import STANDARD
from assonance.models.loading import Loading, outline_all
from assonance.utils.cores import cores
from assonance.utils.progress import Silent
from benchmarks.real import CLASSES, SIZES, make_model, stage_of
from benchmarks.tables import show


class Clock(Silent):
    """Adds up the seconds of stages: of all cores divided by their number, and on the clock."""

    def __init__(self) -> None:
        self.stages: dict[str, tuple[float, float]] = {}

    @contextmanager
    def stage(
        self, name: str, total: float, *, unit: str = ""
    ) -> Iterator[Callable[[float], None]]:
        """Time a stage; those that read speech are one.

        What is read while attention is compared counts there, as in the plan.
        """
        name = ATTENTION if name == BOTH else stage_of(name)
        started = time.process_time(), time.perf_counter()
        yield lambda units: None
        used, clock = self.stages.get(name, (0.0, 0.0))
        self.stages[name] = (
            used + (time.process_time() - started[0]) / cores(),
            clock + time.perf_counter() - started[1],
        )


def find_models(names: Sequence[str], folder: Path) -> list[str]:
    """Return the models, and make those of a family and size."""
    found = []
    for number, name in enumerate(names):
        family, _, size = name.partition("-")
        made = family in CLASSES and size in SIZES
        found.append(str(make_model(folder, family, size, number)) if made else name)
    return found


def rows(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Run and plan a comparison, and set both beside each other."""
    models = find_models(args.models, args.folder)
    request = Request(
        measures=tuple(args.measure or STANDARD),
        reading=Reading(max_hours=args.max_hours),
        loading=Loading(device=args.device, offline=True),
        memory=args.memory,
        uncertainty=args.uncertainty,
        twins=args.twins,
    )
    clock = Clock()
    with tempfile.TemporaryDirectory(dir=args.folder) as scratch:
        comparison = prepare(models, args.audio, request, clock).run(Path(scratch), clock)
        disk = bytes_under(Path(scratch) / "activations")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    silent = Silent()
    outlines = outline_all(models, request.loading, silent)
    started = time.process_time()
    counts = count_comparison(prepare(outlines, args.audio, request, silent))
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
    return [
        *table,
        {
            **{"stage": "in all", "planned": forecast.seconds, "taken": taken},
            "ratio": forecast.seconds / taken,
        },
        {"stage": "probe", "taken": probe},
        {
            "stage": "disk, bytes",
            "planned": counts.disk,
            "taken": disk,
            "ratio": counts.disk / disk,
        },
        {
            **{"stage": "memory, bytes", "planned": forecast.memory, "taken": peak},
            "ratio": forecast.memory / peak,
        },
    ]


def main() -> None:
    """Run, plan, and print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["hubert-mini", "wav2vec2-mini"])
    parser.add_argument("--audio", default="src/assonance/demo/speech")
    parser.add_argument("--max-hours", type=float)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--measure", nargs="*")
    parser.add_argument("--no-uncertainty", dest="uncertainty", action="store_false")
    parser.add_argument("--no-twins", dest="twins", action="store_false")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, default=Path("runs/real"))
    parser.add_argument("--out")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    show(rows(args), {**vars(args), "folder": str(args.folder)}, args.out)


if __name__ == "__main__":
    main()

"""Peak memory: it must not grow with the speech, and should stay near what was planned.

    python -m benchmarks.memory [--json FILE]

The first table has more and more frames, the second many layers in one tile and in several, where
kernels of sampled frames take more than sums do. Each row runs in a process of its own, over frames
that are made as they are asked for. *Planned* is what the largest tile was counted to take; *above
idle* is the peak less that of a process that only imports what the others do.
"""

import argparse
import resource
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context

from assonance.measures import find
from assonance.scoring.kept_sums import KeptSums
from assonance.scoring.resampled import resample_frames
from assonance.scoring.tiles import left_for_sums, plan, size, tables_size
from assonance.settings import SETTINGS
from benchmarks.engine import HELD_OUT, MEMORY, STUDY, UNBIASED, different, engine
from benchmarks.material import Layers, utterances
from benchmarks.tables import show

ALL = (*STUDY, *UNBIASED, *HELD_OUT)
KERNELS = ("cka_rbf", "cka", "maxcorr", *HELD_OUT)


@dataclass(frozen=True)
class Case:
    """What is compared in a process of its own.

    Attributes
    ----------
    layers, width, frames
        So many layers of so many neurons, at so many frames.
    measures
        Names of the measures; one of them held out.
    memory
        Bytes that the process may take.
    """

    layers: int
    width: int
    frames: int
    measures: Sequence[str]
    memory: float = MEMORY

    def tiles(self) -> list[float]:
        """Count the bytes of each tile, as the engine does."""
        source, settings = self.source(), SETTINGS["default"]
        chosen = find(self.measures, ("neuron", "layer"))
        resampling = resample_frames(source, chosen, settings)
        left = left_for_sums(self.memory, tables_size(source.widths, chosen, resampling))
        sums = KeptSums.of(source, chosen, settings, resampling)
        tiles = plan(source.widths, different, left, sums)
        return [size(tile, source.widths, sums) for tile in tiles]

    def source(self) -> Layers:
        """Make the layers, of which no frame is kept."""
        return Layers(self.layers, self.width, utterances(self.frames), kept=False)


FRAMES = [Case(8, 512, frames, ALL) for frames in (20_000, 160_000)]
TILES = [Case(60, 128, 4_000, KERNELS, memory) for memory in (1e9, 4e9)]


def peak(case: Case | None) -> float:
    """Run the engine in a new process, or nothing, and read its peak memory, in bytes."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(run, case).result()


def run(case: Case | None) -> float:
    """Run the engine here, or nothing, and read the peak so far, in bytes."""
    if case:
        engine(case.source(), case.measures, case.memory)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measured(case: Case, idle: float) -> dict[str, float]:
    """Tell the peak of a case beside what was planned."""
    tiles, found = case.tiles(), peak(case)
    return {
        "tiles": len(tiles),
        "planned GB": max(tiles) / 1e9,
        "peak GB": found / 1e9,
        "above idle GB": (found - idle) / 1e9,
        "of planned": (found - idle) / max(tiles),
    }


def main() -> None:
    """Measure and tell."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--json", help="file for the figures")
    asked = options.parse_args()
    idle = peak(None)
    rows: list[dict[str, float]] = [{"frames": 0, "peak GB": idle / 1e9}]
    rows += [{"frames": case.frames} | measured(case, idle) for case in FRAMES]
    for row in rows[1:]:
        row["of the first"] = row["peak GB"] / rows[1]["peak GB"]
    show(rows, asdict(FRAMES[-1]), asked.json)
    rows = [{"memory GB": case.memory / 1e9} | measured(case, idle) for case in TILES]
    show(rows, asdict(TILES[-1]), asked.json)


if __name__ == "__main__":
    main()

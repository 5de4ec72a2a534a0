"""Peak memory against frames: it must not grow with the speech.

    python -m benchmarks.memory [--json FILE]

Each size runs in a process of its own, over frames that are made as they are asked for.
"""

import argparse
import json
import resource
import subprocess
import sys

from assonance.sizes import bytes_of
from assonance.tiles import plan, size
from benchmarks.engine import HELD_OUT, STUDY, UNBIASED, engine
from benchmarks.material import Layers, utterances
from benchmarks.tables import show

FRAMES = (20_000, 160_000)
WIDTH, LAYERS = 512, 8
MEASURES = (*STUDY, *UNBIASED, *HELD_OUT)


def peak(frames: int) -> float:
    """Run the engine in a new process and read its peak memory, in bytes."""
    command = [sys.executable, "-m", "benchmarks.memory", "--one", str(frames)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(found.stdout.splitlines()[-1]))


def main() -> None:
    """Measure and tell."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--one", type=int, help="run so many frames here and print the peak")
    options.add_argument("--json", help="file for the figures")
    asked = options.parse_args()
    if asked.one is not None:
        if asked.one:
            engine(Layers(LAYERS, WIDTH, utterances(asked.one), kept=False), MEASURES)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        return
    widths = {str(number): WIDTH for number in range(LAYERS)}
    (tile,) = plan(widths, lambda a, b: a != b, folds=5, memory=bytes_of("16GB"))
    idle = peak(0)
    peaks = {frames: peak(frames) for frames in FRAMES}
    planned = size(tile, widths, folds=5)
    rows = [{"frames": 0, "peak GB": idle / 1e9}] + [
        {"frames": frames, "peak GB": found / 1e9, "of the first": found / peaks[FRAMES[0]]}
        | {"above idle GB": (found - idle) / 1e9, "planned GB": planned / 1e9}
        for frames, found in peaks.items()
    ]
    show(rows, {"width": WIDTH, "layers": LAYERS, "measures": MEASURES}, asked.json)


if __name__ == "__main__":
    main()

"""Time against frames, width and number of layers, beside what the operations would say.

    python -m benchmarks.growth [--json FILE]

One thing grows at a time, the rest stays. Operations count the products of frames (2·N·D² for two
layers; a layer with itself in float64, its upper part, counts as much) and the algebra of layers
and pairs (about 20·D³ and 23·D³). "growth" is the time by that of the row before, "expected" the
same of the operations: where it is more, time grows faster than operations do.
"""

import argparse
import time
from collections.abc import Iterable
from typing import Any

from benchmarks.engine import STUDY, engine
from benchmarks.material import Layers, utterances
from benchmarks.tables import show

FRAMES, WIDTH, LAYERS = 20_000, 256, 4
GROWING = {
    "frames": (5_000, 20_000, 80_000, 320_000),
    "width": (128, 256, 512, 1024, 2048),
    "layers": (4, 12, 24, 48),
}


def operations(frames: int, width: int, layers: int) -> float:
    """Count the operations of the five measures, in GFLOP."""
    pairs = layers * (layers - 1) / 2
    products = 2 * frames * width**2 * (pairs + layers)
    algebra = width**3 * (23 * pairs + 20 * layers)
    return (products + algebra) / 1e9


def rows(growing: str, values: Iterable[int]) -> Iterable[dict[str, Any]]:
    """Measure with one thing growing."""
    before: dict[str, Any] = {}
    for value in values:
        size = {"frames": FRAMES, "width": WIDTH, "layers": LAYERS} | {growing: value}
        layers = Layers(size["layers"], size["width"], utterances(size["frames"]), kept=True)
        started = time.perf_counter()
        engine(layers, STUDY)
        row = size | {"seconds": time.perf_counter() - started, "GFLOP": operations(**size)}
        row["GFLOP/s"] = row["GFLOP"] / row["seconds"]
        if before:
            row["growth"] = row["seconds"] / before["seconds"]
            row["expected"] = row["GFLOP"] / before["GFLOP"]
        yield row
        before = row


def main() -> None:
    """Measure and tell."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--json", help="file for the figures")
    asked = options.parse_args()
    engine(Layers(2, WIDTH, utterances(5_000), kept=True), STUDY)  # warm up
    found = [row for growing, values in GROWING.items() for row in rows(growing, values)]
    show(found, {}, asked.json)


if __name__ == "__main__":
    main()

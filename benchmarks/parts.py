"""What the algebra of a pair of layers is made of: each operation alone, and on all cores at once.

    python -m benchmarks.parts [--width 768] [--json FILE]

"alone" is one call on one core; "beside others" a call while every core does the same.
"""

import argparse
import time
from collections.abc import Callable
from operator import call
from typing import Any

import torch

from assonance.statistics.svd import svd
from assonance.utils.cores import worker_pool
from benchmarks.tables import show

REPEATS = 8


def operations(width: int) -> dict[str, Callable[[], Any]]:
    """Name the operations, on matrices of one width."""
    single = torch.randn(width, width, generator=torch.Generator().manual_seed(0))
    double = single.to(torch.float64)
    square = {"float32": single.T @ single, "float64": double.T @ double}
    lower = torch.linalg.cholesky(square["float32"] + width * torch.eye(width))
    return {
        "product, float32": lambda: single @ single,
        "product, float64": lambda: double @ double,
        "triangular solve, float32": lambda: torch.linalg.solve_triangular(
            lower, single, upper=False
        ),
        "eigenvectors, float32": lambda: torch.linalg.eigh(square["float32"]),
        "eigenvectors, float64": lambda: torch.linalg.eigh(square["float64"]),
        "singular vectors by eigenvectors, float64": lambda: svd(double),
        "singular vectors by LAPACK, float64": lambda: torch.linalg.svd(double),
    }


def main() -> None:
    """Measure and tell."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--width", type=int, default=768)
    options.add_argument("--json", help="file for the figures")
    asked = options.parse_args()
    rows = []
    for name, work in operations(asked.width).items():
        times = {}
        with worker_pool() as pool_map:
            list(pool_map(call, [work] * REPEATS))
            started = time.perf_counter()
            list(pool_map(call, [work] * REPEATS))
            times["all"] = time.perf_counter() - started
            work()
            started = time.perf_counter()
            for _ in range(REPEATS):
                work()
            times["alone"] = (time.perf_counter() - started) / REPEATS
        cores = torch.get_num_threads()
        beside = times["all"] * cores / REPEATS
        rows.append(
            {"what": name, "alone, ms": 1e3 * times["alone"], "beside others, ms": 1e3 * beside}
        )
    show(rows, {"width": asked.width}, asked.json)


if __name__ == "__main__":
    main()

"""Score one pair of layers, a measure at a time and all at once, beside the best of its peers.

    python -m benchmarks.single_pair [--frames 6000] [--width 768] [--repeat 3] [--json FILE]

A peer is the plain definition of a measure in torch or numpy on the same threads, in the precision
of the frames, as other libraries have it. Ours is `similarity` for one measure, and for all of them
`similarity_matrix`, which also scores each layer with itself. Both take turns, and the shortest
time counts.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import scipy.optimize
import torch
from torch import Tensor

from assonance import similarity, similarity_matrix
from benchmarks.material import Layers, utterances
from benchmarks.tables import show

ALONE, TOGETHER = 1.2, 0.35


def standardised(x: Tensor) -> Tensor:
    """Centre and scale each neuron to unit norm."""
    x = x - x.mean(0)
    return x.div(x.norm(dim=0))


def cka(x: Tensor, y: Tensor) -> float:
    """Compute linear CKA by products of neurons."""
    x, y = x - x.mean(0), y - y.mean(0)
    return float((x.T @ y).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm()))


def procrustes(x: Tensor, y: Tensor) -> float:
    """Compute the nuclear norm of the products of layers of unit norm."""
    x, y = x - x.mean(0), y - y.mean(0)
    return float(torch.linalg.svdvals((x / x.norm()).T @ (y / y.norm())).sum())


def correlations(x: Tensor, y: Tensor) -> Tensor:
    """Compute absolute correlations between neurons."""
    return (standardised(x).T @ standardised(y)).abs()


def one_to_one(x: Tensor, y: Tensor) -> float:
    """Match neurons one to one by scipy."""
    table = correlations(x, y).numpy()
    return float(table[scipy.optimize.linear_sum_assignment(table, maximize=True)].mean())


def maxcorr(x: Tensor, y: Tensor) -> float:
    """Compute the mean best correlation."""
    return float(correlations(x, y).amax(1).mean())


def linreg(x: Tensor, y: Tensor) -> float:
    """Compute the mean multiple correlation, from an orthonormal basis of the column layer."""
    basis = torch.linalg.qr(y - y.mean(0))[0]
    return float((basis.T @ standardised(x)).norm(dim=0).mean())


def svcca(x: Tensor, y: Tensor) -> float:
    """Compute the mean canonical correlation of 99 % of the variance, by principal directions."""
    sides = []
    for layer in map(standardised, (x, y)):
        values, vectors = (each.flip(-1) for each in torch.linalg.eigh(layer.T @ layer))
        kept = int((values.cumsum(0) < 0.99 * values.sum()).sum()) + 1
        sides.append(layer @ (vectors[:, :kept] / values[:kept].sqrt()))
    return float(torch.linalg.svdvals(sides[0].T @ sides[1]).mean())


PEERS: Mapping[str, Callable[[Tensor, Tensor], float]] = {
    "cka": cka,
    "procrustes": procrustes,
    "one_to_one": one_to_one,
    "maxcorr": maxcorr,
    "linreg": linreg,
    "svcca": svcca,
}


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Time a call, by the clock and by the processor."""
    started = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started[0], time.process_time() - started[1]


def main() -> None:
    """Measure and show."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--frames", type=int, default=6000)
    options.add_argument("--width", type=int, default=768)
    options.add_argument("--repeat", type=int, default=3, help="rounds; at least 1")
    options.add_argument("--json", help="file for the figures")
    asked = options.parse_args()
    made = Layers(2, asked.width, utterances(asked.frames), kept=True)
    x, y = (made.whole(name) for name in made.widths)
    layers = {"a": x.numpy(), "b": y.numpy()}
    works: dict[str, Callable[[], Any]] = {}
    for name, peer in PEERS.items():
        works[f"{name}, peer"] = partial(peer, x, y)
        works[name] = partial(similarity, layers["a"], layers["b"], name)
    works["together"] = partial(similarity_matrix, layers, [*PEERS])
    best = dict.fromkeys(works, (np.inf, np.inf))
    for number in range(asked.repeat + 1):  # the first round warms up
        for name, work in works.items():
            taken = seconds(work)
            best[name] = min(best[name], taken) if number else best[name]
    rows = [
        {
            "measure": name,
            "peer s": best[f"{name}, peer"][0],
            "ours s": best[name][0],
            "ratio": best[name][0] / best[f"{name}, peer"][0],
            "ratio, processor": best[name][1] / best[f"{name}, peer"][1],
            "target": ALONE,
        }
        for name in PEERS
    ]
    total = [sum(best[f"{name}, peer"][kind] for name in PEERS) for kind in (0, 1)]
    rows.append(
        {
            "measure": "all together",
            "peer s": total[0],
            "ours s": best["together"][0],
            "ratio": best["together"][0] / total[0],
            "ratio, processor": best["together"][1] / total[1],
            "target": TOGETHER,
        }
    )
    show(rows, vars(asked), asked.json)


if __name__ == "__main__":
    main()

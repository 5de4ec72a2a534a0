"""Every attention head against every other: how fast, against a plain broadcast, and how large.

    python benchmarks/heads.py [--threads N] [--out results.json]

prints a table of seconds and ratios, then the largest memory of the comparison of four models of
12 layers × 12 heads on 10 s of speech, each measured in this run. The plain way is what published
code does: for each pair of layers, all pairs of their heads side by side in one broadcast, in
float32, by torch on the same number of threads. Both sides compute every unordered pair of layers
once, and agree.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial, reduce
from itertools import combinations_with_replacement
from pathlib import Path

import torch
from torch import Tensor

from assonance.measures import find
from assonance.settings import SETTINGS
from assonance.statistics import HeadSums
from assonance.utils.cores import worker_pool

LAYERS, HEADS, FRAMES = 12, 12, 400
REPEATS = 3


def maps(count: int, frames: int, seed: int) -> Tensor:
    """Make attention of many kinds: even to sharp, local to global; (count, frames, frames).

    No probability is so small that the plain divergence becomes infinite.
    """
    generator = torch.Generator().manual_seed(seed)
    away = torch.arange(frames)[:, None] - torch.arange(frames)
    stack = torch.empty(count, frames, frames)
    for head in range(count):
        sharpness, width = torch.rand(2, generator=generator).tolist()
        logits = 4 * sharpness * torch.randn(frames, frames, generator=generator)
        stack[head] = (logits - away.abs() / (10 + 100 * width)).softmax(1)
    return stack


def frobenius(a: Tensor, b: Tensor) -> Tensor:
    """Compare all heads of two layers."""
    distance: Tensor = (a[:, None] - b).flatten(2).norm(dim=2)
    return 1 - distance


def pearson(a: Tensor, b: Tensor) -> Tensor:
    """Compare all heads of two layers."""
    a_centred, b_centred = (each - each.mean(-1, keepdim=True) for each in (a, b))
    covariance = (a_centred[:, None] * b_centred).mean(-1)
    return (covariance / (a.std(-1)[:, None] * b.std(-1))).mean(-1)


def divergence(a: Tensor, b: Tensor) -> Tensor:
    """Compare all heads of two layers."""
    middle = (a[:, None] + b) / 2
    parts = [(each * (each / middle).log()).sum(-1).mean(-1) for each in (a[:, None], b)]
    return 1 - (parts[0] + parts[1]) / 2


PLAIN = {"attn_frobenius": frobenius, "attn_pearson": pearson, "attn_js": divergence}


def plain(
    stack: Tensor, layers: list[slice], function: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Fill the table pair of layers by pair of layers."""
    table = torch.empty(len(stack), len(stack))
    for a, b in combinations_with_replacement(layers, 2):
        table[a, b] = function(stack[a], stack[b])
        table[b, a] = table[a, b].T
    return table


def ours(stacks: list[Tensor], heads: dict[str, int], *, divergences: bool) -> HeadSums:
    """Compare the maps of several utterances as a comparison of models does, one on each core."""

    def compare(stack: Tensor) -> HeadSums:
        pairs = combinations_with_replacement(heads, 2)
        sums = HeadSums(heads, pairs, divergences=divergences, kernels=False)
        sums.update(stack)
        return sums

    with worker_pool() as pool_map:
        sums: HeadSums = reduce(HeadSums.merge, pool_map(compare, stacks))
    return sums


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Take the least of several times, after one that does not count."""
    times = []
    work()
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def speed(threads: int) -> list[dict[str, object]]:
    """Time both ways on as many utterances as there are threads; seconds are an utterance's."""
    stacks = [maps(LAYERS * HEADS, FRAMES, seed) for seed in range(threads)]
    heads = {f"layer {number}": HEADS for number in range(LAYERS)}
    places = list(HeadSums(heads, []).slices().values())
    cheap = seconds(lambda: ours(stacks, heads, divergences=False)) / threads
    whole = seconds(lambda: ours(stacks, heads, divergences=True)) / threads
    sums = ours(stacks[:1], heads, divergences=True)
    slow, errors = {}, {}
    for name, function in PLAIN.items():
        (measure,) = find([name], ("head",))
        expected = plain(stacks[0], places, function)
        found = measure.function(sums.total, SETTINGS["default"])
        errors[name] = (found - expected).abs().max().item()
        assert errors[name] < 1e-3, (name, errors)
        slow[name] = seconds(partial(plain, stacks[0], places, function), 1)
    both = slow["attn_frobenius"] + slow["attn_pearson"]
    return [
        {"what": what, "plain_seconds": before, "seconds": now, "ratio": before / now} | more
        for what, before, now, more in (
            ("Frobenius and Pearson, in one pass", both, cheap, {"plain_seconds_of": slow}),
            (
                "Jensen-Shannon, exact, all pairs",
                slow["attn_js"],
                whole - cheap,
                {"largest_differences": errors},
            ),
            ("all three", both + slow["attn_js"], whole, {}),
        )
    ]


def memory() -> dict[str, float]:
    """Compare four models on 10 s of speech and tell the largest memory of the process."""
    frames, models = 499, 4
    heads = {
        f"model {model} layer {layer}": HEADS for model in range(models) for layer in range(LAYERS)
    }
    stack = maps(sum(heads.values()), frames, seed=0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    sums = HeadSums(heads, combinations_with_replacement(heads, 2))
    start = time.perf_counter()
    sums.update(stack)
    return {
        "heads": sum(heads.values()),
        "frames": frames,
        "maps_GiB": stack.nbytes / 2**30,
        "before_comparing_GiB": before,
        "largest_GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "seconds_on_one_core": time.perf_counter() - start,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="write the numbers as JSON too")
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory:
        torch.set_num_threads(1)
        print(json.dumps(memory()))
        return
    torch.set_num_threads(given.threads)
    rows = speed(given.threads)
    print(f"{LAYERS} layers x {HEADS} heads, {FRAMES} frames, {given.threads} threads")
    print(f"{'':36}{'plain':>10}{'ours':>10}{'ratio':>9}")
    for row in rows:
        print(f"{row['what']:36}{row['plain_seconds']:>9.3f}s{row['seconds']:>9.3f}s", end="")
        print(f"{row['ratio']:>8.0f}x")
    # A process of its own: the largest memory of this one is the plain way's.
    command = [sys.executable, __file__, "--memory"]
    used = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(
        f"{used['heads']} heads of 4 models, 10 s of speech: maps {used['maps_GiB']:.2f} GiB, "
        f"largest memory {used['largest_GiB']:.2f} GiB ({used['before_comparing_GiB']:.2f} before "
        f"comparing), {used['seconds_on_one_core']:.0f} s on one core"
    )
    if given.out:
        about = {
            "torch": torch.__version__,
            "machine": platform.machine(),
            "threads": given.threads,
        }
        given.out.write_text(json.dumps({"about": about, "speed": rows, "memory": used}, indent=1))


if __name__ == "__main__":
    main()

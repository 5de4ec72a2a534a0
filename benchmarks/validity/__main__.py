"""Run all simulations and write what they found down: python -m benchmarks.validity.

    python -m benchmarks.validity [--repetitions 400] [--write docs/validity.md]

Some ten minutes on two cores.
"""

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from assonance.errors import AssonanceWarning
from benchmarks.validity import bias, claims, coverage, heads, localisation

_DIGITS = {"coverage, plain": 3, "coverage": 3}


def main() -> None:
    """Run them in turn, printing each as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=400)
    parser.add_argument("--write", type=Path, help="where to write the page")
    given = parser.parse_args()
    warnings.simplefilter("ignore", AssonanceWarning)
    page = [_INTRODUCTION]

    def add(title: str, text: str, *tables: str) -> None:
        page.append(f"## {title}\n\n{text.strip()}\n\n" + "\n\n".join(tables) + "\n")
        print(page[-1], flush=True)

    def both_sizes(simulate: Callable[[int, int], pd.DataFrame]) -> list[str]:
        return [
            f"{size} utterances, {groups} groups:\n\n" + markdown(simulate(size, given.repetitions))
            for size, groups in coverage.SIZES.items()
        ]

    add("Bias of CKA", _BIAS, markdown(bias.bias(max(2, given.repetitions // 10))))
    add("Localisation index", _LOCALISATION, markdown(localisation.localisation()))
    add(
        "Intervals of neuron and layer measures",
        _COVERAGE.format(given.repetitions),
        *both_sizes(coverage.coverage),
    )
    add(
        "Where neurons share nothing",
        _UNRELATED,
        markdown(coverage.coverage(120, given.repetitions, unrelated=True)),
    )
    add(
        "Intervals of attention measures",
        _HEADS.format(given.repetitions),
        *both_sizes(heads.coverage),
    )
    rows = claims.simulate(given.repetitions)
    page.append(claims.section(rows))
    print(page[-1])
    if given.write:
        given.write.write_text("\n".join(page), encoding="utf-8")


def markdown(table: pd.DataFrame) -> str:
    """Set a table."""
    flat = table.reset_index()
    lines = [[str(name) for name in flat.columns], ["---"] * len(flat.columns)]
    for row in flat.itertuples(index=False):
        lines.append(
            [_cell(value, str(name)) for name, value in zip(flat.columns, row, strict=True)]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object, name: str) -> str:
    if not isinstance(value, float | np.floating):
        return str(value)
    return f"{value:.{_DIGITS.get(name, 4)}f}".rstrip("0").rstrip(".").replace("-", "−") or "0"


_INTRODUCTION = """# What the numbers are worth

Simulations with a known truth, made by `python -m benchmarks.validity --write docs/validity.md`.
All are seeded; every figure below comes from that command. *Plain* is a score as its definition
gives it; *corrected* is the estimate G·θ − (G − 1)·mean θ₋g about which intervals lie
(`assonance.inference.jackknife`).
"""
_BIAS = """
20 utterances of 50 to 150 frames, 256 neurons, frames of AR(1) with correlation ρ: CKA and even its
debiased form, which takes frames for independent, read likeness where there is none. CKA of
distinct utterances does not. Shared neurons make the truth in the last line.
"""
_LOCALISATION = """
Two layers of correlated neurons that share a space, in a random rotation, on half of the axes,
and on all; a tenth of each neuron's deviation is noise. 0 is a space shared in unrelated bases, 1
single neurons that say all. The interval allows for the random bases too.
"""
_COVERAGE = """
Two layers of 12 neurons, each a mixture of four shared series and one of its own, AR(1) with
ρ = .9, utterances of 25 to 75 frames; {} corpora. Coverage is the share of 95 % intervals that hold
the truth.
"""
_UNRELATED = """
Two thirds of the neurons share nothing with the other layer: their true correlation is 0. MaxCorr
and LinReg's r have a kink there, and no interval in sample is honest: the best of correlations that
are all 0 is above 0 however it is corrected. Squared and held-out forms do not have it, and lead in
the report. 120 utterances, 20 groups.
"""
_HEADS = """
Two layers of two heads that share part of their logits, utterances of 8 to 24 frames; {} corpora.
"""

if __name__ == "__main__":
    main()

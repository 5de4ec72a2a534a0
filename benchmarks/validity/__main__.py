"""Run all simulations and write what they found down: python -m benchmarks.validity.

    python -m benchmarks.validity [--repetitions 400] [--write docs/validity.md] [--only SECTION]

Some ten minutes on two cores.
"""

import argparse
import re
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from assonance.errors import AssonanceWarning
from benchmarks.validity import bias, claims, coverage, heads, localisation, small

_DIGITS = dict.fromkeys(("coverage, plain", "coverage", "plain", "artanh"), 3)
DRAWS = 199


def main() -> None:
    """Run them in turn, printing each as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=400)
    parser.add_argument("--write", type=Path, help="where to write the page")
    parser.add_argument(
        "--only",
        action="append",
        choices=SECTIONS,
        help="make this section anew and leave the others as they are; may be repeated",
    )
    given = parser.parse_args()
    warnings.simplefilter("ignore", AssonanceWarning)
    small.agree()
    made = known(given.write) if given.only and given.write else {}
    for title in given.only or SECTIONS:
        made[title] = f"## {title}\n\n{SECTIONS[title](given.repetitions).strip()}\n"
        print(made[title], flush=True)
    if given.write:
        page = [_INTRODUCTION, *(made[title] for title in SECTIONS if title in made)]
        given.write.write_text("\n".join(page), encoding="utf-8")


def known(page: Path) -> dict[str, str]:
    """Read the sections of a page, by title."""
    _, *parts = re.split("^## ", page.read_text("utf-8"), flags=re.MULTILINE)
    return {part.partition("\n")[0]: f"## {part.strip()}\n" for part in parts}


def both_sizes(simulate: Callable[[int, int], pd.DataFrame], repetitions: int) -> str:
    """Make a table for each size of corpus."""
    return "\n\n".join(
        f"{size} utterances, {groups} groups:\n\n" + markdown(simulate(size, repetitions))
        for size, groups in coverage.SIZES.items()
    )


def _bias(repetitions: int) -> str:
    return _BIAS + "\n" + markdown(bias.bias(max(2, repetitions // 10)))


def _localisation(repetitions: int) -> str:
    return _LOCALISATION + "\n" + markdown(localisation.localisation())


def _coverage(repetitions: int) -> str:
    return _COVERAGE.format(repetitions) + "\n" + both_sizes(coverage.coverage, repetitions)


def _unrelated(repetitions: int) -> str:
    found = coverage.coverage(120, repetitions, world="unrelated")
    return _UNRELATED + "\n" + markdown(found)


def _bootstrap(repetitions: int) -> str:
    return (
        _BOOTSTRAP.format(repetitions, DRAWS)
        + "\n"
        + both_sizes(partial(coverage.beside, draws=DRAWS), repetitions)
    )


def _scale(repetitions: int) -> str:
    cases = [("shared", 40), ("shared", 120), ("near 1", 40)]
    tables = [coverage.by_scale(size, repetitions, world) for world, size in cases]
    return _SCALE.format(repetitions) + "\n" + markdown(pd.concat(tables, axis=1))


def _heads(repetitions: int) -> str:
    return _HEADS.format(repetitions) + "\n" + both_sizes(heads.coverage, repetitions)


def _claims(repetitions: int) -> str:
    return claims.section(claims.simulate(repetitions))


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
    digits = _DIGITS.get(name.rpartition(": ")[2], 4)
    return f"{value:.{digits}f}".rstrip("0").rstrip(".").replace("-", "−") or "0"


_INTRODUCTION = """# What the numbers are worth

Simulations with a known truth, made by `python -m benchmarks.validity --write docs/validity.md`.
All are seeded; every figure below comes from that command. *Plain* is a score as its definition
gives it; *corrected* is the estimate that has lost its bias, about which intervals lie
(`assonance.inference.intervals.jackknife`, and `bootstrap` where it says so). Measures whose
range is bounded, but for held-out ones, have their intervals made on the scale of artanh.
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
_SCALE = """
Coverage of the jackknife where intervals are made on the plain scale, and on that of artanh and
brought back, on the same {} corpora: as above, and where every neuron is nearly the same as one of
the other layer. Held-out scores and CKA of distinct utterances, which have no lower end, stay
plain.
"""
_BOOTSTRAP = """
Groups left out in turn, as above, and utterances drawn with replacement (`--bootstrap` with as many
`--groups` as utterances), on the same corpora: {} of them, {} draws each. A draw has some two
thirds of the utterances, some of them repeatedly, and overfits as half of the speech would: what is
chosen or fitted in sample (MaxCorr, LinReg, CCA) is biased upwards once more in every draw, and
held-out scores downwards. Where bias is not in proportion to one over the amount of speech, the
correction leaves more of it than the jackknife's does, which looks at a tenth less speech and not
at half. Quantiles of draws are also narrower than Student's t. Where speech is short, take the
jackknife; where it is not, MaxCorr is better served by draws: its maximum has a kink, which leaving
a few utterances out hardly sees.
"""
_HEADS = """
Two layers of two heads that share part of their logits, utterances of 8 to 24 frames; {} corpora.
"""
SECTIONS: dict[str, Callable[[int], str]] = {
    "Bias of CKA": _bias,
    "Localisation index": _localisation,
    "Intervals of neuron and layer measures": _coverage,
    "Where neurons share nothing": _unrelated,
    "The scale of intervals": _scale,
    "Jackknife and bootstrap": _bootstrap,
    "Intervals of attention measures": _heads,
    "Claims": _claims,
}

if __name__ == "__main__":
    main()

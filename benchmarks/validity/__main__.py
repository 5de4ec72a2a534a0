"""Run all simulations and write their page: python -m benchmarks.validity.

    python -m benchmarks.validity [--repetitions 400] [--write docs/validity.md] [--only SECTION]
        [--checkpoints runs/validity]

About half an hour on two cores.
"""

import argparse
import os
import re
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from assonance.errors import AssonanceWarning
from benchmarks.validity import bias, claims, coverage, heads, localisation, small
from benchmarks.validity.study import CHECKPOINTS
from benchmarks.validity.worlds import WORLDS, truths

_DIGITS = dict.fromkeys(("coverage, plain", "coverage", "plain", "artanh"), 3)
DRAWS = 199


def main() -> None:
    """Run the sections in turn, and print each as soon as it is complete."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=400)
    parser.add_argument("--write", type=Path, help="where to write the page")
    parser.add_argument(
        "--only",
        action="append",
        choices=SECTIONS,
        help="rerun this section and keep the others; may be repeated",
    )
    parser.add_argument(
        "--checkpoints", type=Path, help="folder to keep finished repetitions in, to go on from"
    )
    given = parser.parse_args()
    if given.checkpoints:
        os.environ[CHECKPOINTS] = str(given.checkpoints)
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
    """Return the sections of a page by title."""
    _, *parts = re.split("^## ", page.read_text("utf-8"), flags=re.MULTILINE)
    return {part.partition("\n")[0]: f"## {part.strip()}\n" for part in parts}


def both_sizes(simulate: Callable[[int, int], pd.DataFrame], repetitions: int) -> str:
    """Format a table for each size of corpus."""
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


def _worlds(repetitions: int) -> str:
    count = repetitions // 2
    parts = [_WORLDS.format(count, np.sqrt(0.05 * 0.95 / count)).strip()]
    for size, groups in coverage.SIZES.items():
        found = coverage.by_world([(world, size) for world in _OTHER], count)
        parts.append(f"{size} utterances, {groups} groups:\n\n{markdown(found)}")
    found = coverage.by_world(_DOMINATED, count)
    parts += [_DOMINATING.strip(), markdown(found)]
    return "\n\n".join(parts)


def _held(repetitions: int) -> str:
    parts = [_HELD.format(repetitions // 2).strip()]
    for world in ("shared", "24 neurons", "48 neurons", "R² near 0", "heavy tails", "speakers"):
        for size, groups in coverage.SIZES.items():
            truth = truths(WORLDS[world])["linreg_r2"]
            parts.append(
                f"{world[:1].upper()}{world[1:]} (mean R² {truth:.3f}), {size} utterances, "
                f"{groups} groups:\n\n{markdown(coverage.held(size, repetitions // 2, world))}"
            )
    return "\n\n".join(parts)


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
    """Format a table in Markdown."""
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
    if np.isnan(value):
        return "none"
    digits = _DIGITS.get(name.rpartition(": ")[2], 4)
    return f"{value:.{digits}f}".rstrip("0").rstrip(".").replace("-", "−") or "0"


_INTRODUCTION = """# What the numbers are worth

Simulations with a known truth, made by `python -m benchmarks.validity --write docs/validity.md`.
All are seeded, and every figure below comes from that command. *Plain* scores follow the
definition. *Corrected* estimates have their bias removed: those of regressions by the errors on
fitted and on other speech (`assonance.inference.held`), all others by the jackknife or, where
stated, by the bootstrap (`assonance.inference.intervals`). The intervals are theirs. Measures
bounded at both ends have their intervals computed on the artanh scale, except held-out ones.
The binomial standard error of a coverage of .95 is 0.011 for 400 corpora, 0.015 for 200 and 0.022
for 100.
"""
_OTHER = (
    *("24 neurons", "48 neurons", "96 neurons", "R² near 0"),
    *("unrelated", "heavy tails", "speakers"),
)
_DOMINATED = (
    *(("unequal speakers", 240), ("three speakers hold half", 240)),
    *(("gain and drift", 120), ("gain and drift", 240)),
)
_WORLDS = """
Coverage of 95 % intervals in worlds that differ from the one above in one way, {} corpora each:
the binomial standard error is {:.3f}. *24*, *48* and *96 neurons* are wider. In *R² near 0* hardly
anything is shared, in *unrelated* two thirds of the neurons share nothing. Innovations with *heavy
tails* follow Student's t with four degrees of freedom. *Speakers* have three tenths of every
series' variance in common over their four or six utterances, and are the units. Measures that are
not listed have no interval: no way to a covering one was found for them.
"""
_DOMINATING = """
Where few units dominate: 32 rectified neurons and 20 groups. The units are 60 speakers with
lognormal amounts of speech (*unequal speakers*, 240 utterances in all), or of whom *three hold
half* of it; or utterances whose gain varies by a factor of exp(0.6) either way, and three tenths of
whose variance is a slow drift. More groups do not help there. Student's t with the effective
degrees of freedom of the groups (`effective_degrees` in `assonance.inference.intervals`) does.
"""
_BIAS = """
20 utterances of 50 to 150 frames, 256 neurons, AR(1) frames with correlation ρ. CKA, and even its
debiased form, which assumes independent frames, find similarity where there is none. CKA of
distinct utterances does not. In the last row the layers share neurons.
"""
_LOCALISATION = """
Two layers of correlated neurons that share a space: in a random rotation, on half of the axes,
and on all axes. A tenth of each neuron's standard deviation is noise. The index is 0 for a space
shared in unrelated bases, and 1 if single neurons correspond. The interval includes the random
bases.
"""
_COVERAGE = """
Two layers of 12 neurons. Each neuron is a mixture of four shared series and one of its own, all
AR(1) with ρ = .9; utterances have 25 to 75 frames; {} corpora. Coverage is the share of 95 %
intervals that contain the truth. The coefficients of regressions are held fixed.
"""
_UNRELATED = """
Two thirds of the neurons share nothing with the other layer: their true correlation is 0. MaxCorr
has a kink there. The maximum of correlations that are all 0 is above 0, and the jackknife removes
half of that. The correlation with the match that other speech chose (`maxcorr_heldout`) is about
right here, and too low where several matches are about equally good. Half of the distance between
the two counts as a standard error of MaxCorr, so that its interval is wide here. R² has no such
kink, and r is the root of its estimate, with its sign. 120 utterances, 20 groups.
"""
_SCALE = """
Coverage of intervals of the jackknife that fits again, on the plain scale, and on the artanh scale
after transforming back, on the same {} corpora. *Shared* is the world above; in *near 1* every
neuron is nearly equal to one of the other layer. Held-out scores and CKA of distinct utterances,
which have no lower bound, keep the plain scale.
"""
_HELD = """
The jackknife of regressions that holds the coefficients fixed (the default), and the one that fits
again with each group left out (`--refit`), on the same {} corpora. *24 neurons* and *48 neurons*
are wider, in *R² near 0* hardly anything is shared, innovations with *heavy tails* follow
Student's t with four degrees of freedom, and *speakers* have three tenths of every series' variance
in common over their four or six utterances, and are the units. Fitted again, MaxCorr lacks the
standard error of its choice of matches, and is therefore not honest where little is shared. The
CKAs are the same in both.
"""
_BOOTSTRAP = """
The jackknife over groups that fits again (`--refit`), and the bootstrap over utterances
(`--bootstrap` with as many `--groups` as utterances), on the same corpora: {} corpora, {} draws
each. A draw contains about two thirds of the utterances, some repeatedly, and overfits like half of
the speech. In-sample maxima and fits (MaxCorr, LinReg, CCA) are therefore biased upwards again in
every draw, and held-out scores downwards. If bias is not proportional to one over the amount of
speech, the bootstrap correction leaves more of it than the jackknife, whose replicates have a tenth
less speech. Quantiles of draws are also narrower than Student's t. With little speech, use the
jackknife. Both intervals of MaxCorr lack the standard error of its choice of matches.
"""
_HEADS = """
Two layers of two heads that share part of their logits; utterances of 8 to 24 frames; {} corpora.
"""
SECTIONS: dict[str, Callable[[int], str]] = {
    "Bias of CKA": _bias,
    "Localisation index": _localisation,
    "Intervals of neuron and layer measures": _coverage,
    "Where neurons share nothing": _unrelated,
    "Other worlds": _worlds,
    "The scale of intervals": _scale,
    "Coefficients held, or fitted again": _held,
    "Jackknife and bootstrap": _bootstrap,
    "Intervals of attention measures": _heads,
    "Claims": _claims,
}

if __name__ == "__main__":
    main()

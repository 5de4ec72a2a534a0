"""How often 95 % intervals hold the truth, and how far estimates are from it.

Two layers of 12 neurons in the world `shared` of `benchmarks.validity.worlds`. That is as
published layers are: every neuron shares something with the other layer. Where a neuron shares
nothing, its multiple correlation and its best match have a kink at 0 that no interval can know
of: the world `unrelated` shows what then becomes of them.

The jackknife leaves groups out; the bootstrap draws utterances. Both are of the same corpora.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from assonance.inference.intervals import intervals
from assonance.measures import MEASURES
from assonance.scoring.scores import CELL, attributes
from benchmarks.validity.small import score_layers
from benchmarks.validity.study import Found, Study, study
from benchmarks.validity.worlds import WORLDS, truths

SIZES = {40: 10, 120: 20}  # utterances and groups; 20 groups of more


def once(
    seed: int,
    utterances: int,
    *,
    world: str = "shared",
    draws: int | None = None,
    scales: Sequence[str] | None = None,
    refit: bool = False,
) -> dict[str, Found]:
    """Value, estimate, low and high end of one corpus; with `scales`, on each of them."""
    scores, replicates = scored(seed, utterances, world=world, draws=draws, refit=refit)
    found: dict[str, Found] = {}
    asked: Sequence[str | None] = scales or [None]
    for scale in asked:
        if scale:
            scores = scores.assign(
                {str(name): each.assign_attrs(scale=scale) for name, each in scores.items()}
            )
        for name, known in intervals(scores, replicates).data_vars.items():
            label = f"{name}, {scale}" if scale else str(name)
            found[label] = (float(scores[name][0, 1]), *known[0, 1].values.tolist())
        if not scale:
            values = {str(name): float(each[0, 1]) for name, each in scores.items()}
            alone = {name: values[name] for name in values if name not in found}
            found |= {name: (value, value, np.nan, np.nan) for name, value in alone.items()}
    return found


def scored(
    seed: int, utterances: int, *, world: str, draws: int | None, refit: bool
) -> tuple[xr.Dataset, xr.Dataset]:
    """Draw one corpus, and compute scores and replicates."""
    rng = np.random.default_rng([seed, utterances])
    made = WORLDS[world]
    speech = made.speech(rng, utterances)
    names = list(truths(made))
    found = score_layers(
        made.frames(rng, speech),
        speech.frames,
        names,
        groups=SIZES.get(utterances, 20) if draws is None else utterances,
        seed=seed,
        draws=draws,
        refit=refit,
        units=made.units(speech),
    )
    dims = (*CELL, "group" if draws is None else "draw")
    return (
        xr.Dataset(
            {name: (CELL, found.scores[name], attributes(MEASURES[name])) for name in names}
        ),
        xr.Dataset(
            {name: (dims, found.replicates[name]) for name in names if MEASURES[name].interval}
        ),
    )


def coverage(
    utterances: int,
    repetitions: int,
    *,
    world: str = "shared",
    draws: int | None = None,
    refit: bool = False,
) -> Study:
    """Repeat it, side by side on all cores."""
    simulated = partial(once, world=world, draws=draws, refit=refit)
    return study(simulated, utterances, repetitions, truths(WORLDS[world]))


def by_world(cases: Iterable[tuple[str, int]], repetitions: int) -> pd.DataFrame:
    """Put the coverages in several worlds, each with a number of utterances, side by side."""
    cases = list(cases)
    several = len({size for _, size in cases}) > 1
    found = {
        f"{world}, {size}" if several else world: coverage(size, repetitions, world=world)
        for world, size in cases
    }
    return pd.DataFrame({name: each["coverage"] for name, each in found.items()}).dropna()


def by_scale(utterances: int, repetitions: int, world: str) -> pd.DataFrame:
    """Hold intervals made on the plain scale against those on the scale of artanh."""
    scales = ("plain", "artanh")
    true = {name: value for name, value in truths(WORLDS[world]).items() if MEASURES[name].interval}
    known = {f"{name}, {scale}": value for name, value in true.items() for scale in scales}
    found = study(
        partial(once, world=world, scales=scales, refit=True), utterances, repetitions, known
    )
    rows = {name: [found["coverage"][f"{name}, {scale}"] for scale in scales] for name in true}
    columns = [f"{world}, {utterances}: {scale}" for scale in scales]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("measure")


def beside(utterances: int, repetitions: int, draws: int) -> pd.DataFrame:
    """Hold the bootstrap against the jackknife on the same corpora; both fit again."""
    return _side_by_side(
        {
            "jackknife": coverage(utterances, repetitions, refit=True),
            "bootstrap": coverage(utterances, repetitions, draws=draws),
        }
    )


def held(utterances: int, repetitions: int, world: str) -> pd.DataFrame:
    """Hold the jackknife with coefficients held against that which fits again; all measures."""
    return _side_by_side(
        {
            "held": coverage(utterances, repetitions, world=world),
            "refit": coverage(utterances, repetitions, world=world, refit=True),
        }
    )


def _side_by_side(studies: Mapping[str, Study]) -> pd.DataFrame:
    shown = {"bias, corrected": "bias", "coverage": "coverage", "width": "width"}
    return pd.DataFrame(
        {
            f"{name}: {word}": found[column]
            for name, found in studies.items()
            for column, word in shown.items()
        }
    )

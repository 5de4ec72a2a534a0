"""How often each claim's test fires where there is nothing, and where there is something.

    python -m benchmarks.validity.claims [--repeats 400] [--json FILE] [--markdown FILE]

Layers are Gaussian AR(1) series (ρ = 0.9) in utterances of unequal length, made of independent
components that some of them share; in every layer all directions have the same variance, so that
what every measure would read without end of speech is known.
"""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
import xarray as xr
from numpy.typing import NDArray

from assonance.claims.claim import load_claims
from assonance.claims.verdict import evaluate_claims
from assonance.comparison.records import CorpusRecord, ModelRecord, Provenance
from assonance.comparison.result import CELL, Comparison
from assonance.inference.localisation import DRAWS
from benchmarks.tables import show
from benchmarks.validity import study
from benchmarks.validity.series import ar1, lengths, rotation
from benchmarks.validity.small import Scored, agree, score_heads, score_layers

UTTERANCES, GROUPS, BASES, WIDTH = 60, 20, 8, 12
MEAN, MEMORY = 40, 0.9
LAYERS, HEADS, MAP = 2, 2, 10
LEVEL = 0.05
NEURONS = ("linreg_heldout_r", "maxcorr", "maxcorr_rotated")
MEASURES = ("cka_utterance", "linreg_heldout", *NEURONS)

# The components of a layer and the share of its variance in each; what is left is its own.
Shares = Callable[[ModelRecord, int], Mapping[str, float]]


def record(name: str, objective: str, size: str = "base", **about: Any) -> ModelRecord:
    """Describe a model of the simulation."""
    return ModelRecord(
        name=name,
        source=name,
        family={"predictive": "hubert", "contrastive": "wav2vec2"}.get(objective, objective),
        objective=objective,
        size=size,
        n_parameters=0,
        fine_tuned=about.pop("fine_tuned", False),
        fingerprint="",
        layers={f"encoder.{k}": "" for k in range(LAYERS)},
        **about,
    )


FOUR = tuple(
    record(f"{objective[0]}-{size}", objective, size)
    for objective, size in product(("predictive", "contrastive"), ("base", "large"))
)
TWINS = tuple(record(f"{each.name}, random", "none", twin_of=(each.name,)) for each in FOUR)
TUNED = tuple(
    record(f"{objective}{tuned}", objective, fine_tuned=bool(tuned))
    for objective, tuned in product(("predictive", "contrastive"), ("", ", tuned"))
)
TWO = (FOUR[0], FOUR[2])


@dataclass(frozen=True)
class Scenario:
    """A world in which claims are asked.

    Attributes
    ----------
    asks
        Names of the claims.
    models
        Compared in it.
    shares
        What their layers are made of.
    measures
        Taken of them.
    axes
        Mean over neurons of the largest absolute entry of the rotation between two models' bases,
        from 1 (the same axes) to `random_axes`; None for random bases. Layers of a model share
        their basis.
    """

    asks: tuple[str, ...]
    models: tuple[ModelRecord, ...]
    shares: Shares
    measures: tuple[str, ...]
    axes: float | None = None


def _even(model: ModelRecord, layer: int) -> Mapping[str, float]:
    return {"all": 0.6}


def _uneven(model: ModelRecord, layer: int) -> Mapping[str, float]:
    if model.twin_of:
        return {"all": 0.5}
    kinds = {model.objective: 0.01, model.size: 0.01, f"layer {layer}": 0.01}
    return {"all": 0.5, "trained": 0.01} | kinds


def _kept(model: ModelRecord, layer: int) -> Mapping[str, float]:
    """Let fine-tuning keep the same share in every layer."""
    return {f"{model.objective} {layer}": 0.6}


def _lost(model: ModelRecord, layer: int) -> Mapping[str, float]:
    """Let fine-tuning keep less of late layers, of the contrastive model least."""
    kept = 0.6 if layer == 0 else 0.54 if model.objective == "contrastive" else 0.58
    return {f"{model.objective} {layer}": kept}


def _apart(model: ModelRecord, layer: int) -> Mapping[str, float]:
    """Let heads of a model have something in common."""
    return {"all": 0.4, model.name: 0.01}


@cache
def scenarios() -> Mapping[str, Scenario]:
    """Name the worlds: those with ``null`` after their name have nothing to find."""
    claims = [each.name for each in load_claims()]
    space = tuple(name for name in claims if name.startswith(("shared", "grouped", "depth")))
    tuning = tuple(name for name in claims if name.startswith("fine-tuning"))
    distributed, attention = ("distributed beyond localised",), ("attention within",)
    # Where the two kinds of sharing are equal: r − maxcorr = maxcorr − rotated.
    halfway = (1 + random_axes()) / 2
    return {
        "models null": Scenario(space, FOUR + TWINS, _even, MEASURES),
        "models": Scenario(space, FOUR + TWINS, _uneven, MEASURES, random_axes() + 0.04),
        "two models null": Scenario(("shared neurons",), TWO, _even, NEURONS[1:]),
        "axes null": Scenario(distributed, FOUR, _even, NEURONS, halfway),
        "axes": Scenario(distributed, FOUR, _even, NEURONS, halfway - 0.02),
        "tuning null": Scenario(tuning, TUNED, _kept, ("cka_utterance",)),
        "tuning": Scenario(tuning, TUNED, _lost, ("cka_utterance",)),
        "attention null": Scenario(attention, FOUR, _even, ("attn_pearson",)),
        "attention": Scenario(attention, FOUR, _apart, ("attn_pearson",)),
    }


def repeat(name: str, seed: int) -> list[dict[str, Any]]:
    """Simulate speech once, compare, and ask: a row a claim."""
    world = scenarios()[name]
    rng = np.random.default_rng([seed, *name.encode()])
    rotations = bases(world, rng)
    sizes = lengths(rng, UTTERANCES, MEAN)
    if world.measures == ("attn_pearson",):
        found = score_heads(_maps(world, rng), _count(world), sizes, groups=GROUPS, seed=seed)
    else:
        frames = _frames(world, rotations, sizes, rng)
        found = score_layers(frames, sizes, world.measures, groups=GROUPS, bases=BASES, seed=seed)
    asked = [each for each in load_claims() if each.name in world.asks]
    told = evaluate_claims(comparison(world, found), asked)
    truth: list[float | None] = [None] * len(told)
    if world.measures != ("attn_pearson",):
        truth = [
            each.estimate
            for each in evaluate_claims(comparison(world, known(world, rotations)), asked)
        ]
    return [
        {
            "world": name,
            "claim": each.claim.name,
            "estimate": each.estimate,
            "p": each.p,
            "verdict": each.verdict,
            "truth": true,
            "held": None if true is None else bool(each.low <= true <= each.high),
        }
        for each, true in zip(told, truth, strict=True)
    ]


def comparison(world: Scenario, found: Scored) -> Comparison:
    """Label scores as assonance would."""
    names, labels = [each.name for each in world.models], list(world.models[0].layers)
    coords = dict(zip(CELL, (names, labels, names, labels), strict=True))
    shape = (len(names), len(labels)) * 2
    scores = {name: (CELL, each.reshape(shape)) for name, each in found.scores.items()}
    replicates = {
        name: ((*CELL, "group"), each.reshape(*shape, -1))
        for name, each in found.replicates.items()
    }
    if found.draws is not None:
        replicates[DRAWS] = ((*CELL, "rotation"), found.draws.reshape(*shape, -1))
    speech = CorpusRecord("simulated", "simulated", UTTERANCES, 0, 0.0, (), (), (16000,))
    return Comparison(
        scores=xr.Dataset(scores, coords),
        neurons=xr.Dataset(),
        heads=xr.Dataset(),
        provenance=Provenance({}, world.measures, {}, world.models, speech),
        replicates=xr.Dataset(replicates, coords),
    )


def known(world: Scenario, rotations: NDArray[np.float64]) -> Scored:
    """Say what the measures would read of endless speech."""
    shares = [world.shares(model, k) for model in world.models for k in range(LAYERS)]
    alike = np.array(
        [
            [sum((a[key] * b[key]) ** 0.5 for key in a.keys() & b.keys()) for b in shares]
            for a in shares
        ]
    )
    matched = np.array([[_largest(a.T @ b) for b in rotations] for a in rotations])
    values = {
        "cka_utterance": alike**2,
        "linreg_heldout": alike**2,
        "linreg_heldout_r": alike,
        "maxcorr": alike * np.kron(matched, np.ones((LAYERS, LAYERS))),
        "maxcorr_rotated": alike * random_axes(),
    }
    scores = {name: values[name] for name in world.measures}
    sure = {name: np.repeat(each[..., None], 2, -1) for name, each in scores.items()}
    return Scored(scores, sure, sure.get("maxcorr_rotated"))


def bases(world: Scenario, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a basis a model, so far from each other as the scenario says."""
    count = len(world.models)
    if world.axes is None:
        return np.stack([rotation(rng, WIDTH) for _ in range(count)])
    skew = rng.standard_normal((count, WIDTH, WIDTH))
    skew -= skew.transpose(0, 2, 1)

    def turned(angle: float) -> NDArray[np.float64]:
        return np.stack([scipy.linalg.expm(angle * each) for each in skew])

    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        found = turned(middle)
        apart = [
            _largest(a.T @ b)
            for i, a in enumerate(found)
            for j, b in enumerate(found)
            if i != j and not (world.models[i].twin_of or world.models[j].twin_of)
        ]
        low, high = (middle, high) if np.mean(apart) > world.axes else (low, middle)
    return turned(low)


@cache
def random_axes() -> float:
    """Mean over neurons of the largest absolute entry of a random rotation."""
    rng = np.random.default_rng(0)
    return float(np.mean([_largest(rotation(rng, WIDTH)) for _ in range(5000)]))


def _largest(rotation: NDArray[np.float64]) -> float:
    return float(np.abs(rotation).max(1).mean())


def _count(world: Scenario) -> int:
    return len(world.models) * LAYERS


def _mixed(world: Scenario, draw: Callable[[], NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Add the components of each layer up."""
    drawn: dict[str, NDArray[np.float64]] = {}
    layers = []
    for model in world.models:
        for layer in range(LAYERS):
            shares = dict(world.shares(model, layer))
            own = 1 - sum(shares.values())
            for key in shares:
                if key not in drawn:
                    drawn[key] = draw()
            common = sum(share**0.5 * drawn[key] for key, share in shares.items())
            layers.append(own**0.5 * draw() + common)
    return layers


def _frames(
    world: Scenario,
    rotations: NDArray[np.float64],
    sizes: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Make the frames of all layers, (N, L, D)."""
    layers = _mixed(world, partial(ar1, rng, sizes, WIDTH, MEMORY))
    turned = [layer @ rotations[number // LAYERS] for number, layer in enumerate(layers)]
    return np.stack(turned, 1)


def _maps(world: Scenario, rng: np.random.Generator) -> NDArray[np.float64]:
    """Make attention of all heads, (U, H, T, T)."""
    shape = (UTTERANCES, HEADS, MAP, MAP)
    logits = np.concatenate(_mixed(world, lambda: rng.standard_normal(shape)), 1)
    weights = np.exp(logits)
    maps: NDArray[np.float64] = weights / weights.sum(-1, keepdims=True)
    return maps


def tally(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Count how often each claim's test rejects in each world."""
    told = []
    for world, claim in dict.fromkeys((row["world"], row["claim"]) for row in rows):
        here = [row for row in rows if (row["world"], row["claim"]) == (world, claim)]
        held = [row["held"] for row in here if row["held"] is not None]
        truth = [row["truth"] for row in here if row["truth"] is not None]
        told.append(
            {
                "claim": claim,
                "world": world,
                "repeats": len(here),
                "truth": float(np.mean(truth)) if truth else None,
                "mean estimate": float(np.mean([row["estimate"] for row in here])),
                "p < .05": float(np.mean([row["p"] < LEVEL for row in here])),
                "supported": float(np.mean([row["verdict"] == "supported" for row in here])),
                "not supported": float(
                    np.mean([row["verdict"] == "not supported" for row in here])
                ),
                "interval holds truth": float(np.mean(held)) if held else None,
            }
        )
    return told


def section(rows: Sequence[Mapping[str, Any]]) -> str:
    """Format the section of docs/validity.md."""
    counts = {row["world"].endswith("null"): row["repeats"] for row in rows}
    errors = [
        (p * (1 - p) / count) ** 0.5 for p, count in ((LEVEL, counts[True]), (0.5, counts[False]))
    ]
    lines = [
        f"How often each claim's one-sided test rejects at .05, and how often its 95 % interval "
        f"lies above 0 (the verdict “supported”), over {counts[True]} repetitions where there is "
        f"nothing (binomial standard error {errors[0]:.3f} at .05) and {counts[False]} where there "
        f"is something (at most {errors[1]:.3f}): Gaussian AR(1) "
        f"layers (ρ = {MEMORY}) of {WIDTH} neurons, {LAYERS} layers a model, {UTTERANCES} "
        f"utterances of {MEAN // 2}–{MEAN * 3 // 2} frames, {GROUPS} jackknife groups, {BASES} "
        "random bases. "
        "*Nothing*: the true contrast is 0 (for shared neurons, every model has its own random "
        "basis, drawn again in each repetition). *Something*: the true contrast is that of the "
        "column. `benchmarks/validity/claims.py` defines these worlds and computes this table.",
        "",
        "| claim | nothing: p < .05 | supported | something | mean estimate | p < .05 | supported "
        "| interval contains it |",
        "|---|---|---|---|---|---|---|---|",
    ]
    nulls = [row for row in rows if row["world"].endswith("null")]
    for null in nulls:
        world = null["world"].removesuffix(" null")
        there = [r for r in rows if (r["world"], r["claim"]) == (world, null["claim"])]
        something = ["", "", "", "", ""]
        for row in there:
            truth, held = row["truth"], row["interval holds truth"]
            something = [
                "unknown" if truth is None else f"{truth:.3f}",
                f"{row['mean estimate']:.3f}",
                f"{row['p < .05']:.3f}",
                f"{row['supported']:.3f}",
                "" if held is None else f"{held:.3f}",
            ]
        name = null["claim"] + ("" if there else f" ({world})")
        cells = [name, f"{null['p < .05']:.3f}", f"{null['supported']:.3f}", *something]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def simulate(repeats: int, worlds: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Simulate worlds, all by default, on all cores, and count the rejections.

    Worlds that have something to find are repeated a quarter as often.
    """
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    rows: list[dict[str, Any]] = []
    for name in worlds or scenarios():
        count = repeats if name.endswith("null") else max(1, repeats // 4)
        for told in study.repeat(partial(repeat, name), count):
            rows += told
    return tally(rows)


def main() -> None:
    """Run the simulations and print their figures."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--repeats", type=int, default=400)
    options.add_argument("--world", action="append", help="one world alone; may be repeated")
    options.add_argument("--json", help="file for the figures")
    options.add_argument("--markdown", help="file for the section of docs/validity.md")
    asked = options.parse_args()
    agree()
    figures = simulate(asked.repeats, asked.world or ())
    show(figures, {"repeats": asked.repeats}, asked.json)
    if asked.markdown:
        Path(asked.markdown).write_text(section(figures), encoding="utf-8")


if __name__ == "__main__":
    main()

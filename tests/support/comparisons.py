"""Comparisons made of nothing, as a run would label them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from assonance.comparison.records import CorpusRecord, ModelRecord, Provenance
from assonance.comparison.result import CELL, Comparison
from assonance.corpus import LeftOut
from assonance.inference.intervals import STATISTICS, intervals
from assonance.measures import MEASURES
from assonance.measures.roles import WITHOUT_POSITIONS
from assonance.scoring.scores import attributes
from assonance.tables.heads import DESCRIPTORS

NEURONS = 24
GROUPS = 10
MOMENTS = MEASURES["maxcorr"]
HEADS = 2
LAYER_MEASURES = tuple(
    name for name, each in MEASURES.items() if each.level != "head" and each.across is None
)


def comparison(
    names: Sequence[str] = ("hubert-a", "wav2vec2-b"),
    layers: Sequence[int] = (5, 4),
    measures: Sequence[str] = (*MEASURES, "localisation"),
    *,
    twins: bool = True,
    baseline: bool = False,
    uncertainty: bool = True,
    left_out: Sequence[LeftOut] = (),
    notes: Sequence[str] = (),
    seed: int = 0,
) -> Comparison:
    """Models of different depth, their controls, and scores that look like scores."""
    rng = np.random.default_rng(seed)
    models = [record(name, count) for name, count in zip(names, layers, strict=True)]
    if twins:
        models += [
            record(f"{each.name} (random)", len(each.layers), (each.name,)) for each in models
        ]
    if baseline:
        models.append(replace(record("mel", 1), baseline=True))
    labels = list(max((each.layers for each in models), key=len))
    model_names = [each.name for each in models]
    coords = dict(zip(CELL, (model_names, labels, model_names, labels), strict=True))
    base = base_scores(models, labels, rng)
    scores, neurons, heads = (xr.Dataset(coords=coords) for _ in range(3))
    for name in measures:
        known = MEASURES.get(name)
        values = values_of(name, base)
        if name == "mincorr":
            scores[name] = (CELL[:2], np.nanmean(filled(values), (2, 3)) * 0.7, attributes(known))
            continue
        scores[name] = (CELL, values, attributes(known) if known else {})
        if known and known.level == "neuron":
            noise = rng.normal(0, 0.05, (*values.shape, NEURONS))
            neurons[name] = ((*CELL, "neuron"), values[..., None] + noise, attributes(known))
        if known and known.level == "head":
            shape = (*values.shape, HEADS, HEADS)
            heads[name] = (
                (*CELL, "head_row", "head_col"),
                values[..., None, None] + rng.uniform(-0.02, 0, shape),
                attributes(known),
            )
            if name not in WITHOUT_POSITIONS:
                heads[f"{name}_position"] = heads[name] - 0.1
    maps = xr.Dataset(coords=coords)
    if heads.data_vars:
        heads = heads.assign(descriptors(models, labels, rng))
        maps = maps.assign(maps_of_heads(heads["entropy"].notnull().to_numpy()))
    if "maxcorr" in neurons:
        match = rng.integers(0, NEURONS, neurons["maxcorr"].shape)
        neurons["maxcorr_match"] = (neurons["maxcorr"].dims, match.astype(np.int32))
    provenance = Provenance(
        versions={"assonance": "0.1.0", "torch": "2.13.0"},
        measures=tuple(name for name in measures if name in MEASURES),
        settings={"name": "default", "folds": 5, "seed": 0},
        models=tuple(models),
        corpus=CorpusRecord(
            "prompts", "prompts", 120, 40000, 803.4, ("ann", "bo"), ("en", "fr"), (16000,)
        ),
        left_out=tuple(left_out),
        notes=tuple(notes),
    )
    shown = scores[[name for name in scores.data_vars if MEASURES.get(name, MOMENTS).interval]]
    group = xr.DataArray(rng.normal(0, 0.004, GROUPS), dims="group")
    replicates = (shown + group).map(lambda array: array.transpose(..., "group"))
    shift = xr.DataArray(rng.normal(0, 0.004, 4), dims="shift")
    moved = scores[[name for name in shown if name in LAYER_MEASURES]]
    nulls = (moved * 0.1 + shift).map(lambda array: array.transpose(..., "shift"))
    halves = xr.Dataset(coords=coords).assign(
        {name: (CELL[:2], moved[name].values[:, :, 0, 0] * 0 + 0.9) for name in moved}
    )
    ends = xr.DataArray([0.0, -0.1, 0.2], dims="statistic", coords={"statistic": list(STATISTICS)})
    sure = neurons[[name for name in neurons.data_vars if not str(name).endswith("_match")]]
    neuron_intervals = (sure + ends).transpose(..., "statistic")
    if not uncertainty:
        return Comparison(scores, neurons, heads, provenance, maps=maps)
    return Comparison(
        scores,
        neurons,
        heads,
        provenance,
        replicates=replicates,
        intervals=intervals(scores, replicates),
        nulls=nulls,
        halves=halves,
        neuron_intervals=neuron_intervals,
        maps=maps,
    )


def tuned(
    scores: Mapping[tuple[str, str, str], Sequence[float]] | None = None, **options: Any
) -> Comparison:
    """Models before and after, and a second seed; `scores` are set layer by layer."""
    made = comparison(("before", "after", "again"), (5, 5, 5), **options)
    for (measure, row, col), values in (scores or {}).items():
        for layer, value in enumerate(values):
            at = {"model_row": row, "model_col": col}
            label = {"layer_row": f"encoder.{layer}", "layer_col": f"encoder.{layer}"}
            made.scores[measure].loc[at | label] = value
    models = [replace(each, fine_tuned=each.name == "after") for each in made.provenance.models]
    provenance = replace(made.provenance, models=tuple(models))
    return replace(made, provenance=provenance, intervals=xr.Dataset(), replicates=xr.Dataset())


def descriptors(
    models: Sequence[ModelRecord], labels: Sequence[str], rng: np.random.Generator
) -> dict[str, xr.DataArray]:
    """Describe heads of all kinds in all layers but the first."""
    there = np.array([[0 < k < len(each.layers) for k in range(len(labels))] for each in models])
    dims = ("model_row", "layer_row", "head_row")
    found = {
        name: xr.DataArray(
            np.where(there[..., None], rng.uniform(0, 1, (*there.shape, HEADS)), np.nan),
            dims=dims,
            attrs={"long_name": name.replace("_", " ").capitalize()},
        )
        for name in DESCRIPTORS
    }
    offsets = np.arange(-50, 51)
    profile = np.exp(-np.abs(offsets - 40 * (found["peak_offset"].values[..., None] - 0.5)) / 5)
    found["profile"] = xr.DataArray(
        profile / profile.sum(-1, keepdims=True), dims=(*dims, "offset"), coords={"offset": offsets}
    )
    return found


def maps_of_heads(there: np.ndarray) -> dict[str, xr.DataArray]:
    """Maps of heads that look a little further back the higher they are, of 1.5 s and on average.

    They have random numbers of their own, so that no other number depends on them.
    """
    rng = np.random.default_rng(1)
    found = {}
    for name, cells, dims in (
        ("mean_map", 24, ("query_part", "key_part")),
        ("utterance_map", 30, ("query_time", "key_time")),
    ):
        middles = (np.arange(cells) + 0.5) / cells
        back = np.cumsum(there, 1)[..., None, None] / 12 * there[..., None, None]
        off = middles[:, None] - middles[None] - back
        maps = np.exp(-8 * np.abs(off) + rng.normal(0, 0.4, (*there.shape, cells, cells)))
        maps /= maps.sum(-1, keepdims=True)
        if name == "mean_map":
            values, about = np.where(there[..., None, None], maps, np.nan), {}
        else:
            levels = np.rint(255 * np.sqrt(maps)).astype(np.int16)
            values, about = np.where(there[..., None, None], levels, -1), {"utterance": "prompt 7"}
            middles *= 1.5
        every = ("model_row", "layer_row", "head_row", *dims)
        at = dict.fromkeys(dims, middles)
        found[name] = xr.DataArray(values, dims=every, coords=at, attrs=about)
    return found


def record(name: str, layers: int, twin_of: tuple[str, ...] = ()) -> ModelRecord:
    """Describe a model that does not exist."""
    words = ["the input of block 1", *(f"the output of block {k}" for k in range(1, layers))]
    return ModelRecord(
        name=name,
        source=f"somewhere/{name}",
        family="hubert",
        objective="masked prediction",
        size="miniature",
        n_parameters=1_420_000,
        fine_tuned=False,
        fingerprint="0123456789abcdef" * 4,
        layers={f"encoder.{k}": word for k, word in enumerate(words)},
        twin_of=twin_of,
    )


def base_scores(
    models: Sequence[ModelRecord], labels: Sequence[str], rng: np.random.Generator
) -> np.ndarray:
    """One number a cell: high near the same depth, low against twins, NaN where nothing is."""
    shape = (len(models), len(labels), len(models), len(labels))
    result = np.full(shape, np.nan)
    for i, row in enumerate(models):
        for k, col in enumerate(models):
            control = [bool(each.twin_of or each.baseline) for each in (row, col)]
            if all(control):
                continue
            n, m = len(row.layers), len(col.layers)
            depths = [np.arange(count) / max(count - 1, 1) for count in (n, m)]
            apart = np.abs(depths[0][:, None] - depths[1][None])
            top = 0.3 if any(control) else 0.95 if i == k else 0.7
            result[i, :n, k, :m] = top - 0.4 * apart + rng.uniform(-0.03, 0.03, (n, m))
    return result


def values_of(name: str, base: np.ndarray) -> np.ndarray:
    """Bend the same numbers to each measure's range."""
    if name == "localisation":
        return np.clip(base * 0.4, 0, 1)
    if name == "maxcorr_rotated":
        return np.asarray(base * 0.8)
    if name == "linreg_heldout":
        return np.asarray(base - 0.25)
    if name.startswith("attn_"):
        first = base.copy()
        first[:, 0], first[..., 0] = np.nan, np.nan
        return first * 5 - 6 if name == "attn_frobenius" else first
    return base


def filled(values: np.ndarray) -> np.ndarray:
    """Take a layer that no model has for 0, so that nothing is all NaN."""
    return np.where(np.isnan(values).all((2, 3), keepdims=True), 0, values)

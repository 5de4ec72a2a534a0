"""Stacked pairs: neurons of several layers score as they do in their own layers."""

import numpy as np
import oracles
import pytest
import torch
from material import make_layers

from assonance.measures import MEASURES
from assonance.settings import Settings
from assonance.statistics import FoldedMoments, Moments

FRAMES = 300
FOLDS = np.arange(FRAMES) // 60
ROWS = ["a", "c", "b"]
SETTINGS = Settings("two rotations", rotations=2)
ROWWISE = [name for name, each in MEASURES.items() if each.rowwise]


def layers(kind):
    """Make layers a, b and c; one neuron of b may be constant or depend on the others."""
    made = make_layers({"a": 5, "b": 7, "c": 4}, FRAMES, mean=1.0)
    if kind == "constant":
        made["b"][:, 2] = 3.0
    if kind == "dependent":
        made["b"][:, 2] = np.delete(made["b"], 2, 1) @ np.linspace(-1, 1, 6)
    return {name: values.astype("float32") for name, values in made.items()}


def folded(arrays, dtype, rows=slice(None), **more):
    shift = {name: torch.from_numpy(values).double().mean(0) for name, values in arrays.items()}
    parts = []
    for fold in range(5):
        part = Moments(shift, [(one, two) for one in arrays for two in arrays])
        here = np.flatnonzero(fold == FOLDS)[rows]
        part.update({name: torch.from_numpy(x[here]).to(dtype) for name, x in arrays.items()})
        parts.append(part)
    return FoldedMoments(parts, **more)


@pytest.mark.parametrize("measure", ROWWISE)
@pytest.mark.parametrize("kind", ["constant", "dependent"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-6)], ids=str
)
def test_stacked_neurons_score_as_in_their_own_layers(measure, kind, dtype, tolerance):
    moments = folded(layers(kind), dtype)
    function = MEASURES[measure].function
    found = function(moments.stack(ROWS, "b"), SETTINGS).values
    expected = torch.cat([function(moments.pair(row, "b"), SETTINGS).values for row in ROWS])
    assert found.isnan().any() == (kind == "constant")
    torch.testing.assert_close(
        found.double(), expected, rtol=0, atol=tolerance, equal_nan=True, check_dtype=False
    )


@pytest.mark.parametrize("measure", ["maxcorr", "linreg", "linreg_heldout", "linreg_heldout_r"])
def test_stacked_neurons_score_as_defined(measure):
    arrays = {name: x.astype("float64") for name, x in layers("free").items()}
    found = MEASURES[measure].function(
        folded(arrays, torch.float64).stack(["a", "c"], "b"), SETTINGS
    )
    more = {"folds": FOLDS} if "heldout" in measure else {}
    expected = [getattr(oracles, measure)(arrays[row], arrays["b"], **more) for row in ("a", "c")]
    np.testing.assert_allclose(found.values, np.concatenate(expected), rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_exact_dependence_carries_over_to_fewer_frames(dtype, monkeypatch):
    arrays = layers("dependent")
    more = folded(arrays, dtype)
    assert more.layer("b").null_space.shape == (7, 1)
    fewer = folded(arrays, dtype, slice(7, None), superset=more).layer("b")
    monkeypatch.setattr(torch.linalg, "eigh", None)  # no eigenvalues are computed
    correlation = np.corrcoef(
        np.concatenate([arrays["b"][fold == FOLDS][7:] for fold in range(5)]).astype("float64").T
    )
    expected = np.linalg.pinv(correlation, rcond=1e-6, hermitian=True)
    np.testing.assert_allclose(fewer.inverse, expected, rtol=0, atol=1e-5)


def test_dependence_by_chance_does_not_carry_over_to_other_frames():
    arrays = layers("dependent")
    arrays["b"][::2, 2] += np.random.default_rng(1).standard_normal(150).astype("float32")
    half = {name: x[1::2] for name, x in arrays.items()}
    parts = {name: torch.from_numpy(x.mean(0)).double() for name, x in half.items()}
    seen = Moments(parts, [])
    seen.update({name: torch.from_numpy(x) for name, x in half.items()})
    less = FoldedMoments([seen])
    assert less.layer("b").null_space.shape == (7, 1)
    whole = folded(arrays, torch.float32, superset=less).layer("b")
    expected = np.linalg.inv(np.corrcoef(arrays["b"].astype("float64").T))
    np.testing.assert_allclose(whole.inverse, expected, rtol=1e-6, atol=1e-6)

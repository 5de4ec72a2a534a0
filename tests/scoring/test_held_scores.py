"""Replicates of single neurons' measures that fit nothing again, through the pass over frames."""

from dataclasses import replace

import numpy as np
import oracles
import pytest
import torch
from material import make_layers
from scipy import stats

from assonance.inference.held import HeldEstimate, held_r, held_r2
from assonance.inference.intervals import intervals, jackknife, method_text
from assonance.inference.resampling import Resampling
from assonance.measures import find
from assonance.measures.neurons import rotations
from assonance.scoring.frame_pass import FramePass
from assonance.settings import Settings
from assonance.utils.progress import Silent

SIZES = [17, 30, 12, 25, 40, 22, 16, 28, 35, 15, 21, 33]
UTTERANCE = np.repeat(range(len(SIZES)), SIZES)
WIDTHS = {"a": 5, "b": 4, "c": 6}
LAYERS = make_layers(WIDTHS, sum(SIZES))
SETTINGS = Settings("few", folds=3, groups=6, rotations=3)
REGRESSIONS = ["linreg", "linreg_r2", "linreg_heldout", "linreg_heldout_r"]
MEASURES = ["maxcorr", "mincorr", "maxcorr_rotated", *REGRESSIONS]
RESAMPLING = Resampling.of_groups(SIZES, range(len(SIZES)), SETTINGS)
GROUP_OF = RESAMPLING.group_of_utterance[UTTERANCE]
FOLD_OF = RESAMPLING.fold_of_utterance[UTTERANCE]
GROUPS = RESAMPLING.groups
CELL = {"layer_row": "a", "layer_col": "b"}


class Arrays:
    """Plain arrays as a source of frames."""

    widths, sizes, units = WIDTHS, SIZES, list(range(len(SIZES)))

    def read(self, utterance, names):
        return {name: torch.from_numpy(LAYERS[name][utterance == UTTERANCE]) for name in names}

    def means(self):
        return {name: torch.from_numpy(x.mean(0)) for name, x in LAYERS.items()}


def run(settings=SETTINGS, memory=1e9, resampling=RESAMPLING, measures=MEASURES):
    frame_pass = FramePass(Arrays(), find(measures, ("neuron", "layer")), settings, resampling)
    return frame_pass.run(memory=memory, progress=Silent())


@pytest.fixture(scope="module")
def found():
    return run()


def regression(x, y):
    """R² of each neuron with the coefficients of each fold held, from the definition."""
    variance, errors = np.zeros((2, GROUPS, x.shape[1]))
    fitted = np.zeros((2, x.shape[1]))
    for fold in range(3):
        train = fold != FOLD_OF
        mean = x[train].mean(0), y[train].mean(0)
        slopes = np.linalg.lstsq(y[train] - mean[1], x[train] - mean[0], rcond=None)[0]
        squares = (x - mean[0] - (y - mean[1]) @ slopes) ** 2
        fitted += [squares[train].sum(0), ((x[train] - mean[0]) ** 2).sum(0)]
        for group in set(GROUP_OF[~train].tolist()):
            own = group == GROUP_OF
            variance[group] = ((x[own] - mean[0]) ** 2).sum(0)
            errors[group] = squares[own].sum(0)
    return held_r2(variance, errors, fitted[0] / fitted[1])


@pytest.mark.parametrize("measure", REGRESSIONS)
def test_regressions_keep_the_coefficients_of_each_fold(found, measure):
    held = regression(LAYERS["a"], LAYERS["b"])
    held = held if measure in ("linreg_r2", "linreg_heldout") else held_r(held)
    score = found.scores[measure].sel(CELL).item()
    replicates = found.replicates[measure].sel(CELL)
    estimate = jackknife(np.array(score), replicates.values)
    spread = HeldEstimate(held.estimate, held.deviations, held.doubt).of_layer(
        score, found.singles[measure].sel(CELL).values[:5]
    )
    assert estimate.estimate == pytest.approx(held.estimate.mean(), abs=1e-9)
    assert estimate.error**2 == pytest.approx(spread.variance + spread.doubt**2, abs=1e-12)


def test_in_sample_and_held_out_regressions_are_of_one_truth(found):
    made = intervals(found.scores, found.replicates)
    for in_sample, held_out in (("linreg_r2", "linreg_heldout"), ("linreg", "linreg_heldout_r")):
        one, other = (
            made[name].sel(CELL | {"statistic": "estimate"}) for name in (in_sample, held_out)
        )
        assert float(one) == pytest.approx(float(other), abs=2e-3)  # artanh bends a little


def test_best_matches_are_found_again_and_their_choice_is_doubtful(found):
    x, y = LAYERS["a"], LAYERS["b"]
    rest = [part != GROUP_OF for part in range(GROUPS)]
    best = np.array([oracles.maxcorr(x[kept], y[kept]) for kept in rest])
    score, held_out = oracles.maxcorr(x, y), oracles.maxcorr_heldout(x, y, FOLD_OF)
    made = jackknife(
        found.scores["maxcorr"].sel(CELL).values, found.replicates["maxcorr"].sel(CELL).values
    )
    exact = jackknife(score.mean(), best.mean(1))
    assert made.estimate == pytest.approx(exact.estimate, abs=1e-6)
    doubt = (score.mean() - held_out.mean()) / 2
    assert doubt > 0.001
    assert made.error == pytest.approx(np.hypot(exact.error, doubt), abs=1e-6)
    each = found.single_intervals["maxcorr"].sel(CELL).values[:5]
    neurons = jackknife(score, best.T)
    reach = stats.t.ppf(0.975, GROUPS - 1) * np.hypot(neurons.error, (score - held_out) / 2)
    expected = np.stack([neurons.estimate - reach, neurons.estimate + reach], -1)
    np.testing.assert_allclose(each[:, 1:], np.clip(expected, 0, 1), rtol=0, atol=1e-6)
    assert "mincorr" not in found.replicates


def test_in_random_bases_neurons_take_turns(found):
    x, y = LAYERS["a"], LAYERS["b"]
    bases = [each.numpy() for each in rotations(4, 3, SETTINGS.seed)[:2]]

    def turned(kept):
        each = [oracles.maxcorr(x[kept], oracles.standardised(y[kept]) @ q) for q in bases]
        return np.array([each[neuron % 2][neuron] for neuron in range(5)])

    moved = [
        turned(part != GROUP_OF).mean() - turned(GROUP_OF >= 0).mean() for part in range(GROUPS)
    ]
    score = found.scores["maxcorr_rotated"].sel(CELL).item()
    replicates = found.replicates["maxcorr_rotated"].sel(CELL)
    np.testing.assert_allclose(replicates, score + np.array(moved), atol=1e-9)


def test_the_localisation_index_is_that_of_corrected_terms(found):
    made = intervals(found.scores, found.replicates)
    terms = {}
    for name in ("maxcorr", "maxcorr_rotated", "linreg_heldout_r"):
        plain = jackknife(found.scores[name].values, found.replicates[name].values)
        terms[name] = plain.estimate[0, 1]
    best, rotated, predicted = terms.values()
    index = made["localisation"].sel(CELL | {"statistic": "estimate"})
    assert float(index) == pytest.approx((best - rotated) / (predicted - rotated), abs=1e-9)
    assert made["localisation"].sel(layer_row="a", layer_col="a").isnull().all()


def test_single_neurons_have_intervals_about_the_same_estimates(found):
    held = held_r(regression(LAYERS["a"], LAYERS["b"]))
    each = found.single_intervals["linreg_heldout_r"].sel(CELL)
    np.testing.assert_allclose(each.isel(statistic=0)[:5], held.estimate, atol=1e-6)
    middle = found.single_intervals["localisation"].sel(CELL).values[:5]
    assert (middle[:, 1] <= middle[:, 0]).all()
    assert (middle[:, 0] <= middle[:, 2]).all()


def test_a_sample_of_neurons_stands_for_all(found):
    few = run(replace(SETTINGS, interval_neurons=2))
    for name in ("linreg_heldout", "maxcorr_rotated", "localisation"):
        single = few.single_intervals[name].sel(CELL).isel(statistic=1)
        assert int(single.notnull().sum()) <= 2
        assert few.replicates[name].sel(CELL).notnull().all()
    assert few.single_intervals["linreg_heldout"].sel(CELL).isel(statistic=1).notnull().sum() == 2
    assert few.single_intervals["maxcorr"].sel(CELL).isel(statistic=1).notnull().sum() == 5
    for name in found.scores.data_vars:
        np.testing.assert_array_equal(few.scores[name], found.scores[name])


def test_no_bit_depends_on_the_tiles(found):
    small = run(memory=1)
    for name, replicates in found.replicates.data_vars.items():
        np.testing.assert_array_equal(small.replicates[name], replicates)
    for name, single in found.single_intervals.data_vars.items():
        np.testing.assert_array_equal(small.single_intervals[name], single)


def test_the_method_is_stated(found):
    text = method_text(found.replicates)
    assert text == (
        "a jackknife over 6 groups of utterances, with the coefficients of regressions held fixed"
    )
    made = intervals(found.scores, found.replicates)
    assert made["linreg"].attrs["method"] == text
    assert made["maxcorr"].attrs["method"] == "a jackknife over 6 groups of utterances"
    refit = run(replace(SETTINGS, refit=True), measures=["linreg"])
    assert method_text(refit.replicates) == "a jackknife over 6 groups of utterances"


def test_two_folds_are_fitted_again():
    settings = replace(SETTINGS, folds=2)
    resampling = Resampling.of_groups(SIZES, range(len(SIZES)), settings)
    found = run(settings, resampling=resampling, measures=["linreg_heldout"])
    assert method_text(found.replicates) == "a jackknife over 6 groups of utterances"
    assert found.replicates["linreg_heldout"].sel(CELL).notnull().all()

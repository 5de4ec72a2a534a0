"""Results agree with Student's t if scores are means over jackknife groups."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from comparisons import record
from scipy import stats

from assonance.claims.claim import Claim, load_claims
from assonance.claims.selection import Term
from assonance.claims.verdict import evaluate_claims, format_table, to_dataframe
from assonance.comparison.records import CorpusRecord, Provenance
from assonance.comparison.result import CELL, Comparison
from assonance.inference.resampling import replicate_weights

GROUPS, LAYERS, DRAWS = 12, 3, 5
MODELS = ("hubert", "wav2vec2")
MEASURES = ("cka_utterance", "linreg_heldout", "linreg_heldout_r", "maxcorr", "maxcorr_rotated")


def models(names=MODELS, twins=True):
    made = [
        replace(
            record(name, LAYERS),
            objective="contrastive" if name.startswith("wav2vec2") else "predictive",
            family=name.split("-")[0],
            fine_tuned=name.endswith("ft"),
        )
        for name in names
    ]
    random = [
        replace(each, name=f"{each.name}, random", objective="none", twin_of=(each.name,))
        for each in made
    ]
    return [*made, *(random if twins else [])]


def by_group(known, seed=0, measures=MEASURES, spread=0.1):
    """One number a measure, cell and group; scores are their means over groups."""
    rng = np.random.default_rng(seed)
    shape = (len(known), LAYERS, len(known), LAYERS, GROUPS)
    return {name: rng.normal(0.5, spread, shape) for name in measures}


def compared(known, values, draws=None):
    labels = list(known[0].layers)
    names = [each.name for each in known]
    coords = dict(zip(CELL, (names, labels, names, labels), strict=True))
    scores, replicates = xr.Dataset(coords=coords), xr.Dataset(coords=coords)
    for name, each in values.items():
        scores[name] = (CELL, each.mean(-1))
        without = (each.sum(-1, keepdims=True) - each) / (GROUPS - 1)
        replicates[name] = ((*CELL, "group"), without)
    if draws is not None:
        replicates["maxcorr_rotated_draws"] = ((*CELL, "rotation"), draws)
    corpus = CorpusRecord("speech", "speech", 60, 999, 20.0, (), (), (16000,))
    provenance = Provenance({}, tuple(values), {}, tuple(known), corpus, population="new speech")
    return Comparison(scores, xr.Dataset(), xr.Dataset(), provenance, replicates)


def claim(plus, minus, name="mine"):
    terms = [[Term(measure, where) for measure, *where in side] for side in (plus, minus)]
    return Claim(name, "This is more than that", *(tuple(map(fix, each)) for each in terms))


def fix(term):
    return replace(term, where=tuple(term.where))


NULL = claim([("cka_utterance", "across")], [("cka_utterance", "random weights")])


def across(array):
    """Mean over the cells of hubert against wav2vec2, both ways."""
    return (array[0, :, 1].mean((0, 1)) + array[1, :, 0].mean((0, 1))) / 2


def against_random(array):
    return (array[0, :, 3].mean((0, 1)) + array[1, :, 2].mean((0, 1))) / 2


def test_estimate_interval_and_p_are_those_of_students_t():
    known = models()
    values = by_group(known)
    (found,) = evaluate_claims(compared(known, values), [NULL])
    array = values["cka_utterance"]
    test = stats.ttest_1samp(across(array) - against_random(array), 0, alternative="greater")
    assert found.estimate == pytest.approx((across(array) - against_random(array)).mean())
    contrast = across(array) - against_random(array)
    squares = (contrast - contrast.mean()) ** 2
    degrees = min(2 * squares.sum() ** 2 / (squares**2).sum() - 1, GROUPS - 1)
    assert found.degrees == pytest.approx(degrees)
    assert found.p == pytest.approx(stats.t.sf(test.statistic, degrees))
    reach = stats.t.ppf(0.975, degrees) * contrast.std(ddof=1) / np.sqrt(GROUPS)
    assert (found.low, found.high) == pytest.approx(
        (found.estimate - reach, found.estimate + reach)
    )
    assert found.parts == pytest.approx([across(array).mean(), against_random(array).mean()])


def test_estimate_interval_and_p_of_draws_are_those_of_the_bootstrap():
    known = models()
    values = by_group(known)
    weights = replicate_weights(range(GROUPS), 199, 0)
    made = compared(known, values)
    drawn = {
        name: ((*CELL, "draw"), each @ weights.T / (GROUPS - 1)) for name, each in values.items()
    }
    made = replace(made, replicates=xr.Dataset(drawn, made.replicates.coords))
    (found,) = evaluate_claims(made, [NULL])
    gap = across(values["cka_utterance"]) - against_random(values["cka_utterance"])
    draws = gap @ weights.T / (GROUPS - 1)
    assert found.estimate == pytest.approx(2 * gap.mean() - draws.mean())
    ends = 2 * gap.mean() - np.sort(draws)[[-5, 4]]
    assert (found.low, found.high) == pytest.approx(tuple(ends))
    assert found.p == pytest.approx((1 + (draws >= 2 * gap.mean()).sum()) / 200)
    assert np.isnan(found.degrees)


@pytest.mark.parametrize(
    ("more", "verdict"), [(0.3, "supported"), (-0.3, "not supported"), (0.0, "undecided")]
)
def test_the_interval_decides_the_verdict(more, verdict):
    known = models()
    values = by_group(known, seed=1)
    values["cka_utterance"][:2, :, :2] += more
    (found,) = evaluate_claims(compared(known, values), [NULL])
    assert found.verdict == verdict
    assert {
        "supported": found.low > 0,
        "not supported": found.high < 0,
        "undecided": found.low <= 0 <= found.high,
    }[verdict]


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_contrast_and_its_parts_are_within_what_the_ranges_of_its_measures_allow(sign):
    known = models()
    values = by_group(known, spread=0.1)
    made = compared(known, values)
    wild = xr.DataArray(np.linspace(0, sign, GROUPS), dims="group")
    random = made.scores["model_col"].str.contains("random")
    replicates = made.replicates.assign(
        cka_utterance=made.replicates["cka_utterance"] + xr.where(random, -wild, wild)
    ).transpose(*CELL, ...)
    made.scores["cka_utterance"].attrs["range"] = [0.0, 1.0]
    (found,) = evaluate_claims(replace(made, replicates=replicates), [NULL])
    assert -1 <= found.low <= found.estimate <= found.high <= 1
    assert found.estimate == -sign
    assert sorted(found.parts) == [0, 1]
    made.scores["cka_utterance"].attrs["range"] = [-np.inf, 1.0]
    (half,) = evaluate_claims(replace(made, replicates=replicates), [NULL])
    assert abs(half.estimate) > 1
    assert max(half.parts) == 1


def test_the_jackknife_removes_the_bias_of_the_contrast():
    known = models()
    made = compared(known, by_group(known))
    (before,) = evaluate_claims(made, [NULL])
    size = GROUPS * 10
    made.scores["cka_utterance"].loc[{"model_row": "hubert"}] += 1 / size
    made.replicates["cka_utterance"].loc[{"model_row": "hubert"}] += 1 / (size - 10)
    made.scores["cka_utterance"].loc[{"model_col": "wav2vec2, random"}] -= 1 / size
    made.replicates["cka_utterance"].loc[{"model_col": "wav2vec2, random"}] -= 1 / (size - 10)
    (after,) = evaluate_claims(made, [NULL])
    assert after.estimate == pytest.approx(before.estimate)


def test_the_variance_over_random_bases_is_added():
    known = models(twins=False)
    values = by_group(known)
    draws = np.random.default_rng(5).normal(0.5, 0.1, (2, LAYERS, 2, LAYERS, DRAWS))
    draws += np.random.default_rng(6).normal(0, 0.05, DRAWS)  # shared by all cells
    ours = claim([("maxcorr", "across")], [("maxcorr_rotated", "across")])
    (found,) = evaluate_claims(compared(known, values, draws), [ours])
    by_groups = across(values["maxcorr"]) - across(values["maxcorr_rotated"])
    speech = by_groups.var(ddof=1) / GROUPS
    # Rows and columns meet one basis: deviations are added, not variances.
    there, back = draws[0, :, 1].mean((0, 1)), draws[1, :, 0].mean((0, 1))
    bases = (1 + 1 / DRAWS) * (there.std(ddof=1) / 2 + back.std(ddof=1) / 2) ** 2
    degrees = (speech + bases) ** 2 / (speech**2 / (GROUPS - 1) + bases**2 / (DRAWS - 1))
    error = (speech + bases) ** 0.5
    assert found.degrees == pytest.approx(degrees)
    assert found.p == pytest.approx(stats.t.sf(by_groups.mean() / error, degrees))
    reach = stats.t.ppf(0.975, degrees) * error
    assert found.high - found.low == pytest.approx(2 * reach)


def test_only_cells_in_which_all_measures_are_defined_are_averaged():
    known = models(twins=False)
    values = by_group(known)
    values["maxcorr"][0, 1, 1, 2, 3] = np.nan
    ours = claim([("maxcorr", "across")], [("cka_utterance", "across")])
    (found,) = evaluate_claims(compared(known, values), [ours])
    there = np.isfinite(values["maxcorr"]).all(-1)
    gap = (values["maxcorr"] - values["cka_utterance"]).mean(-1)
    expected = (gap[0, :, 1][there[0, :, 1]].mean() + gap[1, :, 0].mean()) / 2
    assert found.estimate == pytest.approx(expected)


def test_q_is_adjusted_over_the_claims_that_were_tested():
    known = models()
    made = compared(known, by_group(known))
    layers = [f"encoder.{k}" for k in range(LAYERS)]
    some = [
        Claim(
            layer,
            "x",
            (Term("cka_utterance", ("across",), layer_row=(layer,)),),
            (Term("cka_utterance", ("random weights",)),),
        )
        for layer in layers
    ]
    found = evaluate_claims(made, [*some, claim([("cka", "across")], [("cka", "within")])])
    p = [each.p for each in found[:3]]
    order = np.argsort(p)
    expected = np.empty(3)
    lowest = 1.0
    for rank in (3, 2, 1):
        lowest = min(lowest, p[order[rank - 1]] * 3 / rank)
        expected[order[rank - 1]] = lowest
    assert [each.q for each in found[:3]] == pytest.approx(expected)
    assert np.isnan(found[3].q)


def reasons(known, values, draws=None):
    return {
        each.claim.name: each.reason
        for each in evaluate_claims(compared(known, values, draws))
        if not each.tested
    }


def test_claims_that_two_models_cannot_test_have_a_reason():
    known = models()
    draws = np.full((4, LAYERS, 4, LAYERS, DRAWS), 0.4)
    values = by_group(known, measures=(*MEASURES, "attn_pearson"))
    assert reasons(known, values, draws) == {
        "grouped by objective": "no two of the models have the same training objective",
        "grouped by size": "all models have the same size",
        "fine-tuning, late layers": "no fine-tuned model was compared with the model that it was "
        "fine-tuned from",
        "fine-tuning, contrastive": "no fine-tuned model was compared with the model that it was "
        "fine-tuned from",
    }


def test_one_fine_tuned_model_tests_the_claim_on_layers_only():
    known = models(("hubert", "hubert-ft"), twins=False)
    found = {each.claim.name: each for each in evaluate_claims(compared(known, by_group(known)))}
    assert found["fine-tuning, late layers"].tested
    lacking = "no two such models have the objective 'contrastive'"
    assert found["fine-tuning, contrastive"].reason == lacking
    assert found["depth"].reason == "no two models that were trained independently were compared"


def test_a_missing_measure_is_named():
    known = models()
    found = reasons(known, by_group(known, measures=("linreg_heldout", "maxcorr")))
    assert found["shared space, CKA"] == "cka_utterance was not measured"
    assert found["shared neurons"] == "maxcorr_rotated was not measured"
    assert "shared space, LinReg" not in found


def test_without_replicates_no_claim_is_tested():
    known = models()
    made = replace(compared(known, by_group(known)), replicates=xr.Dataset())
    found = evaluate_claims(made)
    assert not any(each.tested for each in found)
    assert found[0].reason == "linreg_heldout has no interval here"
    assert all(len(line.splitlines()) == 1 for line in format_table(found))


def test_the_variance_over_bases_needs_two_of_them():
    known = models(twins=False)
    draws = np.full((2, LAYERS, 2, LAYERS, 1), 0.4)
    assert "two" in reasons(known, by_group(known), draws)["shared neurons"]


def test_without_variance_the_sign_decides():
    known = models()
    values = by_group(known, spread=0)
    (even,) = evaluate_claims(compared(known, values), [NULL])
    assert (even.verdict, even.p) == ("undecided", 0.5)
    values["cka_utterance"][:2, :, :2] += 0.25
    (found,) = evaluate_claims(compared(known, values), [NULL])
    assert (found.verdict, found.p) == ("supported", 0)


def test_the_sentence_holds_the_numbers():
    known = models()
    values = by_group(known, spread=0)
    values["cka_utterance"][:2, :, :2] += 0.25
    (found,) = evaluate_claims(compared(known, values), [NULL])
    assert found.sentence() == (
        "This is more than that: supported. CKA, distinct utterances (across) 0.750 − "
        "CKA, distinct utterances (random weights) 0.500 = 0.250 "
        "(95 % interval 0.250 to 0.250, p <0.001, q <0.001)."
    )


def test_repeated_terms_are_counted():
    known = models(twins=False)
    ours = claim([("maxcorr", "across")] * 2, [("linreg_heldout_r", "across")])
    (found,) = evaluate_claims(compared(known, by_group(known, spread=0)), [ours])
    assert found.equation() == (
        "2 × MaxCorr (across) 0.500 − LinReg, held-out r (across) 0.500 = 0.500"
    )


def test_the_table_has_a_row_for_each_tested_claim_and_a_reason_for_each_other():
    known = models()
    draws = np.full((4, LAYERS, 4, LAYERS, DRAWS), 0.4)
    found = evaluate_claims(compared(known, by_group(known), draws))
    said = format_table(found)
    for each in found:
        (line,) = [
            line
            for line in said
            if line.startswith((f"{each.claim.name}  ", f"{each.claim.name}:"))
        ]
        assert (each.verdict if each.tested else "cannot be tested") in line
        assert (each.reason in line) or f"{each.estimate:.3f}".replace("-", "−") in line
    table = to_dataframe(found)
    assert list(table["claim"]) == [each.name for each in load_claims()]
    assert pd.isna(table.set_index("claim").loc["grouped by size", "estimate"])
    asked = table[table["verdict"] != "cannot be asked"]
    assert asked["allows_for"].str.startswith("new speech").all()

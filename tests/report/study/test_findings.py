"""What becomes of a finding follows from its claims, and scales are means over pairs of layers."""

import numpy as np
import pytest
from comparisons import comparison

from assonance.claims.claim import load_claims
from assonance.claims.verdict import ClaimResult
from assonance.report.study import findings
from assonance.report.study.recipe import Finding

CLAIM = load_claims()[0]


def judged(published, *stricter):
    results = [ClaimResult(CLAIM, each) for each in stricter]
    finding = Finding("It is so", CLAIM, (CLAIM,) * len(stricter))
    return findings.Judgement(finding, ClaimResult(CLAIM, published), tuple(results), ()).verdict


@pytest.mark.parametrize(
    ("published", "stricter", "verdict"),
    [
        ("supported", ["supported", "supported"], "stands"),
        ("supported", ["supported", "undecided"], "weakens"),
        ("supported", ["supported", "not supported"], "weakens"),
        ("supported", ["undecided", "undecided"], "may be chance"),
        ("supported", ["undecided", "not supported"], "may be chance"),
        ("supported", ["not supported"], "reversed"),
        ("supported", ["supported", "cannot be asked"], "stands"),
        ("supported", ["cannot be asked"], "not tested"),
        ("undecided", ["supported"], "does not recur"),
        ("not supported", ["supported"], "does not recur"),
        ("cannot be asked", ["supported"], "not tested"),
    ],
)
def test_the_verdict_follows_from_the_claims(published, stricter, verdict):
    assert judged(published, *stricter) == verdict
    assert verdict in findings.MEANINGS


def test_scales_are_means_over_pairs_of_layers():
    made = comparison(("hubert-a", "wav2vec2-b"), (5, 4), ["cka"])
    table = findings.scales(made, ("cka", "absent"))
    rows = [made.matrix("cka", *pair) for pair in (made.models, made.models[::-1])]
    expected = np.mean([float(each.mean()) for each in rows])
    row = table.loc[("cka", "across models")]
    assert row["low"] < row["mean"] < row["high"]
    assert row["mean"] == pytest.approx(expected, abs=0.02)  # but for the correction of bias
    assert set(table.index.get_level_values("measure")) == {"cka"}
    assert ("cka", "ceiling: second seed") not in table.index

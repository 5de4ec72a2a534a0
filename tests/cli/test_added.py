"""A finished run is added to, and nothing that it holds is ever lost."""

import itertools

import numpy as np
import pytest
import yaml
from command_line import check_error, run

from assonance import Comparison

COMMANDS = ("compare", "add", "claims", "mine", "report")
FAST = ("--no-twins", "--no-uncertainty")


@pytest.fixture(scope="module")
def pair(checkpoint):
    return checkpoint("wav2vec2", seed=1), checkpoint("hubert", seed=2)


def command(pair, speech, out, *measures):
    named = [part for name in measures for part in ("-m", name)]
    return ("compare", *pair, "--audio", speech, "--out", out, *named, *FAST)


@pytest.fixture(scope="module")
def at_once(pair, speech, tmp_path_factory):
    """The results of a run that asked for two measures at once."""
    out = tmp_path_factory.mktemp("at once") / "run"
    assert run(*command(pair, speech, out, "cka", "maxcorr")).status == 0
    return (out / "results.nc").read_bytes()


@pytest.fixture
def out(pair, speech, tmp_path):
    assert run(*command(pair, speech, tmp_path / "run", "cka")).status == 0
    return tmp_path / "run"


def test_a_measure_that_is_added_gives_the_bytes_of_a_run_that_asked_at_once(out, at_once):
    outcome = run("add", out, "-m", "maxcorr")
    assert outcome.status == 0
    assert (out / "results.nc").read_bytes() == at_once
    assert not any(line.startswith("reading speech") and "100%" in line for line in outcome.said)
    assert run("add", out, "-m", "maxcorr").status == 0  # a second time
    assert (out / "results.nc").read_bytes() == at_once


def test_a_comparison_into_a_finished_run_adds_to_it(pair, speech, out, at_once):
    assert run(*command(pair, speech, out, "maxcorr")).status == 0
    assert (out / "results.nc").read_bytes() == at_once
    assert run(*command(pair, speech, out, "cka")).status == 0
    assert (out / "results.nc").read_bytes() == at_once


def test_a_model_that_is_added_leaves_the_scores_of_the_others(out, checkpoint):
    before = Comparison.load(out / "results.nc")
    assert run("add", out, "--model", checkpoint("hubert", seed=3)).status == 0
    now = Comparison.load(out / "results.nc")
    assert now.models[:2] == before.models
    assert len(now.models) == 3
    for row in before.models:
        for col in before.models:
            np.testing.assert_array_equal(
                now.matrix("cka", row, col), before.matrix("cka", row, col)
            )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing to add"),
        (("-m", "ckaa"), "did you mean cka"),
        (("--model", "hubert-mni"), "did you mean hubert-mini"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_added_is_one_line_and_changes_nothing(out, arguments, words):
    before = files(out)
    check_error(run("add", out, *arguments), words)
    assert files(out) == before


def files(folder):
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


def each_after_each(names):
    """Put names in an order in which each follows each, and itself, exactly once."""
    words = [each for k, a in enumerate(names) for each in ([a], *([a, b] for b in names[k + 1 :]))]
    order = [name for word in words for name in word]
    return [*order, order[0]]


def test_the_order_has_every_pair():
    pairs = list(itertools.pairwise(each_after_each(COMMANDS)))
    assert sorted(pairs) == sorted(itertools.product(COMMANDS, repeat=2))


def test_every_command_twice_and_in_every_order_loses_nothing(pair, speech, out, tmp_path):
    claims = tmp_path / "mine.yaml"
    claims.write_text(
        "claims:\n  mine:\n    says: CKA is high\n    plus: [{measure: cka, where: [across]}]\n"
        "    minus: [{measure: cka, where: [within]}]\n"
    )
    commands = {
        "compare": command(pair, speech, out, "svcca"),
        "add": ("add", out, "-m", "maxcorr"),
        "claims": ("claims", out),
        "mine": ("claims", out, "--config", claims),
        "report": ("report", out),
    }
    kept: dict[str, bytes] = {}
    scores: dict[str, np.ndarray] = {}
    for place in each_after_each(COMMANDS):
        outcome = run(*commands[place])
        assert outcome.status == 0, (place, outcome.err)
        now = files(out)
        assert kept.keys() <= now.keys()
        kept = now
        found = Comparison.load(out / "results.nc").scores
        for measure, before in scores.items():
            np.testing.assert_array_equal(found[measure].to_numpy(), before)
        scores = {str(each): found[each].to_numpy() for each in found}
    assert {"claims.csv", "claims-mine.csv", "report.html"} <= kept.keys()
    assert {"cka", "svcca", "maxcorr"} <= scores.keys()


def test_a_run_is_made_again_from_its_configuration(pair, speech, out, tmp_path):
    config = yaml.safe_load((out / "config.yaml").read_text("utf-8"))
    again = tmp_path / "again"
    saved = out / "config.yaml"
    assert run("compare", "--config", saved, "--out", again).status == 0
    assert (again / "results.nc").read_bytes() == (out / "results.nc").read_bytes()
    made = yaml.safe_load((again / "config.yaml").read_text("utf-8"))
    assert {**made, "out": ""} == {**config, "out": ""}
    other = tmp_path / "other"
    options = ("--out", other, "-m", "maxcorr", "--groups", 4)
    assert run("compare", "--config", saved, *options).status == 0
    made = yaml.safe_load((other / "config.yaml").read_text("utf-8"))
    expected = {"out": "", "measures": ["maxcorr"], "settings": {**config["settings"], "groups": 4}}
    assert {**made, "out": ""} == {**config, **expected}

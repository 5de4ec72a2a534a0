"""A run with sound, from the command line: compare, report and explore say and write the same."""

import re

import pytest
import soundfile
from command_line import check_error, run

QUICK = ("-m", "maxcorr", "-m", "linreg_heldout_r", "--no-uncertainty", "--no-twins")
SOUND = re.compile(
    r"sound:   0\.\d minutes of the speech are in the report, as clips of \d+ neurons"
)


@pytest.fixture(scope="module")
def pair(checkpoint):
    return checkpoint("wav2vec2", seed=1), checkpoint("hubert", seed=2)


@pytest.fixture(scope="module")
def heard(pair, speech, tmp_path_factory):
    out = tmp_path_factory.mktemp("heard") / "mine"
    return run("compare", *pair, "--audio", speech, "--out", out, "--sound", *QUICK), out


def stream(path):
    return re.search(r'id="stream">([^<]+)<', path.read_text("utf-8"))[1]


def test_compare_writes_a_report_with_sound_and_says_how_much(heard):
    outcome, out = heard
    assert outcome.status == 0
    assert SOUND.search(outcome.err)
    assert "no licence lies beside the speech" in outcome.err
    assert stream(out / "report.html")


def test_a_report_of_the_run_has_the_same_sound(heard, tmp_path):
    _, out = heard
    outcome = run("report", out, "--sound", "-o", tmp_path / "again.html")
    assert SOUND.search(outcome.out)
    assert stream(tmp_path / "again.html") == stream(out / "report.html")


def test_explore_writes_the_moments_it_lists(heard, pair, tmp_path):
    _, out = heard
    cell = f"{pair[0].name}:1"
    outcome = run("explore", out, cell, "--neuron", 2, "--top", 3, "--wav", tmp_path / "clips")
    assert outcome.status == 0
    moments = re.findall(r"^ +\d\.\d\d  (\S+) at \d\.\d\d s$", outcome.out, re.M)
    files = sorted((tmp_path / "clips").iterdir())
    assert [re.sub(r".*-\d\d-", "", each.stem) for each in files] == moments
    assert len(moments) == 3
    assert all(soundfile.info(each).samplerate == 16000 for each in files)


def test_sound_without_matched_neurons_is_refused_before_anything_is_computed(
    pair, speech, tmp_path
):
    out = tmp_path / "none"
    outcome = run("compare", *pair, "--audio", speech, "--out", out, "--sound", "-m", "cka")
    check_error(outcome, "--sound: needs neurons that were matched")
    assert not out.exists()


def test_activations_that_are_not_kept_still_give_sound(pair, speech, tmp_path):
    out = tmp_path / "bare"
    command = ("compare", *pair, "--audio", speech, "--out", out, "--sound", "--no-keep", *QUICK)
    assert run(*command).status == 0
    assert stream(out / "report.html")
    assert not (out / "activations").exists()
    refused = run("report", out, "--sound")
    check_error(refused, f"run `assonance compare --config {out / 'config.yaml'} --keep`")

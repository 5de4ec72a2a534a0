"""Names from outside, whatever they hold, end in terminal, tables and report as plain text."""

import json
import re

import numpy as np
import pytest
import yaml
from command_line import check_error, run
from pages import Page
from speech_files import write

from assonance import Comparison

SCRIPT = "<script>alert(1)<／script>"  # a slash cannot be part of a file's name
TERMINAL = "\x1b[2J\x1b]0;title\x07 two\nlines \u202e\x9b31m"
EVIL = f"{SCRIPT}{TERMINAL}"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run with such names for everything: what it printed, and its folder."""
    root = tmp_path_factory.mktemp("hostile")
    rows, models = [], [root / f"{EVIL} one", root / "<img src=x onerror=alert(1)>"]
    for number in range(6):
        id = f"{EVIL}{number}"
        path = write(root / "speech" / f"{id}.wav", 0.5, seed=number)
        about = {"id": id, "path": str(path), "speaker": f"{EVIL}{number % 3}"}
        rows.append(json.dumps({**about, "text": EVIL, "language": EVIL}))
        for seed, model in enumerate(models):
            rng = np.random.default_rng([seed, number])
            layers = {f"{SCRIPT} {k}": rng.normal(size=(25, 4)) for k in range(2)}
            model.mkdir(exist_ok=True)
            np.savez(model / f"{id}.npz", **layers)
    (root / "speech" / f"{EVIL}0.wav").write_bytes(b"no sound")
    rows.append(json.dumps({"id": f"{EVIL}gone", "path": f"{EVIL}.wav"}))
    for model in models:
        (model / "activations.yaml").write_text(yaml.safe_dump({"frame_rate": 50, "name": EVIL}))
    listing = root / f"{EVIL}.jsonl"
    listing.write_text("\n".join(rows))
    out = root / f"{EVIL} out"
    outcome = run(
        "compare", *models, "--audio", listing, "-m", "cka", "-m", "maxcorr", "--out", out
    )
    assert outcome.status == 0, outcome.err
    return outcome, out


def check_plain(text, label):
    """No control character but the ends of lines."""
    bad = {each for each in text if not each.isprintable() and each != "\n"}
    assert not bad, f"{label}: {bad}"


def test_nothing_raw_reaches_the_terminal(finished):
    outcome, _ = finished
    check_plain(outcome.out, "standard output")
    check_plain(outcome.err, "standard error")
    assert "left out: " in outcome.err


def test_nothing_raw_is_in_a_file_that_people_open(finished):
    _, out = finished
    for name in ("results.csv", "claims.csv", "report.html"):
        check_plain((out / name).read_text("utf-8"), name)
    config = (out / "config.yaml").read_text("utf-8")
    check_plain(config.replace("\u202e", ""), "config.yaml")  # YAML takes it for a letter


def test_nothing_breaks_out_of_the_report(finished):
    _, out = finished
    text = (out / "report.html").read_text("utf-8")
    page = Page(text)
    assert "alert(1)" in page.text
    for own in re.findall(r"<script[^>]*>(.*?)</script>", text, re.S):
        assert "alert(1)" not in own
    assert "<script>alert" not in text
    assert "<img src=x" not in text


def test_the_results_have_names_of_one_line(finished):
    _, out = finished
    found = Comparison.load(out / "results.nc")
    record = found.provenance
    assert len(found.models) == 2
    for name in (*found.models, *record.corpus.speakers, *record.notes, record.corpus.source):
        assert name.isprintable()
    assert record.corpus.utterances == 5


def test_such_names_in_other_commands_stay_on_one_line(finished, tmp_path):
    _, out = finished
    check_plain(run("claims", out).out, "claims")
    for arguments in (
        ("compare", tmp_path / EVIL, "--audio", tmp_path),
        ("compare", "mel", "--audio", tmp_path / EVIL),
        ("compare", "mel", "--audio", tmp_path, "-m", EVIL),
        ("claims", tmp_path / EVIL),
        ("claims", out, "--config", tmp_path / EVIL),
        ("model", "info", tmp_path / EVIL),
        ("corpus", "check", tmp_path / EVIL),
    ):
        outcome = run(*arguments)
        check_error(outcome)
        check_plain(outcome.err, arguments)
    outcome = run("corpus", "check", out.parent / f"{EVIL}.jsonl")
    check_plain(outcome.out + outcome.err, "corpus check")


def test_a_layer_that_breaks_the_terminal_is_refused(tmp_path):
    speech = write(tmp_path / "speech" / "a.wav", 0.5)
    folder = tmp_path / "features"
    folder.mkdir()
    np.savez(folder / "a.npz", **{"\x1b[31m": np.ones((25, 4))})
    (folder / "activations.yaml").write_text("frame_rate: 50")
    check_error(run("compare", folder, "--audio", speech.parent), r"a layer is named '\x1b[31m'")

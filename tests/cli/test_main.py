"""The command line, used as a person would use it."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from signals import voice

from assonance import Comparison
from assonance.measures import MEASURES

QUICK = ("-m", "cka", "-m", "maxcorr")
HEAVY = ("torch", "transformers", "matplotlib", "xarray", "pandas")


def start(*arguments, cwd):
    # On one thread as the tests: small models are slowed down by more.
    return subprocess.Popen(
        [sys.executable, "-m", "assonance", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assonance(*arguments, cwd):
    """Exit status, standard output and standard error of a finished command."""
    process = start(*arguments, cwd=cwd)
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err
    return process.returncode, out, err


@pytest.fixture(scope="module")
def models(checkpoint):
    return checkpoint("wav2vec2", seed=1), checkpoint("hubert", seed=2)


@pytest.fixture(scope="module")
def finished(models, speech, tmp_path_factory):
    """A run over good files and bad ones: its folder, and what the command said."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copytree(speech, folder / "audio")
    soundfile.write(folder / "audio" / "short.wav", np.zeros(100), 16000)
    (folder / "audio" / "<b>junk.wav").write_bytes(b"no audio")
    said = assonance("compare", *models, "--audio", "audio", "--out", "mine", *QUICK, cwd=folder)
    return folder, said


def test_the_bare_command_shows_help_and_fails(tmp_path):
    status, out, err = assonance(cwd=tmp_path)
    assert status != 0
    assert "compare" in out + err


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"], ["--version"]])
def test_help_and_version_succeed(tmp_path, arguments):
    status, out, _ = assonance(*arguments, cwd=tmp_path)
    assert status == 0
    assert "assonance" in out


def test_every_measure_is_listed_with_what_it_declares(tmp_path):
    status, out, _ = assonance("measures", cwd=tmp_path)
    assert status == 0
    lines = iter(out.splitlines())
    for each in MEASURES.values():
        symmetry = "symmetric" if each.symmetric else "directional"
        first, words, holds = (next(lines) for _ in range(3))
        assert first.startswith(f"{each.name}  [{each.level}, ")
        assert first.endswith(f"{symmetry}]")
        assert words == f"    {each.summary}. {each.source}."
        needs, unchanged = holds.split("; unchanged by: ")
        assert needs == f"    needs {each.needs}"
        assert unchanged == (", ".join(sorted(each.invariances)) or "nothing")
    assert next(lines, None) is None


def test_help_waits_for_no_heavy_library(tmp_path):
    code = (
        "import sys, json, assonance.cli.main\n"
        "try: assonance.cli.main.app(['--help'])\n"
        "except SystemExit: pass\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout.splitlines()[-1]) == []


def test_a_run_leaves_its_files(finished):
    folder, (status, _, _) = finished
    assert status == 0
    found = {path.name for path in (folder / "mine").iterdir()}
    tables = {"claims.csv", "results.csv"}
    assert found == {"activations", "config.yaml", "report.html", "results.nc"} | tables


def test_a_run_names_what_it_leaves_out_everywhere(finished):
    folder, (_, out, err) = finished
    report = (folder / "mine" / "report.html").read_text("utf-8")
    for line in ("audio/short.wav: too short", "audio/<b>junk.wav: is not audio"):
        assert f"left out: {line}" in err
        assert line not in out
    assert "audio/short.wav" in report
    assert "&lt;b&gt;junk.wav" in report
    assert "<b>junk.wav" not in report
    record = Comparison.load(folder / "mine" / "results.nc").provenance
    assert {each.id for each in record.left_out} == {"short", "<b>junk"}


def test_standard_output_ends_with_the_report_to_open(finished):
    _, (_, out, err) = finished
    assert out.splitlines()[-1] == "report:  mine/report.html"
    assert "comparing layers" in err
    assert "comparing layers" not in out


def test_the_configuration_is_what_was_run(finished, models):
    folder, _ = finished
    config = yaml.safe_load((folder / "mine" / "config.yaml").read_text())
    assert config["models"] == [str(model) for model in models]
    assert config["measures"] == ["cka", "maxcorr"]
    assert config["settings"]["variance"] == 0.99
    assert config["on_error"] == "skip"


def test_without_out_the_folder_is_named_after_the_models(models, speech, tmp_path):
    status, _, _ = assonance(
        "compare", *models, "--audio", speech, "--no-twins", "-m", "cka", cwd=tmp_path
    )
    assert status == 0
    assert (tmp_path / "runs" / "-vs-".join(m.name for m in models) / "report.html").exists()


def refused(*arguments, cwd):
    """The one line that a refused command says."""
    status, out, err = assonance("compare", *arguments, cwd=cwd)
    assert status == 1
    assert out == ""
    (line,) = [line for line in err.splitlines() if "done in" not in line]
    assert line.startswith("error: ")
    return line


def test_a_missing_folder_is_named(models, tmp_path):
    assert "nowhere: no such folder" in refused(*models, "--audio", "nowhere", cwd=tmp_path)


def test_an_empty_folder_is_named(models, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "empty: no audio in this folder" in refused(*models, "--audio", "empty", cwd=tmp_path)


def test_audio_that_is_all_unusable_is_named(models, tmp_path):
    (tmp_path / "bad").mkdir()
    samples = voice(0.5, seed=0)
    samples[7] = np.nan
    soundfile.write(tmp_path / "bad" / "nan.wav", samples, 16000, subtype="FLOAT")
    line = refused(*models, "--audio", "bad", cwd=tmp_path)
    assert "bad/nan.wav: holds samples that are NaN" in line


def test_a_missing_model_is_named(models, speech, tmp_path):
    line = refused(models[0], "./nothing", "--audio", speech, "--offline", cwd=tmp_path)
    assert "./nothing: no such directory" in line


def test_a_model_without_weights_is_named(models, speech, tmp_path):
    shutil.copytree(models[0], tmp_path / "bare")
    (tmp_path / "bare" / "model.safetensors").unlink()
    assert "bare: no weights" in refused("bare", models[1], "--audio", speech, cwd=tmp_path)


def test_a_model_of_another_kind_is_named(models, speech, tmp_path):
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert"}')
    line = refused("bert", models[1], "--audio", speech, cwd=tmp_path)
    assert "models of type 'bert' are not supported" in line


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("-m", "bogus"), "measure 'bogus' is unknown"),
        (("--settings", "bogus"), "settings 'bogus' are not known"),
        (("--device", "abacus"), "device 'abacus'"),
        (("--out", "taken"), "taken: cannot be made"),
    ],
)
def test_an_option_that_cannot_be_is_named(models, speech, tmp_path, option, said):
    (tmp_path / "taken").write_text("a file")
    assert said in refused(*models, "--audio", speech, *option, cwd=tmp_path)


def test_an_interrupted_command_says_so_and_goes_on_later(models, speech, tmp_path):
    command = ("compare", *models, "--audio", speech, "--out", "mine", *QUICK)
    process = start(*command, cwd=tmp_path)
    deadline = time.monotonic() + 600
    while not list(tmp_path.glob("mine/activations/*/*.safetensors")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.splitlines()[-1] == (
        "interrupted; the same command goes on from here: "
        + shlex.join(["python", "-m", "assonance", *map(str, command)])
    )
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("mine/*/*/*.safetensors")}
    assert kept
    status, _, _ = assonance(*command, cwd=tmp_path)
    assert status == 0
    assert all(path.stat().st_mtime_ns == then for path, then in kept.items())


@pytest.mark.skipif(sys.platform != "linux", reason="sees from the system which signals are caught")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("later", [0, 0.7, 2])
def test_a_command_stopped_while_it_starts_says_how_to_go_on(
    models, speech, tmp_path, number, later
):
    process = start("compare", *models, "--audio", speech, "--out", "mine", *QUICK, cwd=tmp_path)
    status = Path(f"/proc/{process.pid}/status")
    while not int(re.search(r"SigCgt:\s*(\w+)", status.read_text())[1], 16) >> 14 & 1:
        time.sleep(0.01)
    time.sleep(later)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 128 + number, err
    assert "Traceback" not in err
    assert "interrupted; the same command goes on from here: python -m assonance compare" in err

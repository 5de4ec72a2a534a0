"""A finished run is never harmed: not by another command, nor by one that fails, or a full disk."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import yaml
from command_line import check_error, run
from signals import voice

from assonance import Comparison
from assonance.cli import run as runs
from assonance.cli.run_folder import RunFolder, _flat
from assonance.comparison.prepared import FLOORS_FOLLOW
from assonance.scoring.frame_pass import FramePass
from assonance.utils.lock import locked


@pytest.fixture(scope="module")
def pair(checkpoint):
    return checkpoint("wav2vec2", seed=1), checkpoint("wav2vec2", seed=2)


def command(kind, pair, speech, out, *options):
    return (kind, *pair, "--audio", speech, "--out", out, "--no-twins", *options)


FEW = ("--shifts", "1", "-m", "cka", "-m", "maxcorr")


@pytest.fixture(scope="module")
def once(pair, speech, tmp_path_factory):
    out = tmp_path_factory.mktemp("once") / "out"
    assert run(*command("compare", pair, speech, out, *FEW)).status == 0
    return out


@pytest.fixture
def out(once, tmp_path):
    """A finished run of one's own."""
    return shutil.copytree(once, tmp_path / "out")


def files(folder: Path) -> dict[str, bytes]:
    """All but the activations."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_the_same_command_again_ends_with_the_same_results(pair, speech, out):
    before = files(out)
    outcome = run(*command("compare", pair, speech, out, *FEW))
    assert outcome.status == 0
    assert outcome.out.startswith("wav2vec2")
    after = files(out)
    (out / "config.yaml").write_bytes(before["config.yaml"])  # which names another --out
    assert {**after, "config.yaml": b""} == {**before, "config.yaml": b""}


def test_what_no_result_depends_on_may_be_otherwise(pair, speech, out, monkeypatch):
    monkeypatch.chdir(speech.parent)
    options = ("--memory", "1GB", "--offline")
    there = command("compare", pair, speech.name, out, *FEW, *options)
    assert run(*there).status == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((*FEW, "--groups", "3"), ["settings.groups 20, now 3"]),
        ((*FEW, "--no-uncertainty"), ["uncertainty True, now False"]),
        ((*FEW, "--pool", "utterance"), ["pooling.pool frame, now utterance"]),
    ],
    ids=lambda each: each[-1],
)
def test_a_run_of_other_results_is_refused(pair, speech, out, options, words):
    before = files(out)
    outcome = run(*command("compare", pair, speech, out, *options))
    check_error(outcome, "out: holds finished results", *words, "--out", "--overwrite")
    assert files(out) == before


def test_other_models_or_speech_under_the_same_names_are_refused(checkpoint, speech, tmp_path):
    model, audio = tmp_path / "model", tmp_path / "audio"
    shutil.copytree(checkpoint("wav2vec2", seed=1), model)
    shutil.copytree(speech, audio)
    there = command("compare", [model], audio, tmp_path / "out", *FEW)
    assert run(*there).status == 0
    before = files(tmp_path / "out")
    other = checkpoint("wav2vec2", seed=2)
    shutil.copy(other / "model.safetensors", model)
    check_error(run(*there), "the models have changed since")
    shutil.copy(checkpoint("wav2vec2", seed=1) / "model.safetensors", model)
    added = audio / "more.wav"
    soundfile.write(added, voice(0.5, seed=9), 16000)
    check_error(run(*there), "the speech has changed since")
    added.unlink()
    soundfile.write(audio / "prompt3.wav", voice(0.6, seed=99), 16000)  # as long as it was
    outcome = run(*there)
    assert outcome.status == 1
    assert "the speech or the machine has changed since" in outcome.said[-1]
    assert files(tmp_path / "out") == before


@pytest.mark.parametrize("damage", [{}, {"config.yaml": None}, {"results.nc": b"torn"}], ids=str)
def test_results_of_an_unknown_origin_are_refused_and_can_be_replaced(pair, speech, out, damage):
    there = command("compare", pair, speech, out, *FEW)
    for name, content in damage.items():
        if content is None:
            (out / name).unlink()
        else:
            (out / name).write_bytes(content)
    before = files(out)
    if damage:
        check_error(run(*there), "holds finished results", "--overwrite")
        assert files(out) == before
    assert run(*there, "--overwrite").status == 0
    assert Comparison.load(out / "results.nc").provenance.measures == ("cka", "maxcorr")


def test_diff_and_compare_do_not_write_over_each_other(pair, speech, out):
    before = files(out)
    diff = ("diff", *pair, "--audio", speech, "--out", out, "--no-twins", *FEW)
    check_error(run(*diff), "diff None, now True", "--overwrite")
    assert files(out) == before
    assert run(*diff, "--overwrite").status == 0
    changed = files(out)
    assert {"changes.csv", "changes.svg"} <= changed.keys()
    assert yaml.safe_load(changed["config.yaml"])["diff"] is True
    assert run(*diff).status == 0
    compare = command("compare", pair, speech, out, *FEW)
    check_error(run(*compare), "diff True, now None")
    assert files(out).keys() == changed.keys()
    assert run(*compare, "--overwrite").status == 0
    assert files(out).keys() == before.keys()  # no tables of what changed beside a comparison


@pytest.mark.parametrize(
    "options",
    [
        ("-m", "none"),
        ("--settings", "none"),
        ("--seed-of", "nobody=wav2vec2"),
        ("--alignments", "nowhere", "--pool", "phone"),
        ("--precision", "none"),
        ("--on-error", "stop"),
        ("--pool", "word"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)], ids=str)
def test_a_command_that_fails_changes_nothing(pair, speech, out, tmp_path, options, overwrite):
    spoilt = shutil.copytree(speech, tmp_path / "spoilt")
    (spoilt / "bad.wav").write_bytes(b"")
    before = files(out)
    assert run(*command("compare", pair, spoilt, out, *options, *overwrite)).status == 1
    assert files(out) == before


@pytest.mark.parametrize("audio", ["none", "speech"])
def test_a_command_that_fails_at_once_leaves_no_configuration(pair, speech, tmp_path, audio):
    audio = speech if audio == "speech" else tmp_path / "none"
    models = pair if audio != speech else [*pair, tmp_path / "no model"]
    outcome = run(*command("compare", models, audio, tmp_path / "out", "--offline"))
    assert outcome.status == 1
    assert not (tmp_path / "out").exists()


def test_an_unfinished_run_goes_on_whatever_it_was(pair, speech, out):
    for name in files(out):
        if name != "config.yaml":
            (out / name).unlink()
    assert run(*command("compare", pair, speech, out, "--shifts", "1", "-m", "cka")).status == 0
    config = yaml.safe_load((out / "config.yaml").read_text("utf-8"))
    assert config["measures"] == ["cka"]


def test_a_second_run_into_a_folder_is_refused_at_once(pair, speech, out):
    before = files(out)
    with locked(out):
        outcome = run(*command("compare", pair, speech, out, *FEW, "--overwrite"))
    check_error(outcome, f"{out}: process {os.getpid()} on ", " writes here; wait for it")
    assert files(out) == before


def test_what_a_killed_run_left_is_finished_or_goes(pair, speech, out):
    before = files(out)
    store = next(each for each in (out / "activations").iterdir() if each.is_dir())
    (out / "pieces").mkdir()
    leftovers = [
        out / "report.html.7.tmp",
        store / "a.safetensors.7.tmp",
        out / "pieces" / "b.7.tmp",
    ]
    for each in leftovers:
        each.write_bytes(b"half")
    # Killed between two of its last renames.
    (out / "results.csv").unlink()
    (out / "results.csv.7.tmp").write_bytes(before["results.csv"])
    record = {"rename": [["results.csv.7.tmp", "results.csv"]], "remove": ["changes.csv"]}
    (out / "replacing.json").write_text(json.dumps(record))
    (out / "changes.csv").write_text("of a diff")
    refused = run(*command("compare", pair, speech, out, "-m", "rsa"))
    check_error(refused, "holds finished results")
    assert run(*command("compare", pair, speech, out, *FEW)).status == 0
    assert files(out).keys() == before.keys()
    assert files(out)["results.csv"] == before["results.csv"]
    assert not any(each.exists() for each in leftovers)
    assert not (out / "pieces").exists()


def test_a_preliminary_report_can_be_read_before_the_run_ends(pair, speech, tmp_path, monkeypatch):
    out, seen = tmp_path / "out", {}

    def finish(self, comparison, texts, original=RunFolder.finish):
        seen.update(files(out / "preliminary"))
        original(self, comparison, texts)

    monkeypatch.setattr(RunFolder, "finish", finish)
    (out / "preliminary").mkdir(parents=True)
    (out / "preliminary" / "changes.csv").write_text("of another run")
    asked = ("compare", *pair, "--audio", speech, "--out", out, *FEW, "--memory", "1MB")
    outcome = run(*asked)
    assert outcome.status == 0
    said = f"a preliminary report, the rest to follow: {out / 'preliminary' / 'report.html'}"
    assert said in outcome.said
    assert seen.keys() == {"results.nc", "results.csv", "claims.csv", "report.html"}
    assert FLOORS_FOLLOW in seen["report.html"].decode()
    (tmp_path / "first.nc").write_bytes(seen["results.nc"])
    first, last = Comparison.load(tmp_path / "first.nc"), Comparison.load(out / "results.nc")
    assert first.models == last.models
    assert first.matrix("cka", *first.models).equals(last.matrix("cka", *first.models))
    assert len(first.provenance.models) < len(last.provenance.models)
    assert FLOORS_FOLLOW not in last.provenance.notes
    assert {each.name for each in out.iterdir()} == {*seen, "config.yaml", "activations"}


def limited(size: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line where no file may be larger than so many bytes.

    To a program that is a full disk: writing ends in an OSError.
    """
    given = [str(each) for each in (sys.executable, "-m", "assonance", *arguments)]
    return subprocess.run(
        given,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "MPLCONFIGDIR": MPL},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )


MPL = os.environ.get("MPLCONFIGDIR", "")


@pytest.mark.parametrize("name", ["results.nc", "results.csv", "report.html"])
def test_a_full_disk_is_one_line_and_goes_on_after_room_is_made(pair, speech, once, out, name):
    before = files(out)
    sizes = {each: len(content) for each, content in before.items()}
    there = command("compare", pair, speech, out, *FEW)
    full = limited(sizes[name] - 1, *there)
    assert full.returncode == 1, full.stderr
    # The first file that is too large is named, perhaps a finished piece.
    line = re.fullmatch(
        r"error: (.+): cannot be written: File too large; it needs (\d+) bytes: "
        "make room, and the same command goes on",
        full.stderr.splitlines()[-1],
    )
    assert line, full.stderr
    assert out in Path(line[1]).parents
    assert int(line[2]) >= sizes[name]
    assert int(line[2]) == sizes.get(Path(line[1]).name, int(line[2]))
    assert "Traceback" not in full.stderr
    assert files(out) == before  # nothing half done, no temporary file
    assert limited(max(sizes.values()) * 2, *there).returncode == 0


def test_what_results_depend_on_is_listed_value_by_value(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "audio").mkdir()
    config = {
        "models": ["hub/id"],
        "audio": "audio",
        "out": "runs/a",
        "memory": "1GB",
        "settings": {"folds": 5},
        "seeds": {"b": "a"},
    }
    assert _flat(config) == {
        "models": ["hub/id"],
        "audio": [str(tmp_path / "audio")],
        "settings.folds": 5,
        "seeds": {"b": "a"},
    }


@pytest.mark.parametrize("stage", ["layers", "report"])
def test_a_folder_that_is_removed_meanwhile_is_named_or_made_again(
    stage, pair, speech, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    where, name = {"layers": (FramePass, "_tile"), "report": (runs, "render")}[stage]
    computed = getattr(where, name)

    def removed(*given, **about):
        shutil.rmtree(out)
        return computed(*given, **about)

    monkeypatch.setattr(where, name, removed)
    outcome = run(*command("compare", pair, speech, out, *FEW))
    if stage == "layers":
        check_error(outcome, f"{out / 'activations'}", "no activations of")
    else:
        assert outcome.status == 0, outcome.err
        assert {"config.yaml", "results.nc", "report.html"} <= {each.name for each in out.iterdir()}

"""`assonance store`, `--store float16` and `--no-keep`, on a run of two models."""

import numpy as np
import pytest
from command_line import check_error, run
from speech_files import write

from assonance import Comparison

CHOSEN = ("-m", "cka", "--no-twins")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two folders of activations, and the speech."""
    root = tmp_path_factory.mktemp("store")
    for number in range(6):
        write(root / "speech" / f"{number}.wav", 0.5, seed=number)
        for seed in range(2):
            folder = root / f"model{seed}"
            folder.mkdir(exist_ok=True)
            (folder / "activations.yaml").write_text("frame_rate: 50")
            draw = np.random.default_rng([seed, number])
            np.save(folder / f"{number}.npy", draw.normal(size=(25, 4)))
    return (root / "model0", root / "model1", "--audio", root / "speech")


def compare(models, out, *more):
    outcome = run("compare", *models, *CHOSEN, "--out", out, *more)
    assert outcome.status == 0, outcome.err
    return outcome


def test_what_is_kept_is_described_verified_and_removed(models, tmp_path):
    compare(models, tmp_path / "out")
    before = {
        path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()
    }
    found = run("store", "info", tmp_path / "out")
    assert "model0-" in found.out
    assert "1 layers of 4 neurons, 6 utterances" in found.out
    assert ", float32" in found.out
    assert "results.nc: is whole" in run("store", "verify", tmp_path / "out").out
    assert run("store", "clean", tmp_path / "out").status == 0
    assert not (tmp_path / "out" / "activations").exists()
    after = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert {name: after.get(name) for name in before} == before
    assert run("store", "info", tmp_path / "out").out.startswith("0 models, 0 bytes")


def test_damage_is_an_exit_status(models, tmp_path):
    compare(models, tmp_path / "out")
    shard = next((tmp_path / "out" / "activations").glob("*/*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-1])
    results = tmp_path / "out" / "results.nc"
    results.write_bytes(results.read_bytes()[:-1])
    outcome = run("store", "verify", tmp_path / "out")
    assert outcome.status == 1
    assert f"    {shard.name} is damaged" in outcome.out
    assert "results.nc: is damaged" in outcome.out


def test_half_precision_halves_the_disk_and_says_what_it_changed(models, tmp_path):
    compare(models, tmp_path / "full")
    outcome = compare(models, tmp_path / "half", "--store", "float16")
    (note,) = [line for line in outcome.err.splitlines() if "float16" in line]
    assert note.startswith(
        "note: Activations were kept in float16, which changed layers by up to 0.000"
    )
    full, half = (Comparison.load(tmp_path / name / "results.nc") for name in ("full", "half"))
    assert any("float16" in each for each in half.provenance.notes)
    assert not any("float16" in each for each in full.provenance.notes)
    # To first order, each of a CKA's four products of layers moves by twice their relative change.
    error = float(note.split("up to ")[1].split()[0])
    np.testing.assert_allclose(half.scores["cka"], full.scores["cka"], rtol=8 * error)
    assert not np.array_equal(half.scores["cka"], full.scores["cka"])
    assert ", float16" in run("store", "info", tmp_path / "half").out
    assert "float16" in (tmp_path / "half" / "config.yaml").read_text()
    check_error(run("compare", *models, *CHOSEN, "--out", tmp_path / "half"), "store float16, now")


def test_nothing_is_kept_if_nothing_is_asked_for(models, tmp_path):
    compare(models, tmp_path / "kept")
    compare(models, tmp_path / "dropped", "--no-keep")
    assert (tmp_path / "kept" / "activations").exists()
    assert not (tmp_path / "dropped" / "activations").exists()
    same = [(tmp_path / name / "results.nc").read_bytes() for name in ("kept", "dropped")]
    assert same[0] == same[1]


@pytest.mark.parametrize("command", ["info", "verify", "clean"])
def test_what_is_no_run_is_refused(tmp_path, command):
    check_error(run("store", command, tmp_path), "is no run")
    check_error(run("store", command, tmp_path / "none"), "no such run")

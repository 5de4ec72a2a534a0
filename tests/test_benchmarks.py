import hashlib
import json
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
from comparisons import comparison

from assonance.scoring import tiles
from assonance.scoring.tiles import plan
from benchmarks import checkpoints, engine, growth, heads, memory, real
from benchmarks.material import Layers, utterances
from benchmarks.same_numbers import compare_runs


@pytest.fixture(scope="module")
def layers():
    return Layers(3, 16, utterances(2_000), kept=True)


def test_the_engine_scores_as_the_studys_way_does(layers):
    scores, expected = engine.engine(layers, engine.STUDY), engine.study(layers)
    assert scores.keys() == expected.keys()
    for name, table in expected.items():
        np.testing.assert_allclose(scores[name], table, rtol=0, atol=1e-5)


def test_the_engine_is_timed_and_held_against_the_studys_way(monkeypatch, capsys):
    sizes = ["--layers", "3", "--width", "16", "--frames", "2000", "--repeat", "1"]
    monkeypatch.setattr(sys, "argv", ["engine", *sizes])
    engine.main()
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]
    assert sum("seconds" in row for row in rows) == 6
    differences = [row["difference"] for row in rows if "difference" in row]
    assert len(differences) == len(engine.STUDY)
    assert max(differences) < 1e-5


def test_growth_is_measured_beside_what_operations_say():
    first, second = growth.rows("frames", (500, 1_000))
    assert second["growth"] == second["seconds"] / first["seconds"]
    assert second["expected"] > 1


def test_heads_are_timed_beside_the_plain_way_and_agree_with_it(monkeypatch):
    monkeypatch.setattr(heads, "FRAMES", 20)
    rows = heads.arrays(layers=2, rounds=1)
    assert [row["what"].split(", ")[1] for row in rows] == list(heads.PLAIN)
    for row in rows:
        assert row["difference"] < 1e-4
        assert row["ratio"] == row["plain s"] / row["ours s"]


def test_stages_are_timed_by_name():
    progress = heads.Stages()
    with progress.stage("comparing", 3) as advance:
        advance(3)
    (seconds,) = progress.seconds.values()
    assert len(seconds) == 2
    assert min(seconds) >= 0


@pytest.mark.parametrize("measures", [memory.ALL, memory.KERNELS])
def test_memory_is_planned_as_the_engine_plans_it(measures, monkeypatch):
    asked = []

    def noted(widths, wanted, **about):
        asked.append(about)
        return plan(widths, wanted, **about)

    monkeypatch.setattr(tiles, "plan", noted)
    monkeypatch.setattr(memory, "plan", noted)
    case = memory.Case(layers=3, width=16, frames=4_000, measures=measures, memory=1e8)
    case.tiles()
    assert memory.run(case) > 0
    assert asked[0] == asked[1]


def test_two_runs_differ_where_one_bit_of_one_number_does(tmp_path):
    scores = np.array([0.25, np.nan, 0.75])
    changed = scores.copy()
    changed[2] = np.nextafter(changed[2], 1)
    for name, values in {"before": scores, "again": scores.copy(), "after": changed}.items():
        (tmp_path / name).mkdir()
        with h5py.File(tmp_path / name / "results.nc", "w") as file:
            file["scores/cka"] = values
        table = pd.DataFrame({"measure": ["cka"] * 3, "value": values})
        table.to_csv(tmp_path / name / "results.csv", index=False)
    before, again, after = (tmp_path / name for name in ("before", "again", "after"))
    assert compare_runs(before, again) == (2, 6, [])
    *_, unlike = compare_runs(before, after)
    assert [each.name for each in unlike] == ["results.nc: scores/cka", "results.csv: value"]
    assert all(each.reason.startswith("1 of 3 numbers differ") for each in unlike)


def test_the_real_job_is_measured_beside_its_limits(monkeypatch, capsys, tmp_path, speech):
    few = ["--", "--measure", "cka", "--no-twins", "--no-uncertainty"]
    asked = ["--size", "tiny", "--audio", str(speech), "--folder", str(tmp_path), *few]
    monkeypatch.setattr(sys, "argv", ["real", *asked])
    real.main()
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]
    stages = {row["stage"]: row for row in rows}
    assert {"reading speech", real.LAYERS, "whole run"} <= stages.keys()
    limits = stages["reading speech"]["limit"] + stages[real.LAYERS]["limit"]
    assert stages["whole run"]["limit"] == limits > 0
    assert not list(tmp_path.glob("*/run"))


def test_products_are_counted_once_a_pair(monkeypatch):
    scored = comparison(["a", "b"], [2, 2], ["cka"], twins=False)
    monkeypatch.setattr(real.time, "perf_counter", iter(range(100)).__next__)  # 1 s a product
    assert real.product_seconds(scored, 8, "cpu") == 4 * 5 // 2


def test_a_conversion_is_measured_beside_a_copy_of_the_same_file(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSONANCE_CACHE", str(tmp_path))
    monkeypatch.setattr(checkpoints, "apart", lambda work, *arguments: work(*arguments))
    small = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    checkpoints.save(tmp_path, small | {"num_conv_pos_embedding_groups": 2}, layers=1)
    source = tmp_path / "pickled/pytorch_model.bin"
    figures = checkpoints.conversion(tmp_path, rounds=1)
    assert figures["GB"] == source.stat().st_size / 1e9
    assert figures["of copy"] == figures["convert s"] / figures["copy s"]
    assert (tmp_path / "output/weights").exists()
    digest = hashlib.sha256()
    checkpoints.copy(source, tmp_path / "copy", digest)
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()
    assert digest.digest() == hashlib.sha256(source.read_bytes()).digest()

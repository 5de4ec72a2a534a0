import hashlib
import json
import sys
from collections import Counter

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from comparisons import comparison

from assonance import Corpus
from assonance.scoring import tiles
from assonance.scoring.tiles import plan
from benchmarks import checkpoints, cluster, engine, growth, heads, memory, real
from benchmarks import plan as plan_and_run
from benchmarks.material import Layers, utterances
from benchmarks.same_numbers import compare_runs
from benchmarks.schedule import NOTHING, Part, Stage


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

    def noted(widths, wanted, *about):
        asked.append(about)
        return plan(widths, wanted, *about)

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
    assert {real.READING, real.LAYERS, "whole run"} <= stages.keys()
    limits = stages[real.READING]["limit"] + stages[real.LAYERS]["limit"]
    assert stages["whole run"]["limit"] == limits > 0
    assert not list(tmp_path.glob("*/run"))


def test_a_plan_is_held_against_what_a_run_takes_stage_by_stage(
    monkeypatch, capsys, tmp_path, speech
):
    few = ["--measure", "cka", "attn_frobenius", "--no-uncertainty", "--no-twins"]
    asked = ["--models", "wav2vec2-tiny", "hubert-tiny", "--audio", str(speech)]
    monkeypatch.setattr(sys, "argv", ["plan", *asked, "--folder", str(tmp_path), *few])
    plan_and_run.main()
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]
    taken = {row["stage"]: row["taken"] for row in rows}
    stages = (real.READING, real.LAYERS, real.ATTENTION)
    assert list(taken)[:3] == list(stages)
    assert all(taken[name] > 0 for name in stages)


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


def stage(tasks, opening=NOTHING, after=NOTHING):
    return Stage("a stage", [Part(*each) for each in tasks], opening, after)


def test_one_worker_takes_the_sum_and_enough_take_the_longest_way():
    tasks = [(3, 40), (1, 0), (5, 10), (2, 0)]
    work = stage(tasks, opening=Part(2, 20), after=Part(1, 30))
    bandwidth = 10
    assert work.seconds(1, bandwidth) == 2 + 11 + 1 + (20 + 50 + 30) / bandwidth
    endless = float("inf")
    for workers in (4, 100):
        assert work.seconds(workers, endless) == 2 + 5 + 1
    assert work.seconds(2, endless) == 2 + (1 + 5) + 1  # the third task comes after the second
    assert stage([], after=Part(4)).seconds(8, bandwidth) == 4


def test_a_shared_storage_serves_one_after_the_other():
    reading = stage([(0, 10)] * 6)
    for workers in (1, 2, 6):
        assert reading.seconds(workers, bandwidth=5) == 6 * 10 / 5
    assert stage([(1, 10)] * 3).seconds(3, bandwidth=5) == 3 * 2 + 1


def test_no_schedule_is_shorter_than_its_limits_or_longer_than_their_sum():
    work = stage([(n % 5, 7 * n % 11) for n in range(40)], Part(3, 4), Part(2, 2))
    for workers in (1, 2, 3, 8, 64):
        seconds, limits = work.seconds(workers, 10), work.limits(workers, 10)
        after = limits.pop("the process of the run")
        assert max(limits.values()) + after <= seconds <= sum(limits.values()) + after


def a_task(stage, start, stop):
    key, compute = f"{stage}-0-mark", {"action": "compute", "start": start, "stop": stop}
    return {"key": key, "worker": "a", "startstops": [{"action": "transfer"}, compute]}


def test_what_a_worker_opens_is_kept_apart_from_what_its_tasks_cost():
    recorded = [
        ("reading", 5, 15),
        ("reading", 15.5, 17.5),
        ("reading", 18, 20),
        ("layers", 21, 24),
    ]
    tasks = list(cluster._tasks([a_task(*each) for each in recorded]))
    assert cluster.span(tasks) == 19
    found = cluster.measured(25, tasks)
    assert found.opening == {"reading": 8, "layers": 0}
    assert found.costs == {"reading": [2, 2, 2], "layers": [3]}
    assert (found.gap, found.rest) == (0.5, 6)
    assert found.total(["reading", "layers", "of another run"]) == 9


def test_scaling_ends_where_the_table_shows_it():
    four = [stage([(3600, 0)] * 4, after=Part(1800))]
    table = cluster.scaling(four, bandwidth=1)
    assert [row["hours"] for row in table[:4]] == [4.5, 2.5, 1.5, 1.5]
    assert table[1]["faster"] == 4.5 / 2.5
    assert table[-1]["limited by"] == "computing"
    first, second, third = cluster.sentences(table, four, bandwidth=1)
    assert "up to 4 workers, which are 3 times as fast as one. 256 give 3." in first
    assert "100% of the time is the stage “a stage”, which computing limits" in second
    assert "alone takes 0.5 h, and the shared storage moves bytes for 0.0 h" in third


def test_a_section_is_written_between_its_marks_and_nothing_else_changes(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Title\n\nText.\n")
    for numbers in ("1", "2"):
        cluster.write_into(page, f"{cluster.BEGIN}\n{numbers}\n{cluster.END}")
        assert (
            page.read_text() == f"# Title\n\nText.\n\n{cluster.BEGIN}\n{numbers}\n{cluster.END}\n"
        )
    page.write_text(page.read_text() + "\nMore.\n")
    cluster.write_into(page, f"{cluster.BEGIN}\n3\n{cluster.END}")
    assert page.read_text().endswith(f"\n3\n{cluster.END}\n\nMore.\n")


@pytest.mark.slow
def test_runs_on_workers_are_measured_and_a_larger_one_is_forecast(
    monkeypatch, capsys, tmp_path, speech
):
    made = [str(real.make_model(tmp_path, "wav2vec2", "tiny", seed)) for seed in (1, 2)]
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    page = tmp_path / "page.md"
    page.write_text("# Title\n")
    larger = ["--larger", "wav2vec2-tiny", "hubert-tiny", "--hours", "2", "--write", str(page)]
    options = ["--", "-m", "cka", "-m", "attn_frobenius", "--groups", "4", "--shifts", "1"]
    few = ["--audio", str(speech), "--models", *made, *larger, *options]
    monkeypatch.setattr(sys, "argv", ["cluster", *few])
    cluster.main()
    printed = [each for each in capsys.readouterr().out.splitlines() if each.startswith("{")]
    runs, tasks, scaling, stages = (json.loads(each)["rows"] for each in printed)
    assert [row["run"] for row in runs][:2] == ["without workers", "--workers 1"]
    assert {row["stage"] for row in tasks} >= {"comparing layers", "comparing attention"}
    assert [row["workers"] for row in scaling] == cluster.WORKERS
    assert all(row["hours"] > 0 for row in scaling)
    assert {"reading speech and attention"} <= {row["stage"] for row in stages}
    assert page.read_text().count("| workers |") == 1


def test_a_plan_is_held_against_speech_of_more_hours_by_copies(tmp_path, speech):
    corpus = Corpus.from_path(speech)
    hours = 3 * corpus.seconds / 3600
    for _ in range(2):  # copies that are there stay
        copies = Corpus.from_path(plan_and_run.repeated(str(speech), hours, tmp_path / "copies"))
    assert copies.seconds == pytest.approx(3 * corpus.seconds)
    assert len({each.id for each in copies}) == 3 * len(tuple(corpus))
    speakers = Counter(each.speaker for each in corpus)
    assert Counter(each.speaker for each in copies) == {name: 3 * n for name, n in speakers.items()}


def test_times_of_a_run_that_is_taken_up_again_add_up(tmp_path):
    record = tmp_path / "run.seconds.json"
    with pytest.raises(KeyboardInterrupt), plan_and_run.Clock(record).stage("layers", 2.0):
        raise KeyboardInterrupt
    (first,) = json.loads(record.read_text())["stages"].values()
    again = plan_and_run.Clock(record)
    with again.stage("layers", 2.0) as advance:
        advance(2.0)
    used, clock = again.stages["layers"]
    assert used >= first[0]
    assert clock > first[1] > 0
    assert again.peak > 0

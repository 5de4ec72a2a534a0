"""A run that stops goes on where it stopped, and ends with the same bytes."""

import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest

from assonance import (
    compare,
)
from assonance.comparison.prepared import FLOORS_FOLLOW, LAYERS_FOLLOW, PRELIMINARY, prepare
from assonance.comparison.request import Request
from assonance.report.findings import summary
from assonance.report.page import render
from assonance.settings import Settings
from assonance.utils.progress import Silent

FEW = ["maxcorr", "cka"]
EACH_KIND = ["maxcorr", "linreg_heldout", "mincorr", "cka", "attn_frobenius"]
OF_HEADS = ["attn_frobenius", "attn_pearson", "attn_js"]


class Interruption(Exception):  # noqa: N818 - it is no error
    """Stands for whatever stops a run."""


class Stopping:
    """Progress that stops a run in the stage of a name."""

    def __init__(self, at):
        self.at = at

    @contextmanager
    def stage(self, name, total, *, unit=""):
        def advance(units):
            if units and name.startswith(self.at):
                raise Interruption

        yield advance


@pytest.mark.parametrize(
    "at",
    [
        "reading speech and comparing attention",
        "reading speech with random",
        "comparing layers",
        "comparing attention",
    ],
)
def test_an_interrupted_run_ends_with_the_same_bytes(pair, speech, tmp_path, at):
    compare(pair, speech, FEW + OF_HEADS, out=tmp_path / "a").save(tmp_path / "a.nc")
    with pytest.raises(Interruption):
        compare(pair, speech, FEW + OF_HEADS, out=tmp_path / "b", progress=Stopping(at))
    assert list((tmp_path / "b" / "activations").glob("*/*.safetensors"))
    compare(pair, speech, FEW + OF_HEADS, out=tmp_path / "b").save(tmp_path / "b.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal that cannot be caught")
@pytest.mark.parametrize(("at", "after"), [("reading speech and", 5), ("comparing attention", 1)])
def test_a_killed_run_taken_up_again_ends_with_the_same_bytes(
    pair, speech, whole, tmp_path, at, after
):
    program = f"""
import os, signal
from contextlib import contextmanager
from assonance import compare

class Killing:
    told = 0

    @contextmanager
    def stage(self, name, total, *, unit=""):
        def advance(units):
            self.told += name.startswith({at!r})
            if self.told == {after}:
                os.kill(os.getpid(), signal.SIGKILL)
        yield advance

compare({list(map(str, pair))!r}, {str(speech)!r}, out={str(tmp_path)!r}, progress=Killing())
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert kept
    compare(pair, speech, out=tmp_path).save(tmp_path / "results.nc")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(list(tmp_path.rglob("*.safetensors"))) == 5 * 6
    whole.save(tmp_path / "whole.nc")
    assert (tmp_path / "results.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()


def test_another_choice_of_measures_reads_no_speech_again(pair, speech, tmp_path):
    compare(pair, speech, ["cka"], out=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    again = compare(pair, speech, ["linreg"], out=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")} == before
    assert again.scores.identical(compare(pair, speech, ["linreg"]).scores)


def test_without_a_folder_nothing_is_left(pair, speech, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    compare(pair, speech, FEW)
    with pytest.raises(Interruption):
        compare(pair, speech, FEW, progress=Stopping("comparing layers"))
    assert list(tmp_path.iterdir()) == []


def test_every_stage_is_told_to_its_end(pair, speech):
    told = {}

    class Told:
        @contextmanager
        def stage(self, name, total, *, unit=""):
            told[name] = [total, 0.0]

            def advance(units):
                told[name][1] += units

            yield advance

    compare(pair, speech, progress=Told())
    assert len(told) == 9  # loading, reading with attention and with five, layers, attention
    for total, done in told.values():
        assert done == pytest.approx(total)


def prepared_for(pair, speech, measures, *, refit=False):
    settings = Settings("few", groups=4, shifts=1, refit=refit)
    request = Request(measures=tuple(measures), settings=settings, memory="1MB")
    return prepare(pair, speech, request, Silent())


def test_results_of_the_models_come_before_those_of_the_floors(pair, speech, tmp_path):
    shown = []
    prepared = prepared_for(pair, speech, EACH_KIND)
    whole = prepared.run(tmp_path, Silent(), early=shown.append)
    _, first = shown
    assert first.models == whole.models
    assert [each.name for each in first.provenance.models] == list(whole.models)
    for name in ("scores", "intervals", "nulls"):
        found, expected = getattr(first, name), getattr(whole, name)
        for measure in found:
            assert found[measure].notnull().any()
            assert found[measure].equals(expected[measure].sel(found[measure].coords))
    assert first.heads
    assert first.provenance.notes[0] == FLOORS_FOLLOW


def test_heads_come_before_layers_where_models_are_run_once_for_both(pair, speech, tmp_path):
    shown = []
    whole = prepared_for(pair, speech, EACH_KIND).run(tmp_path, Silent(), early=shown.append)
    first, _ = shown
    assert first.provenance.notes[0] == LAYERS_FOLLOW
    assert first.provenance.measures == ("attn_frobenius",)
    assert set(first.scores) == {"attn_frobenius"}
    assert first.scores["attn_frobenius"].identical(whole.scores["attn_frobenius"])
    assert first.intervals["attn_frobenius"].identical(whole.intervals["attn_frobenius"])
    assert first.heads.identical(whole.heads)
    assert not first.neurons
    assert LAYERS_FOLLOW in render(first, summary(first))


def test_scores_come_before_replicates_that_fit_again_and_change_no_bit(pair, speech, tmp_path):
    shown = []
    prepared = [prepared_for(pair, speech, EACH_KIND, refit=True) for _ in range(2)]
    found = prepared[0].run(tmp_path / "a", Silent(), early=shown.append)
    whole = prepared[1].run(tmp_path / "b", Silent())
    found.save(tmp_path / "a.nc")
    whole.save(tmp_path / "b.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    _, first = shown
    assert first.scores.identical(whole.scores)
    assert first.neurons.identical(whole.neurons)
    assert first.heads.identical(whole.heads)
    for each in (first.intervals, first.replicates, first.nulls, first.neuron_intervals):
        assert not each
    assert first.provenance.notes == (PRELIMINARY, *whole.provenance.notes)
    assert whole.intervals


def test_with_one_tile_or_without_floors_there_is_nothing_earlier(pair, speech, tmp_path):
    shown = []
    prepared = prepared_for(pair, speech, EACH_KIND)
    replace(prepared, memory=1e10).run(tmp_path / "one", Silent(), early=shown.append)
    prepared = prepared_for(pair, speech, ["cka"])
    request = replace(prepared.request, twins=False)
    prepare(pair, speech, request, Silent()).run(tmp_path, Silent(), early=shown.append)
    assert shown == []

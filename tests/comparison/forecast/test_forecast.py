"""A forecast adds up costs, and refuses what cannot fit."""

import shutil
from collections import defaultdict, namedtuple
from dataclasses import astuple, replace

import numpy as np
import pytest
import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

from assonance.comparison.forecast import forecast as module
from assonance.comparison.forecast.counts import count_comparison
from assonance.comparison.forecast.forecast import Forecast, check_disk, make_forecast
from assonance.comparison.forecast.head_probe import AttentionCosts, attention_seconds
from assonance.comparison.forecast.layer_probe import PairCosts, layers_seconds
from assonance.comparison.forecast.model_probe import ReadingCosts
from assonance.comparison.prepared import prepare
from assonance.comparison.request import Request
from assonance.errors import AssonanceError
from assonance.models.loading import Loading, load_model, outline_all
from assonance.utils.progress import Silent

SILENT = Silent()
MEASURES = ("cka", "linreg_heldout", "attn_frobenius")
NOTHING = defaultdict(float)  # seconds to read a number


@pytest.fixture(scope="module")
def counts(checkpoint, speech):
    outlines = outline_all([checkpoint(seed=1), checkpoint("hubert")], Loading(), SILENT)
    return count_comparison(prepare(outlines, speech, Request(measures=MEASURES), SILENT))


def test_layers_cost_what_their_layers_pairs_intervals_nulls_and_products_do(counts):
    def alone(**cost):
        return layers_seconds(counts, dict.fromkeys((32, 80), PairCosts(**cost)), NOTHING)

    # Two models of 4 layers, 3 layers of a random twin of each, and log-mel.
    within, between = 2 * 10, 16
    floors = 8 * 6 + 8
    twins_of_their_own = 2 * 4 * 3
    pairs = within + between + floors
    shifts, tiles = counts.resampling.shifts, len(counts.tiles)
    shifted = 3 * 3
    assert tiles == 1
    assert alone(tile=1.0) == 1
    assert alone(layer=1.0) == 15
    assert alone(layer_interval=1.0) == 15
    assert alone(pair=1.0) == pytest.approx(pairs)
    assert alone(pair_interval=1.0) == pytest.approx(pairs - twins_of_their_own)
    assert alone(null=1.0) == pytest.approx(shifted)
    assert alone(product=1.0) == pytest.approx(counts.frames * (15 + pairs + shifts * shifted))


def test_frames_are_read_from_the_store_as_often_as_a_tile_reads_them(counts):
    twice = dict.fromkeys((32, 80), PairCosts(reads=2.0))
    read = layers_seconds(counts, twice, defaultdict(lambda: 1.0))
    assert read == 2 * counts.frames * (14 * 32 + 80)


def test_a_pair_of_two_widths_costs_the_mean_of_both(counts):
    one = PairCosts(pair=1.0)
    both = layers_seconds(counts, {32: one, 80: replace(one, pair=4.0)}, NOTHING)
    assert both == pytest.approx(20 + 16 + 48 + 8 * 2)


def test_attention_costs_what_its_models_pieces_frames_and_scores_do(counts):
    spoken = sum(each.duration for each in counts.speech)
    source = counts.attention.source
    reading = {
        name: ReadingCosts(number, 0.0, 0.0)
        for number, name in enumerate(counts.extracted.roster, 1)
    }
    free = dict.fromkeys(reading, ReadingCosts(0.0, 0.0, 0.0))

    def alone(of=free, **cost):
        costs = dict.fromkeys(("piece", "frame", "square", "score"), 0.0) | cost
        return attention_seconds(counts, AttentionCosts(**costs), of)

    # Two models and their twins; log-mel, which comes last, has no heads.
    assert alone(reading) == pytest.approx((1 + 2 + 3 + 4) * spoken)
    assert alone(piece=1.0) == len(counts.speech)
    assert alone(frame=1.0) == sum(source.frames)
    assert alone(square=1.0) == sum(frames**2 for frames in source.frames)
    assert alone(score=1.0) == 1 + len(counts.attention.resampling.weights) > 1


def test_costs_are_measured_of_every_model_width_and_head(counts):
    found = make_forecast(counts, SILENT)
    assert set(found.reading) == set(counts.extracted.roster)
    assert set(found.layers) == {32, 80}
    assert found.attention is not None
    stages = {each.name: each for each in found.stages}
    assert list(stages) == ["reading speech", "comparing layers", "comparing attention"]
    assert all(each.seconds > 0 for each in stages.values())
    assert all(each.number > 0 for each in found.reading.values())
    assert all(each.reads >= 1 for each in found.layers.values())
    assert all(min(astuple(each)) >= 0 for each in found.layers.values())
    assert found.seconds == sum(each.seconds for each in stages.values())
    assert stages["reading speech"].disk == counts.disk


def test_operations_of_a_model_are_those_that_torch_counts(counts, checkpoint):
    found = make_forecast(counts, SILENT).reading
    encoder = transformers.AutoModel.from_pretrained(
        checkpoint("hubert"), attn_implementation="eager"
    ).requires_grad_(False)
    name = load_model(checkpoint("hubert")).name
    utterance = sorted(counts.speech, key=lambda each: each.duration)[-1]
    samples = torch.from_numpy(utterance.read(16000))[None]
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        encoder(samples)
    # Products of attention maps grow faster than the speech, and few frames are lost at its end.
    assert found[name].operations * utterance.duration == pytest.approx(
        counted.get_total_flops(), rel=0.1
    )


class Disk(namedtuple("Disk", "total used free")):
    """What `shutil.disk_usage` returns."""


def test_a_full_disk_is_refused_with_the_numbers(counts, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Disk(0, 0, counts.disk - 1))
    with pytest.raises(AssonanceError, match=r"need .*B of disk, and .*B are free; .*--max-hours"):
        check_disk(counts, tmp_path / "run")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Disk(0, 0, counts.disk))
    check_disk(counts, tmp_path / "run")


def test_half_precision_is_proposed_for_a_full_disk_unless_it_is_asked_for(
    counts, monkeypatch, tmp_path
):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Disk(0, 0, 0))
    with pytest.raises(AssonanceError, match="half precision"):
        check_disk(counts, tmp_path)
    request = replace(counts.prepared.request, store="float16")
    halved = replace(counts, prepared=replace(counts.prepared, request=request))
    with pytest.raises(AssonanceError) as refused:
        check_disk(halved, tmp_path)
    assert "half precision" not in str(refused.value)


def test_activations_of_an_earlier_run_need_no_disk_again(counts, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Disk(0, 0, counts.disk - 1000))
    kept = tmp_path / "run" / "activations" / "one" / "shard.safetensors"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"0" * 1000)
    check_disk(counts, tmp_path / "run")


def test_too_little_memory_is_refused_with_the_numbers(counts, monkeypatch, tmp_path):
    reading = dict.fromkeys(counts.extracted.roster, ReadingCosts(1.0, 1.0, 0.0))
    layers = dict.fromkeys((32, 80), PairCosts())
    found = Forecast(counts, 1e9, reading, layers, AttentionCosts(*[0.0] * 4))
    assert counts.staying == 0  # weights rest in files while frames are compared
    assert found.memory == 1e9 + max(counts.largest_tile, counts.models + counts.maps)
    monkeypatch.setattr(module, "allowed_bytes", lambda: found.memory - 1)
    with pytest.raises(AssonanceError, match=r"memory: .* are needed, .* the machine has .*"):
        found.check(tmp_path)
    monkeypatch.setattr(module, "allowed_bytes", lambda: np.inf)
    found.check(tmp_path)

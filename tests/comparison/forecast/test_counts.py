"""What is counted before a comparison is what it then consists of."""

import math

import numpy as np
import pytest

from assonance.comparison import prepared as module
from assonance.comparison.forecast.counts import count_comparison
from assonance.comparison.prepared import prepare
from assonance.comparison.request import Request
from assonance.corpus import Reading
from assonance.errors import AssonanceError
from assonance.models.loading import Loading, outline_all
from assonance.scoring import frame_pass
from assonance.utils.progress import Silent

SILENT = Silent()
MEASURES = ("cka", "linreg_heldout", "maxcorr", "attn_frobenius")


class Units(Silent):
    """Progress that keeps the units of each stage."""

    def __init__(self):
        self.totals = {}

    def stage(self, name, total, *, unit=""):
        self.totals[name] = total
        return super().stage(name, total, unit=unit)


def counted(models, speech, hours=None, **options):
    request = Request(**{"measures": MEASURES} | options)
    outlines = outline_all(models, Loading(), SILENT)
    return count_comparison(prepare(outlines, speech, request, SILENT), hours)


@pytest.mark.parametrize("memory", ["4GB", "300kB"])
def test_frames_pairs_tiles_and_heads_are_those_of_the_run(memory, pair, speech, monkeypatch):
    tiles = []
    cut = frame_pass.cut_tiles
    monkeypatch.setattr(frame_pass, "cut_tiles", lambda *given: tiles.extend(cut(*given)) or tiles)
    request = Request(measures=MEASURES, memory=memory)
    progress = Units()
    comparison = prepare(pair, speech, request, progress).run(None, progress)
    counts = counted(pair, speech, memory=memory)
    assert counts.tiles == tiles
    assert (len(tiles) > 1) == (memory == "300kB")
    assert counts.frames == comparison.provenance.corpus.frames
    assert counts.pairs == progress.totals["comparing layers"]
    assert len(counts.speech) == comparison.provenance.corpus.utterances
    scored = np.isfinite(comparison.scores["cka"])
    same = sum(len(comparison.layers(name)) for name in comparison.models)
    assert counts.pairs == (int(scored.sum()) + same) // 2
    described = np.isfinite(comparison.scores["effective_frames"])
    assert len(counts.widths) == int(described.sum())
    compared = np.isfinite(comparison.heads["attn_frobenius"])
    blocks = int(np.isfinite(comparison.scores["attn_frobenius"]).sum())
    assert compared.sum() == 16 * blocks
    within = sum(4 * 4 * 3 for _ in comparison.models)  # each of 3 blocks with itself
    assert counts.head_pairs == (int(compared.sum()) + within) // 2


def test_operations_are_those_of_one_product_a_layer_a_pair_and_a_shift(pair, speech):
    counts = counted(pair, speech, measures=("cka",), twins=False)
    # Two models of 4 layers of 32: 8 layers, 36 pairs, 9 of them of two models with shifts.
    assert counts.resampling.shifts > 0
    expected = 2 * counts.frames * 32**2 * (8 + 36 + 9 * counts.resampling.shifts)
    assert counts.products == expected


def test_weights_of_models_and_twins_are_counted(pair, speech):
    alone, with_twins = (counted(pair, speech, twins=twins).models for twins in (False, True))
    parameters = [each.info.n_parameters for each in outline_all(pair, Loading(), SILENT)]
    assert alone == 4 * sum(parameters)
    assert with_twins == 2 * alone


@pytest.mark.parametrize("hours", [0.0001, 0.001, 0.01])
def test_speech_is_repeated_to_the_hours(hours, pair, speech):
    counts = counted(pair, speech, hours, measures=("cka",))
    longest = max(each.duration for each in counts.speech)
    assert math.isclose(counts.speech.hours, hours, abs_tol=longest / 2 / 3600 + 1e-9)
    assert len({each.id for each in counts.speech}) == len(counts.speech)


def test_hours_beyond_the_speech_grow_frames_and_disk_alike(pair, speech):
    once = counted(pair, speech)
    thrice = counted(pair, speech, 3 * once.speech.hours)
    assert thrice.frames == 3 * once.frames
    assert thrice.pairs == once.pairs
    assert thrice.disk == pytest.approx(3 * once.disk, rel=1e-3)


@pytest.mark.parametrize("hours", [0, -1, math.inf, math.nan])
def test_hours_out_of_range_are_refused(hours, pair, speech):
    with pytest.raises(AssonanceError, match="hours must be above 0"):
        counted(pair, speech, hours)


def test_a_sample_of_the_speech_is_counted_as_it_is(pair, speech):
    counts = counted(pair, speech, reading=Reading(max_hours=0.0003))
    assert counts.speech.hours <= 0.0003
    assert counts.prepared.__class__ is module.Prepared

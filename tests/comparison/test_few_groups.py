"""With few files or groups there is a score, or none and a line that says why."""

import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
from command_line import check_error, run
from material import make_layers, make_maps

import assonance
from assonance import AssonanceError, AssonanceWarning, Comparison
from assonance.arrays import head_similarity_matrix, similarity_matrix
from assonance.measures import MEASURES
from assonance.settings import SETTINGS

FRAMES = 40  # of each group
OF_FRAMES = [name for name, each in MEASURES.items() if each.level != "head"]
OF_HEADS = [name for name, each in MEASURES.items() if each.level == "head"]
HELD_OUT = [name for name, each in MEASURES.items() if each.needs == "folds"]
METHODS = {
    "jackknife": {},
    "jackknife over two groups": {"groups": 2},
    "jackknife, two folds": {"folds": 2},
    "bootstrap": {"bootstrap": 39},
    "bootstrap, two folds": {"bootstrap": 39, "folds": 2},
}


def scored(function, *given, **options):
    """What a function gives and the lines that it warns with; numpy's warnings are errors."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", AssonanceWarning)
        found = function(*given, **options)
    return found, [str(each.message) for each in caught]


def apart(array):
    """Scores of two different layers."""
    return [array.sel(layer_row=a, layer_col=b).values for a, b in (("a", "b"), ("b", "a"))]


def is_told(name, lines, words):
    return any(words in line and name in line.replace(",", "").split() for line in lines)


@pytest.mark.parametrize("options", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_every_measure_has_a_value_or_a_line_that_says_why(count, options):
    groups = np.repeat(range(count), FRAMES)
    layers = make_layers({"a": 5, "b": 4}, frames=count * FRAMES)
    settings = replace(SETTINGS["default"], shifts=2, **options)
    names = [name for name in OF_FRAMES if MEASURES[name].across is None]
    found, lines = scored(
        similarity_matrix,
        *(layers, names),
        groups=groups,
        settings=settings,
        intervals=True,
        shifts=True,
    )
    none_at_all = any("no score has an interval" in line for line in lines)
    assert none_at_all == (count == 1)
    for name in names:
        known = np.isfinite(apart(found[name])).all()
        assert known != is_told(name, lines, "no score"), name
        if f"{name}_shifted" in found:
            assert np.isfinite(apart(found[f"{name}_shifted"])).all() == known, name
        if not known or not MEASURES[name].replicated(settings):
            continue
        interval = f"{name}_interval"
        sure = interval in found and np.isfinite(apart(found[interval])).all()
        assert sure != (none_at_all or is_told(name, lines, "no interval")), name


@pytest.mark.parametrize("name", HELD_OUT)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_a_held_out_measure_alone_is_refused_only_where_it_has_no_score(count, name):
    groups = np.repeat(range(count), FRAMES)
    layers = make_layers({"a": 5, "b": 4}, frames=count * FRAMES)
    if count >= MEASURES[name].least_groups:
        found, _ = scored(similarity_matrix, layers, [name], groups=groups, intervals=True)
        assert np.isfinite(apart(found[name])).all()
    else:
        with pytest.raises(
            AssonanceError, match=f"{name} needs at least .* there .* {count}: no score"
        ):
            similarity_matrix(layers, [name], groups=groups)


@pytest.mark.parametrize("options", [{}, {"bootstrap": 39}], ids=str)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_heads_of_few_utterances_have_scores(count, options):
    maps = make_maps({"a": 3, "b": 2}, lengths=(7, 12, 5, 9, 8)[:count])
    settings = replace(SETTINGS["default"], **options)
    found, lines = scored(head_similarity_matrix, maps, OF_HEADS, settings=settings, intervals=True)
    (line,) = lines
    assert ("no score has an interval" if count == 1 else f"rough: {count} groups") in line
    for name in OF_HEADS:
        assert np.isfinite(apart(found[name])).all()
        if count > 1:
            assert np.isfinite(apart(found[f"{name}_interval"])).all()


def few(speech, count, folder):
    """Copy so many recordings."""
    folder.mkdir()
    for path in sorted(speech.iterdir())[-count:]:
        shutil.copy(path, folder)
    return folder


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_few_files_are_compared_and_what_is_lacking_is_noted(checkpoint, speech, tmp_path, count):
    models = [checkpoint("wav2vec2", seed=seed) for seed in (1, 2)]
    names = ["cka", "cka_utterance", "linreg_heldout", "ridge_heldout", "attn_js"]
    settings = replace(SETTINGS["default"], shifts=1)
    found, lines = scored(
        assonance.compare,
        *(models, few(speech, count, tmp_path / "few"), names),
        settings=settings,
        twins=False,
    )
    notes = found.provenance.notes
    assert set(lines) <= set(notes)
    assert sum("no score has an interval" in note for note in notes) == (count == 1)
    row, col = found.models
    for name in names:
        known = np.isfinite(found.matrix(name, row, col).values).any()  # some layers have no heads
        assert bool(known) == (count >= MEASURES[name].least_groups)
        assert bool(known) != is_told(name, notes, "no score"), name
        if not known or count == 1:
            continue
        sure = np.isfinite(found.intervals[name].sel(model_row=row, model_col=col)).any()
        assert bool(sure) != is_told(name, notes, "no interval"), name


@pytest.mark.parametrize("count", [1, 2, pytest.param(3, marks=pytest.mark.slow)])
def test_the_default_command_reports_on_few_files(checkpoint, speech, tmp_path, count):
    pair = checkpoint("wav2vec2", seed=1), checkpoint("hubert", "large", seed=2)
    out = tmp_path / "out"
    outcome = run("compare", *pair, "--audio", few(speech, count, tmp_path / "few"), "--out", out)
    assert outcome.status == 0
    assert "RuntimeWarning" not in outcome.err
    assert " nan" not in outcome.out
    assert (out / "report.html").stat().st_size
    found = Comparison.load(out / "results.nc")
    assert outcome.said == [f"note: {note}" for note in found.provenance.notes]


def test_one_file_is_refused_where_nothing_that_was_asked_can_be_scored(
    checkpoint, speech, tmp_path
):
    model, one = checkpoint("wav2vec2", seed=1), few(speech, 1, tmp_path / "few")
    outcome = run(
        *("compare", model, "--audio", one, "--out", tmp_path / "out", "--no-twins"),
        *("-m", "linreg_heldout"),
    )
    check_error(
        outcome, "few: linreg_heldout needs at least 2 utterances or recordings", "add speech"
    )

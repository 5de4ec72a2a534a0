"""What people name in a run: found however it is typed, or refused with the nearest name."""

import pytest
from comparisons import comparison

from assonance.comparison import lookup
from assonance.errors import AssonanceError

MADE = comparison(("deep", "shallow"), (5, 3))


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    comparison(("deep", "shallow"), (5, 3), ["cka"]).save(folder / "results.nc")
    return folder


@pytest.mark.parametrize("name", ["cka", "CKA", " cka "])
def test_a_measure_is_found_however_its_letters_are_written(name):
    assert lookup.find_measure(MADE, name) == "cka"


@pytest.mark.parametrize(
    ("text", "layer"), [("deep:3", "encoder.3"), ("Deep:encoder.0", "encoder.0")]
)
def test_a_layer_is_found_by_its_label_or_number(text, layer):
    assert lookup.find_cell(MADE, text) == ("deep", layer)


def test_a_model_whose_name_has_a_colon_is_found():
    made = comparison(("random:deep@0",), (3,), twins=False)
    assert lookup.find_cell(made, "random:deep@0:2") == ("random:deep@0", "encoder.2")


def test_neurons_and_heads_are_found_by_their_number():
    assert lookup.find_neuron(MADE, "deep", "encoder.3", 23) == 23
    assert lookup.find_head(MADE, "deep", "encoder.3", 1) == 1


@pytest.mark.parametrize(
    ("find", "words"),
    [
        (lambda: lookup.find_measure(MADE, "linreg_heldot"), "did you mean linreg_heldout?"),
        (lambda: lookup.find_measure(MADE, "x" * 5000), "was not taken in this run; there are:"),
        (lambda: lookup.find_model(MADE, "depe"), "did you mean deep?"),
        (lambda: lookup.find_model(MADE, "de\x1b[31mp"), r"'de\x1b[31mp'"),
        (lambda: lookup.find_layer(MADE, "shallow", 3), "encoder.0, encoder.1 and encoder.2"),
        (lambda: lookup.find_layer(MADE, "deep", "encodr.2"), "did you mean encoder.2?"),
        (lambda: lookup.find_cell(MADE, "deep"), "write MODEL:LAYER, such as deep:encoder.4"),
        (lambda: lookup.find_cell(MADE, "dep:1"), "did you mean deep?"),
        (lambda: lookup.find_neuron(MADE, "deep", "encoder.3", 24), "numbered 0 to 23"),
        (lambda: lookup.find_neuron(MADE, "deep", "encoder.3", -1), "did you mean 0?"),
        (lambda: lookup.find_head(MADE, "deep", "encoder.0", 0), "none has a score"),
    ],
)
def test_what_does_not_exist_is_refused_in_one_line_with_the_nearest(find, words):
    with pytest.raises(AssonanceError) as caught:
        find()
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_number_that_fits_several_layers_is_refused():
    made = comparison(("deep",), (3,), twins=False)
    layers = made.provenance.models[0].layers
    layers["conv.1"] = "a convolution"
    with pytest.raises(AssonanceError, match=r"may be encoder\.1 and conv\.1; give the whole name"):
        lookup.find_layer(made, "deep", 1)


def test_neurons_without_a_measure_of_them_are_refused():
    with pytest.raises(AssonanceError, match="no measure of neurons was taken"):
        lookup.find_neuron(comparison(measures=["cka"]), "hubert-a", "encoder.1", 0)


def test_a_neuron_without_scores_is_refused():
    made = comparison(("deep",), (3,), ["maxcorr"])
    made.neurons["maxcorr"].loc[{"neuron": 5}] = float("nan")
    with pytest.raises(AssonanceError, match=r"neuron 5 of deep encoder\.1: has no score"):
        lookup.find_neuron(made, "deep", "encoder.1", 5)


def test_a_run_is_opened_by_its_folder_or_its_results(run):
    for path in (run, str(run), run / "results.nc"):
        assert lookup.open_run(path).models == MADE.models


def test_a_mistyped_run_is_refused_with_the_nearest(run):
    with pytest.raises(AssonanceError, match=r"no such run; did you mean mine\?"):
        lookup.open_run(run.with_name("mien"))
    with pytest.raises(AssonanceError, match=r"is no run: .*; did you mean one in it: mine\?"):
        lookup.open_run(run.parent)


@pytest.mark.parametrize("name", ["x" * 5000, "nul\0byte", "new\nline"])
def test_a_run_of_an_impossible_name_is_refused_in_one_line(run, name):
    with pytest.raises(AssonanceError, match="no such run") as caught:
        lookup.open_run(run / name)
    assert str(caught.value).isprintable()


def test_an_unfinished_run_is_said_to_be_one(run):
    (run / "results.nc").unlink()
    (run / "config.yaml").write_text("models: [a]")
    with pytest.raises(AssonanceError, match="the run is not finished"):
        lookup.open_run(run)


def test_a_damaged_run_names_what_is_still_there(run):
    (run / "results.nc").write_bytes(b"junk")
    (run / "results.csv").write_text("measure")
    (run / "report.html").write_text("<p>")
    with pytest.raises(AssonanceError, match=r"still there: report\.html and results\.csv$"):
        lookup.open_run(run)

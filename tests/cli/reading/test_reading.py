"""Commands on a finished run print and write what they should, and change nothing in it."""

import json

import pandas as pd
import pytest
from command_line import check_error, run
from comparisons import comparison, tuned

from assonance import Comparison
from assonance.cli.reading.options import listed, parse_layers
from assonance.errors import AssonanceError

MEASURES = ("cka", "maxcorr", "linreg_heldout_r", "linreg_heldout", "attn_js")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "mine"
    comparison(measures=MEASURES).save(folder / "results.nc")
    (folder / "claims.csv").write_text("mine")
    return folder


@pytest.fixture(autouse=True)
def _nothing_changes(finished):
    def files():
        return {each.name: each.read_bytes() for each in finished.iterdir()}

    before = files()
    yield
    assert files() == before


def test_show_prints_the_summary_to_standard_output(finished):
    outcome = run("show", finished)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("hubert-a: 5 layers, encoder.0 to encoder.4\n")
    assert json.loads(run("show", finished, "--json").out)["models"]["wav2vec2-b"][0] == "encoder.0"


def test_show_prints_the_set_of_best_layers(finished):
    found = json.loads(run("show", finished, "--best", "hubert-a:2", "-m", "cka", "--json").out)
    assert {each["model_col"] for each in found} == {"wav2vec2-b"}
    assert sum(each["best"] for each in found) == 1


def test_show_prints_neurons_and_heads(finished):
    found = json.loads(run("show", finished, "--neurons", "hubert-a:2", "--top", 3, "--json").out)
    assert len({each["neuron"] for each in found}) == 3
    heads = json.loads(run("show", finished, "--heads", "--json").out)
    assert {each["model_row"] for each in heads} == {"hubert-a", "wav2vec2-b"}
    assert "kind" in run("show", finished, "--heads").out


def test_export_writes_numbers(finished, tmp_path):
    out = tmp_path / "cka.csv"
    outcome = run("export", finished, "cka", "-o", out, "--rows", "hubert-a", "--intervals")
    assert outcome.out == f"{out}: {len(pd.read_csv(out))} rows\n"
    assert pd.read_csv(out)[["value", "low", "high"]].dtypes.eq(float).all()


def test_plot_draws_a_figure(finished, tmp_path):
    out = tmp_path / "a.pdf"
    outcome = run("plot", finished, "matrix", "-m", "cka", "-o", out, "--layers", "0-2")
    assert outcome.out.startswith(f"{out}: 3.35 × ")
    assert out.read_bytes().startswith(b"%PDF")


def test_the_measure_that_leads_is_in_verdict_numbers_matrix_and_summary(finished, tmp_path):
    run("report", finished, "--lead", "cka", "-o", tmp_path / "cka.html")
    run("report", finished, "-o", tmp_path / "usual.html")
    led, usual = ((tmp_path / f"{name}.html").read_text("utf-8") for name in ("cka", "usual"))
    assert "share a space (CKA" in led
    assert "of the variance predicted by a linear map" not in led
    assert "of the variance predicted by a linear map" in usual
    assert "CKA of 9 layers with each other" in led
    assert "Shared space (CKA" in led


def test_a_run_of_diff_is_reported_and_shown_as_one(finished, tmp_path):
    folder = tmp_path / "diff"
    tuned(measures=MEASURES).save(folder / "results.nc")
    usual = run("show", folder).out
    (folder / "config.yaml").write_text("diff: true\nmodels: [a, b]\n")
    assert run("report", folder).status == 0
    page = (folder / "report.html").read_text("utf-8")
    for text in (page, run("show", folder).out):
        assert "fine-tuning changed" in text
        assert "Shared space (" not in text
    assert "Shared space (" in usual


def test_explore_shows_matches_also_where_no_activations_were_kept(finished):
    outcome = run("explore", finished, "hubert-a:2", "--neuron", 3)
    assert outcome.status == 0
    first, match = outcome.out.splitlines()
    assert first == "neuron 3 of hubert-a encoder.2, best matches:"
    score = float(match.partition(": r ")[2].split()[0])
    table = Comparison.load(finished / "results.nc").neurons_of("hubert-a", 2).table
    assert score == pytest.approx(table.loc[3]["maxcorr"].max(), abs=5e-4)
    (note,) = outcome.said
    assert note.startswith(f"note: {finished}: has no activations of hubert-a")


def test_report_is_written_elsewhere_when_told_to(finished, tmp_path):
    outcome = run("report", finished, "-o", tmp_path / "mine.html")
    assert outcome.out == f"report:  {tmp_path / 'mine.html'}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "--best", "hubert-b:2"), "did you mean hubert-a"),
        (("show", "--best", "hubert-a"), "write MODEL:LAYER"),
        (("show", "--heads", "--neurons", "hubert-a:1"), "give one of them"),
        (("export", "ckaa", "-o", "x.csv"), "did you mean cka"),
        (("export", "cka", "-o", "x.xls"), "ends in one of"),
        (("export", "cka", "-o", "x.csv", "--matrix", "--intervals"), "give one of them"),
        (("plot", "matrx", "-o", "x.pdf"), "did you mean matrix"),
        (("plot", "matrix", "-o", "x.jpg"), "ends in one of"),
        (("plot", "matrix", "-o", "x.pdf", "--pair", "a:1", "b:1"), "is for `neurons`"),
        (("report", "--claims", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
        (("report", "--sound", "-o", "x.html"), "has no activations of hubert-a"),
        (("report", "--lead", "ckaa", "-o", "x.html"), "did you mean cka"),
        (("report", "--lead", "entropy", "-o", "x.html"), "has no scores of pairs of layers"),
        (("explore", "hubert:2", "--neuron", "1"), "did you mean hubert-a"),
        (("explore", "hubert-a:7", "--neuron", "1"), "does not exist"),
        (("explore", "hubert-a:2", "--neuron", "99"), "did you mean 23?"),
        (("explore", "hubert-a", "--neuron", "1"), "write MODEL:LAYER"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_a_mistake_is_one_line_and_writes_nothing(
    finished, tmp_path, monkeypatch, arguments, words
):
    monkeypatch.chdir(tmp_path)
    check_error(run(arguments[0], finished, *arguments[1:]), words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("show",), ("export", "cka", "-o", "x.csv")], ids=str)
def test_a_run_that_is_not_there_is_one_line(finished, command):
    wrong = finished.with_name("mne")
    check_error(run(command[0], wrong, *command[1:]), "mne: no such run; did you mean mine?")


def test_layers_and_names_may_be_given_in_one_word():
    assert parse_layers("0-2,encoder.5, 7") == [0, 1, 2, "encoder.5", "7"]
    assert parse_layers(None) is None
    assert listed(["a,b", "c"]) == ["a", "b", "c"]
    for wrong in ("3-1", " , "):
        with pytest.raises(AssonanceError, match="--layers"):
            parse_layers(wrong)

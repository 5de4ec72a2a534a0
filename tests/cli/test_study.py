"""A published study is repeated by one command, from miniatures or from the public checkpoints."""

import re

import pytest
import torch
import yaml
from command_line import check_error, run
from safetensors.torch import load_file

from assonance import Comparison
from assonance.report.study import bundled_study
from assonance.report.study.findings import MEANINGS
from assonance.utils.lock import locked

# The paper's public checkpoints, in small.
PAPER = {
    "facebook/hubert-base-ls960": ("hubert", "base", "Model"),
    "facebook/hubert-large-ll60k": ("hubert", "large", "Model"),
    "facebook/wav2vec2-base": ("wav2vec2", "base", "ForPreTraining"),
    "facebook/wav2vec2-large-lv60": ("wav2vec2", "large", "ForPreTraining"),
    "facebook/hubert-large-ls960-ft": ("hubert", "large", "ForCTC"),
    "facebook/wav2vec2-large-960h-lv60-self": ("wav2vec2", "large", "ForCTC"),
}


@pytest.fixture
def published(hub, checkpoint):
    """A hub with all models of the paper, as they are published: no safetensors."""
    for hub_id, traits in PAPER.items():
        folder = checkpoint(*traits)
        weights = folder.parent / f"{folder.name}.bin"
        torch.save(load_file(folder / "model.safetensors"), weights)
        files = {
            each.name: each.read_bytes() for each in folder.iterdir() if each.suffix == ".json"
        }
        hub.add(hub_id, files | {"pytorch_model.bin": weights.read_bytes()})
    return hub


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """The bundled study with few measures and the two base models alone."""
    content = yaml.safe_load(bundled_study("elkheir2024").read_text("utf-8"))
    mini = content["models"]["mini"]
    mini["models"] = {"hubert-base": "hubert-mini", "wav2vec2-base": "wav2vec2-mini"}
    mini |= {"hours": 0.004, "seed_of": {}, "tuned_from": {}}
    for each in content["runs"].values():
        each |= {"groups": 4, "measures": ["cka", "linreg_heldout", "maxcorr", "linreg"]}
    path = tmp_path_factory.mktemp("study") / "few.yaml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    return path


@pytest.fixture(scope="module")
def repeated(few, tmp_path_factory):
    out = tmp_path_factory.mktemp("repeated") / "run"
    return run("study", few, "--out", out, "--memory", "1MB"), out  # several tiles


def test_a_study_from_a_file_leaves_its_page_and_what_it_was_made_from(repeated, few):
    outcome, out = repeated
    assert outcome.status == 0, outcome.err
    assert {each.name for each in out.iterdir()} == {
        *("study.html", "study.md", "study.yaml", "beyond_spectrum.nc", "figures"),
        *("published", "default", "activations"),
    }
    assert (out / "study.yaml").read_bytes() == few.read_bytes()
    for name in ("published", "default"):
        assert (out / name / "report.html").is_file()
        assert not (out / name / "activations").exists()  # both runs share one folder of them
    assert outcome.out.splitlines()[-1] == f"study: {out / 'study.html'}"


def test_no_time_is_spent_on_scores_before_their_intervals(repeated):
    assert not [each for each in repeated[0].said if "to follow" in each]


def test_it_says_that_miniatures_are_no_replication(repeated):
    text = (repeated[1] / "study.md").read_text("utf-8")
    assert "no replication: it asks whether the pattern recurs" in text


def test_settings_are_those_of_the_file(repeated):
    records = {
        name: Comparison.load(repeated[1] / name / "results.nc").provenance
        for name in ("published", "default")
    }
    assert records["published"].settings["cut"] == "below"
    assert records["default"].settings["cut"] == "reach"
    assert {each.settings["groups"] for each in records.values()} == {4}
    assert not any(each.twin_of for each in records["published"].models)


def test_every_finding_has_a_verdict(repeated):
    lines = repeated[0].out.splitlines()[:-1]
    assert len(lines) == 7
    assert {line.rpartition(": ")[2] for line in lines} <= set(MEANINGS)


def test_every_figure_of_the_text_is_there(repeated):
    out = repeated[1]
    named = re.findall(r"\((figures/[^)]+)\)", (out / "study.md").read_text("utf-8"))
    assert named
    assert sorted(named) == sorted(f"figures/{each.name}" for each in (out / "figures").iterdir())


def test_the_page_loads_nothing_from_outside(repeated):
    page = (repeated[1] / "study.html").read_text("utf-8")
    assert not re.findall(r"(?:src|href)=[\"'](?!data:)", page)
    assert "<script" not in page


@pytest.mark.slow
def test_the_papers_checkpoints_are_opened_by_their_ids(published, speech, tmp_path):
    """All but the download is as with the public ones: these are in their form, in small."""
    out = tmp_path / "run"
    outcome = run("study", "elkheir2024", "--models", "paper", "--audio", speech, "--out", out)
    assert outcome.status == 0, outcome.err
    record = Comparison.load(out / "default" / "results.nc").provenance
    trained = [each for each in record.models if not each.twin_of and not each.baseline]
    assert [each.source for each in trained] == list(PAPER)
    assert sum(each.fine_tuned for each in trained) == 2
    text = (out / "study.md").read_text("utf-8")
    assert "This is a replication" in text
    assert "hubert-large-finetuned" in text


def test_its_cost_is_stated_before_a_weight_is_fetched(published, speech, tmp_path):
    out = tmp_path / "run"
    outcome = run(
        *("study", "elkheir2024", "--models", "paper", "--audio", speech),
        *("--out", out, "--dry-run"),
    )
    assert outcome.status == 0, outcome.err
    assert outcome.out.count("in all") == 2  # in published and in default settings
    assert published.count("GET", "/storage/") == 0
    assert not out.exists()


def test_a_study_is_copied_to_be_changed(tmp_path):
    path = tmp_path / "mine.yaml"
    outcome = run("study", "elkheir2024", "--copy", path)
    assert outcome.status == 0, outcome.err
    assert path.read_bytes() == bundled_study("elkheir2024").read_bytes()
    assert [each.name for each in tmp_path.iterdir()] == ["mine.yaml"]  # nothing was run
    check_error(run("study", "elkheir2024", "--copy", path), "is there already")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["elkheir2042"], "did you mean 'elkheir2024'?"),
        (["elkheir2024", "--models", "large"], "use one of: mini, paper"),
        (["elkheir2024", "--models", "paper"], "--audio"),
    ],
)
def test_what_is_wrong_is_one_line(arguments, words, tmp_path):
    check_error(run("study", *arguments, "--out", tmp_path / "run"), words)


def test_one_run_at_a_time_writes_a_study(few, tmp_path):
    with locked(tmp_path):
        check_error(run("study", few, "--out", tmp_path), "writes here; wait for it")

"""Studies are read strictly, and the bundled one is whole."""

import copy
from importlib import resources

import pytest
import yaml

from assonance.demo import miniatures
from assonance.errors import AssonanceError
from assonance.measures import MEASURES
from assonance.report.study import published
from assonance.report.study.recipe import load_study

BUNDLED = resources.files("assonance.report.study").joinpath("elkheir2024.yaml")


@pytest.fixture(scope="module")
def content():
    return yaml.safe_load(BUNDLED.read_text("utf-8"))


def test_the_bundled_study_has_the_papers_models_and_measures():
    study = load_study(BUNDLED)
    assert list(study.sets) == ["mini", "paper"]
    for each in study.sets.values():
        assert set(published.BLOCKS) <= set(each.models)
        assert set(each.tuned_from) == {"hubert-large-finetuned", "wav2vec2-large-finetuned"}
    assert set(study.runs["published"].measures) == set(published.measures())
    assert len(study.findings) == 7


def test_its_miniatures_and_their_relations_are_those_of_the_package():
    study, known = load_study(BUNDLED).sets["mini"], {each.name: each for each in miniatures()}
    for role, first in study.seed_of.items():
        assert known[study.models[role]].seed_of == study.models[first]
    for role, base in study.tuned_from.items():
        assert known[study.models[role]].fine_tuned_from == study.models[base]


def test_every_claim_has_its_measures_in_the_run_that_tests_it():
    study = load_study(BUNDLED)
    for each in study.findings:
        assert set(each.published.measures) <= set(study.runs["published"].measures)
        for claim in (*each.stricter, *each.besides):
            assert set(claim.measures) <= set(study.runs["default"].measures)
    assert all(name in MEASURES for run in study.runs.values() for name in run.measures)


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("title",), None, "title: must be a string"),
        (("models", "mini", "model"), {}, "did you mean 'models'?"),
        (("models", "mini", "models"), {}, "models.mini.models: must map roles to models"),
        (
            ("models", "mini", "seed_of"),
            {"hubert-bse": "hubert-base"},
            "did you mean 'hubert-base'?",
        ),
        (("models", "mini", "hours"), "many", "models.mini.hours: must be a number"),
        (("models", "mini", "replicates"), "no", "models.mini.replicates: must be true or false"),
        (("runs", "default", "settings"), "defaut", "did you mean 'default'?"),
        (("runs", "default", "groups"), 2.5, "runs.default.groups: must be a whole number"),
        (("runs",), {"published": {}}, "runs.published.settings: is missing"),
        (("findings",), [], "findings: must be a list of findings"),
        (("findings", 0, "published"), "subspace", "findings[0].published"),
        (("findings", 0, "stricter"), [], "findings[0].stricter: must name at least one claim"),
        (("claims",), {}, "claims: must map names to claims"),
    ],
)
def test_what_is_wrong_is_named_by_its_key(tmp_path, content, keys, value, words):
    changed = copy.deepcopy(content)
    place = changed
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(changed), "utf-8")
    with pytest.raises(AssonanceError) as caught:
        load_study(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)

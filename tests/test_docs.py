"""The documents describe what is there."""

import re
import runpy
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

import assonance
from assonance.activations.shared_rows import Pooling
from assonance.claims.claim import Claim
from assonance.claims.verdict import evaluate_claims, to_dataframe
from assonance.comparison import results_file
from assonance.comparison.configuration import Configuration
from assonance.comparison.records import CorpusRecord, ModelRecord, Provenance
from assonance.comparison.request import Request
from assonance.comparison.result import Comparison
from assonance.corpus import LeftOut, Reading
from assonance.measures import MEASURES
from assonance.models.precomputed import _FIELDS as CARD_FIELDS
from assonance.report.findings import pairs_of
from assonance.settings import Settings
from assonance.tables import changes

ROOT = Path(__file__).parents[1]
DOCS = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").glob("*.md")),
]
FORMATS = (ROOT / "docs" / "formats.md").read_text("utf-8")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(page):
    """The anchors that a page's headings have where Markdown is shown."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(page.read_text("utf-8"))
    }


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page):
    for link in LINK.findall(page.read_text("utf-8")):
        path, _, anchor = link.partition("#")
        if not link.startswith("https://"):
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def first_cells(section):
    """The names in backticks in the first column of a section's tables."""
    part = FORMATS.partition(f"\n{section}\n")[2]
    part = re.split(r"\n#+ ", part)[0]
    rows = [line.split("|")[1] for line in part.splitlines() if line.startswith("|")]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def row(name):
    """The names in backticks in the row of a table that begins with a name."""
    (line,) = [line for line in FORMATS.splitlines() if line.startswith(f"| `{name}` |")]
    return [each for each in re.findall(r"`([^`]+)`", line)[1:] if each.isidentifier()]


def names(record):
    return [each.name for each in fields(record)]


def test_the_schema_has_the_number_and_the_groups_that_are_described():
    assert f"schema {results_file.FORMAT}, the number in" in FORMATS
    described = first_cells("### Groups")
    assert described == ["/", "scores", *results_file.GROUPS, "provenance"]
    last = {dim for each in results_file._DIMENSIONS.values() for dims in each for dim in dims}
    assert set(first_cells("### Dimensions")) == {*results_file.CELL, *last}


def test_the_provenance_has_the_fields_that_are_described():
    assert first_cells("### Provenance") == [
        *("versions", "measures", "settings", "models", "corpus", "left_out"),
        *("notes", "population"),
    ]
    assert set(first_cells("### Provenance")) == set(names(Provenance))
    assert set(row("models")) == set(names(ModelRecord))
    assert set(row("corpus")) == set(names(CorpusRecord))
    assert set(row("left_out")) == set(names(LeftOut))


def test_the_configuration_has_the_keys_that_are_described(tmp_path):
    assert set(first_cells("## `config.yaml`")) == set(Configuration.model_fields)
    made = Configuration.of(["a"], "speech", tmp_path, Request(), diff=True).values()
    assert row("settings") == names(Settings) == list(made["settings"])
    assert set(row("speech")) == set(names(Reading)) == set(made["speech"])
    assert set(row("pooling")) == set(made["pooling"])
    assert len(made["pooling"]) == len(names(Pooling))


def test_tables_have_the_columns_that_are_described():
    found = Comparison.load(ROOT / "tests" / "data" / "results_0.1.0.nc")
    assert row("results.csv") == list(found.to_dataframe())
    assert row("claims.csv") == list(to_dataframe(evaluate_claims(found)))
    (pair,) = pairs_of(found, diff=True)
    ways = {changes.RETAINED, changes.ANTICIPATED}
    described = [each for each in row("changes.csv") if each not in ways]
    assert described == list(changes.layers(found, pair).reset_index())


def test_claims_and_cards_have_the_keys_that_are_described():
    keys = first_cells("## `claims.yaml`")
    assert set(keys) == set(names(Claim)) - {"name"}
    bundled = Path(assonance.__file__).parent / "claims" / "claims.yaml"
    found = {
        key
        for claim in yaml.safe_load(bundled.read_text("utf-8"))["claims"].values()
        for key in claim
    }
    assert found <= set(keys)
    assert set(first_cells("## `activations.yaml`")) == set(CARD_FIELDS)


def test_the_readme_is_short_and_the_index_names_every_page():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 90
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text("utf-8"))}
    assert {page for page in DOCS if page != index} <= linked


def test_the_page_of_measures_is_what_their_declarations_say():
    written = runpy.run_path(str(ROOT / "docs" / "measures.py"))
    assert written["PAGE"].read_text("utf-8") == written["page"]()
    declared = {each for measure in MEASURES.values() for each in measure.invariances}
    of_heads = {each for each in declared if "query" in each or "key" in each or "head" in each}
    assert declared - of_heads - {"utterance permutation"} == set(written["BLIND"])


def test_every_measure_has_its_formula_source_and_picture():
    written = runpy.run_path(str(ROOT / "docs" / "formulas.py"))
    assert written["PAGE"].read_text("utf-8") == written["page"]()
    assert set(written["FORMULAS"]) == set(MEASURES)
    assert {each.stem for each in written["PICTURES"].iterdir()} == set(MEASURES)


def test_the_lines_of_the_pictures_coincide_where_a_measure_is_blind():
    """Pictures are of what their text says: the known truth is that of the declarations."""
    lines = dict(runpy.run_path(str(ROOT / "docs" / "formulas.py"))["layers"]())
    given = lines[sorted(lines)[5]]
    for name in ("maxcorr", "linreg", "cca_mean", "cka", "cka_standardized"):
        scores = {
            words: assonance.similarity(*map(each.get, "xy"), name) for words, each in given.items()
        }
        same, rotated, mapped = scores.values()
        blind = MEASURES[name].invariances
        assert (abs(same - rotated) < 1e-6) == bool({"orthogonal", "column linear"} & set(blind))
        assert (abs(same - mapped) < 1e-6) == ("column linear" in blind)


def test_version_and_date_are_the_same_everywhere():
    (cited,) = re.findall(r'^version: "(.+)"$', (ROOT / "CITATION.cff").read_text("utf-8"), re.M)
    (built,) = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)
    assert cited == built == assonance.__version__
    heads = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    released = [head for head in heads if head != "Unreleased"]
    (date,) = re.findall(
        r'^date-released: "(.+)"$', (ROOT / "CITATION.cff").read_text("utf-8"), re.M
    )
    assert released[0] == f"{assonance.__version__} ({date})"

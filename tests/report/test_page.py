"""The report is one file to read, safe whatever names come from outside."""

import base64
import hashlib
import itertools
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from comparisons import comparison
from pages import Page, small

from assonance.comparison.result import Comparison
from assonance.corpus import LeftOut
from assonance.report.methods import facts
from assonance.report.page import MOST_LEFT_OUT, render

EVIL = "<script>alert(1)</script>\"'&$x$"
SENTENCES = ("They share a space.", "Whether they share neurons is undecided: .28 & <.3.")


@pytest.fixture(scope="module")
def text():
    return render(comparison(notes=("These are miniatures.",)), SENTENCES)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_page_begins_with_question_verdict_and_numbers(page):
    first = page.text[: page.text.index("All layers of all models")]
    assert "Do hubert-a and wav2vec2-b represent speech the same way?" in first
    assert "hubert-a and wav2vec2-b share a space" in first
    for heading in ("Shared space", "Shared neurons", "Attention", "Depth of the match"):
        assert heading in first


def test_the_page_names_layers_speech_caveats_and_findings(page):
    for words in ("masked prediction objective", "120 utterances", "13.4 minutes"):
        assert words in page.text
    assert "languages en, fr" in page.text
    assert "encoder.0 is the input of block 1; encoder.1 is the output of block 1" in page.text
    assert "These are miniatures." in page.text
    for sentence in SENTENCES:
        assert sentence in page.text


def test_a_model_is_described_by_what_it_was_trained_from():
    one, *_ = comparison().provenance.models
    assert "pretrained" in facts(one)
    assert "fine-tuned" in facts(replace(one, fine_tuned=True))
    assert "another seed of a" in facts(replace(one, seed_of="a"))
    assert "fine-tuned from a" in facts(replace(one, tuned_from="a"))
    tuned = replace(one, fine_tuned=True, task="speaker verification")
    assert "fine-tuned for speaker verification" in facts(tuned)
    assert "fine-tuned from a for speaker verification" in facts(replace(tuned, tuned_from="a"))
    assert "pretrained" in facts(replace(one, task="pretraining"))
    adapted = replace(one, fine_tuned=True, base="acme/tiny")
    assert "fine-tuned from acme/tiny" in facts(adapted)
    assert "fine-tuned from a" in facts(replace(adapted, tuned_from="a"))


def test_every_view_has_a_section_and_every_link_leads_somewhere(page):
    sections = [each["id"] for each in page.all("section")]
    assert sections == [
        *("top", "matrix", "depth", "neurons", "neuron", "heads"),
        *("trust", "caveats", "findings", "run", "tables"),
    ]
    ids = {each.get("id") for _, each in page.elements}
    assert {each["href"][1:] for each in page.all("a")} <= ids


def test_there_is_one_main_heading_and_headings_skip_no_level(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_every_id_is_unique(page):
    ids = Counter(each["id"] for _, each in page.elements if "id" in each)
    assert [name for name, count in ids.items() if count > 1] == []


def test_tables_have_captions_and_headings_with_scope(page):
    assert len(page.all("table")) == len(page.all("caption"))
    assert all("scope" in each for each in page.all("th"))


def test_nothing_is_loaded_from_outside(page, text):
    (policy,) = (each["content"] for each in page.all("meta") if "http-equiv" in each)
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy
    assert not any(page.all(tag) for tag in ("link", "iframe", "object", "embed", "base"))
    for _, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            assert attributes.get(name, "#").startswith("#")
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert set(re.findall(r"https?://[^\s\"'<;]+", text)) == {"http://www.w3.org/2000/svg"}


def test_the_only_script_is_the_one_that_the_policy_allows(page, text):
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert text.count("<script") == 2
    assert '<script type="text/plain" id="packed">' in text
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in text
    assert not any(name.startswith("on") for _, each in page.elements for name in each)


def test_a_comparison_read_back_makes_the_same_page(tmp_path):
    found = small(measures=("cka", "mincorr"), notes=("ü",))
    found.save(tmp_path / "results.nc")
    assert render(Comparison.load(tmp_path / "results.nc"), ()) == render(found, ())


def test_every_number_is_in_a_table_for_readers_without_a_script(page, text):
    found = comparison()
    tables = text.count("<table")
    assert text.count("<noscript>") == text.count('class="table"') + 1
    assert tables > 40
    values = found.matrix("cka", "hubert-a", "wav2vec2-b").to_numpy().ravel()
    low = found.intervals["cka"].sel(statistic="low", model_row="hubert-a", model_col="wav2vec2-b")
    ends = low.to_numpy().ravel()
    ends = ends[~np.isnan(ends)]
    for value, end in zip(values, ends, strict=True):
        assert f"{value:.3f} [{end:.3f}, " in page.text


def test_without_a_script_there_is_a_matrix_with_a_cell_a_pair(text):
    start = text.index("<noscript><svg")
    drawing = text[start : text.index("</noscript>", start)]
    assert drawing.count("M") >= 81
    assert "hubert-a" in drawing


def test_names_from_outside_are_shown_and_never_obeyed():
    left_out = [LeftOut(EVIL, 'a\n"b"\udcff<img src=x onerror=alert(1)>.wav', "is <b>empty</b>")]
    found = small(names=(EVIL, "日本\u202e"), left_out=left_out, notes=(EVIL,))
    found.scores["cka"].attrs |= {"source": EVIL, "long_name": EVIL, "description": EVIL}
    text = render(found, (EVIL,))
    page = Page(text)
    assert len(page.all("script")) == 2
    assert not page.all("img")
    assert "<b>empty" not in text
    assert EVIL in page.text
    assert r"""'a\n"b"\udcff<img src=x onerror=alert(1)>.wav'""" in page.text
    assert "\u202e" not in page.text


def test_a_measure_that_no_registry_knows_is_shown_too():
    found = small()
    found.scores["<my> measure"] = found.scores["cka"].assign_attrs(long_name="Mine")
    page = Page(render(found, ()))
    assert "Mine" in page.text
    assert not page.all("my")


def test_what_was_not_measured_is_left_out():
    def sections(*measures, **options):
        options = {"measures": measures} | options
        return [each["id"] for each in Page(render(small(**options), ())).all("section")]

    assert sections() == ["top", "run"]
    assert sections("mincorr") == ["top", "run", "tables"]
    assert sections("attn_js") == ["top", "matrix", "depth", "heads", "run", "tables"]
    assert sections("cka") == ["top", "matrix", "depth", "trust", "run", "tables"]
    of_neurons = ["top", "matrix", "depth", "neurons", "neuron", "trust", "run", "tables"]
    assert sections("maxcorr") == of_neurons
    assert sections("cka", uncertainty=False) == ["top", "matrix", "depth", "run", "tables"]
    assert sections("cka", names=("a",), layers=(3,)) == ["top", "matrix", "run", "tables"]


def test_scores_that_are_undefined_everywhere_cost_no_page():
    found = small(measures=("attn_js", "localisation", "linreg_heldout"))
    for name in found.scores.data_vars:
        found.scores[name][:] = np.nan
    assert "Nothing that was computed compares the models" in Page(render(found, ())).text


def test_thousands_of_files_left_out_do_not_break_the_page():
    left_out = [LeftOut(f"u{k}", f"{k}.wav", "is empty") for k in range(10_000)]
    text = render(small(left_out=left_out), ())
    assert "10000 files were left out" in text
    assert text.count("is empty") == MOST_LEFT_OUT
    assert f"{10_000 - MOST_LEFT_OUT} more" in text


def test_the_title_asks_one_question_of_one_model_or_several():
    for names, question in {
        ("a",): "How similar are the layers of a?",
        ("a", "b"): "Do a and b represent speech the same way?",
        ("a", "b", "c", "d"): "Do these 4 models represent speech the same way?",
    }.items():
        found = small(names=names, layers=(2,) * len(names), measures=())
        assert question in Page(render(found, ())).text


def test_one_file_left_out_is_singular():
    text = Page(render(small(left_out=[LeftOut("u", "u.wav", "is empty")]), ())).text
    assert "1 file was left out" in text
    assert "1 file left out" in text


def test_the_methods_list_measures_with_definition_range_and_source():
    text = Page(render(small(), ())).text
    methods = text[text.index("Measures and their sources") :]
    for words in ("CKA", "0 to 1", "Kornblith et al. 2019"):
        assert words in methods

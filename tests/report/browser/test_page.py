"""The page works in a browser: quiet, linked, readable at every width, by mouse and keyboard."""

import csv
import io
import itertools
import re
import sys
from dataclasses import replace
from urllib.parse import urlencode

import numpy as np
import pytest
import xarray as xr
from browser import boxes, opened
from comparisons import comparison

from assonance.report.page import render
from assonance.report.views.layers import colours as scale_of_colours
from assonance.tables import head_maps
from assonance.tables.heads import head_matches

MOST_NODES = 6_000
WIDTHS = (360, 1280, 1920)
EVIL = "<script>alert(1)</script>"
VIEW = "#m=cka&a=hubert-a.2&b=wav2vec2-b.1&n=5&s=unit"


def state(page):
    return dict(part.split("=") for part in page.url.partition("#")[2].split("&"))


def tooltip(page):
    """Return the lines under the pointer, by their labels."""
    lines = page.locator("#tooltip p").all_inner_texts()
    values = page.locator("#tooltip p b").all_inner_texts()
    return lines, values


def cell(page, row, col, count=15):
    """Return the middle of a cell of the matrix on the screen."""
    scale = page.evaluate(
        """() => {
            const drawn = document.querySelector("#matrix-plot svg");
            const { left, top, width } = drawn.getBoundingClientRect();
            const shapes = [...drawn.querySelectorAll("path[fill]")].map((each) => each.getBBox());
            const low = Math.min(...shapes.map((each) => each.x));
            const high = Math.max(...shapes.map((each) => each.x + each.width));
            const start = Math.min(...shapes.map((each) => each.y));
            const scale = width / drawn.viewBox.baseVal.width;
            return [left + low * scale, top + start * scale, (high - low) * scale];
        }"""
    )
    left, top, side = scale
    step = side / count
    return left + (col + 0.5) * step, top + side - (row + 0.5) * step


def said(page, selector, pattern):
    """Wait for words; `wait_for_function` would evaluate text, which the page's policy forbids."""
    expect = pytest.importorskip("playwright.sync_api").expect
    expect(page.locator(selector)).to_have_text(re.compile(pattern))


def walked(page, keys):
    """Press keys, and return everything that was said."""
    return set(
        page.evaluate(
            """(keys) => keys.map((key) => {
                document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key }));
                return document.getElementById("said").textContent;
            })""",
            keys,
        )
    )


def open_all(page):
    page.check("#print-tables")
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")


def test_the_page_asks_for_nothing_says_nothing_and_is_small(browser, report):
    with opened(browser, report) as it:
        it.page.hover("#matrix-plot svg")
        open_all(it.page)
        assert it.requests == []
        assert it.messages == []
    with opened(browser, report) as it:
        assert it.page.evaluate("document.querySelectorAll('*').length") <= MOST_NODES


def test_the_first_view_holds_verdict_numbers_and_matrix(browser, report):
    with opened(browser, report) as it:
        for selector in (".verdict", "#headline", "#matrix-plot svg"):
            (box,) = boxes(it.page, selector)
            assert box["bottom"] <= 800
        assert len(boxes(it.page, "#headline .number")) == 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, report, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with opened(browser, report, scheme=scheme) as it:
        assert axe.run(it.page).response["violations"] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_with_every_panel_open(browser, little, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with opened(browser, little, scheme=scheme) as it:
        open_all(it.page)
        assert axe.run(it.page).response["violations"] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_and_nothing_overlaps(browser, report, width):
    with opened(browser, report, width=width) as it:
        page = it.page
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        inside = "main section, .number, .plot, .caption, figcaption, #controls > *, .tools > *"
        for box in boxes(page, inside):
            assert box["left"] >= 0, box
            assert box["right"] <= width + 0.5, box
        for selector in ("main > section, .pair > section", ".number", "#controls > *", "figure"):
            for one, two in itertools.combinations(boxes(page, selector), 2):
                apart = (
                    one["right"] <= two["left"] + 1
                    or two["right"] <= one["left"] + 1
                    or one["bottom"] <= two["top"] + 1
                    or two["bottom"] <= one["top"] + 1
                )
                assert apart, (one, two)


@pytest.mark.parametrize("page_with", ["report", "sounding"])
def test_nothing_is_cut_and_nothing_overlaps_in_print(browser, request, page_with):
    width = 695  # of A4 between its margins, in pixels
    with opened(browser, request.getfixturevalue(page_with), VIEW, width=width) as it:
        page = it.page
        page.emulate_media(media="print")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        inside = "main section, .number, .plot svg, .caption, .clips li, figure, #neuron-list table"
        for box in boxes(page, inside):
            assert box["left"] >= -0.5, box
            assert box["right"] <= width + 0.5, box
        for selector in ("main > section, .pair > section", ".number", ".plot > svg", ".clips li"):
            for one, two in itertools.combinations(boxes(page, selector), 2):
                across = min(one["right"], two["right"]) - max(one["left"], two["left"])
                down = min(one["bottom"], two["bottom"]) - max(one["top"], two["top"])
                assert min(across, down) <= 1, (one, two)
        assert boxes(page, "header, .tools, .clips button") == []


@pytest.mark.parametrize("width", WIDTHS)
def test_labels_lie_within_their_figures_and_apart(browser, report, width):
    with opened(browser, report, width=width) as it:
        for plot in boxes(it.page, ".plot > svg"):
            assert plot["right"] <= width + 0.5
        plots = ("matrix-plot", "curve-plot", "sets-plot", "neurons-plot", "heads-plot")
        for id in (*plots, "map-0-0", "map-1-3", "trust-plot", "change-plot-0"):
            selector = f"#{id}"
            (box,) = boxes(it.page, f"{selector} svg")
            labels = boxes(it.page, f"{selector} svg text")
            assert labels
            for label in labels:
                assert label["left"] >= box["left"] - 2, label
                assert label["right"] <= box["right"] + 2, label
                assert label["top"] >= box["top"] - 3, label
                assert label["bottom"] <= box["bottom"] + 3, label
            for one, two in itertools.combinations(labels, 2):
                across = min(one["right"], two["right"]) - max(one["left"], two["left"])
                down = min(one["bottom"], two["bottom"]) - max(one["top"], two["top"])
                # Boxes of text are taller than its letters.
                assert min(across, down - 5) <= 0, (one, two)


def test_a_click_on_a_cell_moves_every_view_to_that_pair(browser, report):
    with opened(browser, report, "#m=cka") as it:
        it.page.mouse.click(*cell(it.page, 1, 13))
        assert state(it.page) == {"m": "cka", "a": "hubert-a.1", "b": "wav2vec2-b.1"}
        assert "hubert-a encoder.1" in it.page.inner_text("#neurons-caption")
        assert "best match in wav2vec2-b" in it.page.inner_text("#curve-caption")
        assert "in wav2vec2-b" in it.page.inner_text("#headline")
        assert "hubert-a encoder.1" in it.page.inner_text("#neuron-name")


def test_values_under_the_pointer_are_those_of_the_table(browser, report, found):
    with opened(browser, report, "#m=cka") as it:
        page = it.page
        page.click("#matrix-caption button")
        table = page.locator("details[open] tbody tr")
        for row, col in ((0, 12), (5, 14), (13, 2), (2, 2)):
            page.evaluate("scrollTo(0, 0)")
            page.mouse.move(*cell(page, row, col))
            lines, values = tooltip(page)
            text = table.nth(row).locator("td").nth(col).inner_text()
            assert text.split(" ")[0] == values[0]
            if "[" in text:
                assert text.partition(" ")[2] == values[1]
            labels = [f"{model} {layer}" for model in found.models for layer in found.layers(model)]
            assert lines[0] == f"{labels[row]} × {labels[col]}"
        assert any(line.startswith("floor: random weights") for line in lines)


def test_references_under_the_pointer_are_those_of_the_table_of_best_layers(browser, report):
    with opened(browser, report, "#m=cka&a=hubert-a.1&b=wav2vec2-b.0") as it:
        page = it.page
        page.click("#curve-caption button")
        headings, *rows = page.evaluate(
            """() => [...document.querySelectorAll("details[open] tr")].map(
                (row) => [...row.children].map((cell) => cell.textContent))"""
        )
        (row,) = (each for each in rows if each[:3] == ["hubert-a", "wav2vec2-b", "encoder.1"])
        best = row[headings.index("best-matching layer")]
        page.evaluate("scrollTo(0, 0)")
        place = 12 + int(best.rpartition(".")[2])
        page.mouse.move(*cell(page, 1, place))
        lines, values = tooltip(page)
        known = dict(zip([line.rpartition(" ")[0] for line in lines[1:]], values, strict=True))
        for label in ("floor: random weights", "baseline: log-mel", "null: circular shifts"):
            assert row[headings.index(label)] == known[label]


def test_arrow_keys_reach_every_cell_and_enter_chooses_it(browser, report):
    with opened(browser, report, "#m=cka&a=hubert-a.0&b=hubert-a2.0") as it:
        page = it.page
        page.keyboard.press("Tab")
        page.locator("#matrix-plot svg").focus()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowRight")
        assert "hubert-a encoder.1 × hubert-a2 encoder.1" in page.inner_text("#said")
        for _ in range(20):
            page.keyboard.press("ArrowRight")
        assert "hubert-a encoder.1 × wav2vec2-b encoder.2" in page.inner_text("#said")
        page.keyboard.press("Enter")
        assert state(page)["b"] == "wav2vec2-b.2"
        assert page.evaluate("document.activeElement.closest('#matrix-plot') !== null")


def test_arrow_keys_reach_every_point_of_every_figure(browser, report):
    plots = {"curve": 4, "sets": 4, "neurons": 24}
    with opened(browser, report, "#m=cka&a=hubert-a.1&b=wav2vec2-b.1") as it:
        page = it.page
        page.keyboard.press("Tab")
        for id, least in plots.items():
            page.locator(f"#{id}-plot svg").focus()
            assert len(walked(page, ["ArrowLeft"] * 30 + ["ArrowRight"] * 30)) == least, id
        page.locator("#trust-plot svg").focus()
        marks = page.locator("#trust-plot svg path[class^=mark]").count()
        legend = 4
        assert len(walked(page, ["ArrowLeft"] * 99 + ["ArrowRight"] * 99)) == marks - legend
        page.locator("#heads-plot svg").focus()
        row = ["ArrowLeft"] * 3 + ["ArrowRight"] * 3 + ["ArrowUp"]
        heads = walked(page, ["ArrowDown"] * 4 + row * 4)
        assert len({each.partition(";")[0] for each in heads}) == 10


def test_the_address_restores_the_view(browser, report):
    with opened(browser, report, VIEW) as it:
        page = it.page
        assert page.input_value("#measure") != "0" or "CKA" in page.inner_text("#matrix-caption")
        assert page.inner_text("#matrix-caption").startswith("CKA.")
        assert page.locator("#row option:checked").inner_text() == "hubert-a"
        assert page.locator("#col option:checked").inner_text() == "wav2vec2-b"
        assert page.is_checked("#scale input[value=unit]")
        assert "Neuron 5 of hubert-a encoder.2" in page.inner_text("#neuron-name")
        page.evaluate("location.hash = 'm=svcca&a=wav2vec2-b.0&b=hubert-a.1'")
        said(page, "#matrix-caption", "^SVCCA")
        assert page.is_checked("#scale input[value=data]")


def test_an_address_that_names_what_is_not_here_changes_nothing(browser, report):
    with opened(browser, report, "#m=none&a=nobody.3&b=hubert-a.99&n=-1&h=x") as it:
        assert it.messages == []
        assert len(boxes(it.page, "#matrix-plot svg")) == 1


def test_every_control_of_the_toolbar_works(browser, report):
    with opened(browser, report, "#m=cka&a=hubert-a.1&b=wav2vec2-b.1") as it:
        page = it.page
        page.select_option("#measure", label="SVCCA")
        assert state(page)["m"] == "svcca"
        page.select_option("#row", label="hubert-a2")
        page.select_option("#col", label="hubert-a")
        assert (state(page)["a"], state(page)["b"]) == ("hubert-a2.1", "hubert-a.1")
        page.check("#scale input[value=unit]")
        assert "Colours span 0 to 1" in page.inner_text("#matrix-caption")
        page.fill("#find", "wav2vec2-b encoder.2")
        page.press("#find", "Enter")
        assert state(page)["a"] == "wav2vec2-b.2"
        page.click("#link")
        said(page, "#said", "address|copied")


def test_the_matrix_can_be_saved_as_numbers_and_as_a_picture(browser, report, found, tmp_path):
    with opened(browser, report, "#m=cka") as it:
        with it.page.expect_download() as saved:
            it.page.click("#csv")
        saved.value.save_as(tmp_path / "matrix.csv")
        with it.page.expect_download() as saved:
            it.page.click("#svg")
        saved.value.save_as(tmp_path / "matrix.svg")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "matrix.csv").read_text("utf-8"))))
    assert len(rows) == 15**2
    expected = found.matrix("cka", "hubert-a", "wav2vec2-b").to_numpy()[0, 2]
    (row,) = (
        each
        for each in rows
        if (each["row"], each["column"]) == ("hubert-a encoder.0", "wav2vec2-b encoder.2")
    )
    assert float(row["value"]) == pytest.approx(expected, abs=5.1e-4)
    picture = (tmp_path / "matrix.svg").read_text("utf-8")
    assert picture.startswith("<svg")
    assert "var(" not in picture


def test_neurons_are_chosen_sorted_and_searched(browser, report):
    with opened(browser, report, "#m=cka&a=hubert-a.1&b=wav2vec2-b.1&n=3") as it:
        page = it.page
        assert page.locator("#neuron-list tbody tr").count() == 12
        page.click("#neuron-list [data-key=all]")
        assert page.locator("#neuron-list tbody tr").count() == 24
        page.click("#neuron-list [data-key=sort-whole]")
        column = page.locator("#neuron-list tbody tr td:nth-child(2)").all_inner_texts()
        assert column == sorted(column, key=float, reverse=True)
        page.fill("#neuron-list input", "7")
        page.press("#neuron-list input", "Enter")
        assert page.locator("#neuron-list tbody tr").count() == 1
        page.click("#neuron-list [data-key=neuron-7]")
        assert state(page)["n"] == "7"
        page.click("#neuron-card button:has-text('next')")
        assert state(page)["n"] == "8"


def test_heads_are_chosen_and_show_their_matches(browser, report):
    with opened(browser, report, "#m=attn_js&a=hubert-a.1&b=wav2vec2-b.1") as it:
        page = it.page
        page.keyboard.press("Tab")
        page.locator("#heads-plot svg").focus()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        assert "h" in state(page)
        assert page.inner_text("#head-card").startswith("hubert-a encoder.1 head 1")
        assert "wav2vec2-b" in page.inner_text("#head-card table")


def painted(page, selector):
    """Return the colours of the cells of a map, from the bottom left."""
    return page.evaluate(
        """async (selector) => {
            const picture = new Image();
            picture.src = document.querySelector(`${selector} image`).getAttribute("href");
            await picture.decode();
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [picture.width, picture.height];
            const pen = canvas.getContext("2d");
            pen.drawImage(picture, 0, 0);
            const bytes = pen.getImageData(0, 0, picture.width, picture.height).data;
            const [columns, rows] = [canvas.width, canvas.height].map((n) => [...Array(n).keys()]);
            const hex = (at) => [0, 1, 2].map((k) => (256 + bytes[at + k]).toString(16).slice(1));
            const colour = (place) => `#${hex(4 * place).join("")}`;
            const width = columns.length;
            return rows.reverse().map((row) => columns.map((k) => colour(row * width + k)));
        }""",
        selector,
    )


HEAD = "#m=attn_js&a=hubert-a.1&b=wav2vec2-b.1&h=1"


def test_a_head_shows_its_maps_beside_those_of_its_best_matches(browser, report, found):
    with opened(browser, report, HEAD) as it:
        page = it.page
        names = page.locator("#head-maps .maps:first-of-type figcaption b").all_inner_texts()
        assert names[0] == "hubert-a encoder.1 head 1"
        matches = head_matches(found, "attn_js").xs(
            ("hubert-a", "encoder.1", 1), level=("model_row", "layer_row", "head_row")
        )
        best = [
            f"{model} {layer} head {head}"
            for model, layer, head in zip(
                matches.index, matches["layer_col"], matches["head_col"], strict=True
            )
        ]
        assert sorted(names[1:]) == sorted(best)
        assert page.locator("#head-maps .maps:last-of-type figcaption b").all_inner_texts() == names
        assert "in one utterance: prompt 7" in page.inner_text("#head-maps")
        assert "key, seconds" in page.inner_text("#map-1-0")
        highest = float(head_maps.mean_maps(found).sel(model_row="hubert-a")[1, 1].max())
        assert f"highest {highest:.3f}" in page.inner_text("#head-maps figcaption >> nth=0")


def test_maps_are_painted_in_the_colours_of_their_numbers(browser, report, found):
    colours = scale_of_colours()
    here = {"model_row": "hubert-a", "layer_row": "encoder.1"}
    with opened(browser, report, HEAD) as it:
        for place, maps in enumerate((head_maps.mean_maps, head_maps.utterance_maps)):
            values = maps(found).sel(here)[1].to_numpy()
            steps = np.rint(values / values.max() * (len(colours) - 1)).astype(int)
            assert painted(it.page, f"#map-{place}-0") == [
                [colours[k] for k in row] for row in steps
            ]


def test_the_keyboard_reaches_the_cells_of_a_map(browser, report, found):
    values = head_maps.mean_maps(found).sel(model_row="hubert-a", layer_row="encoder.1")[1]
    with opened(browser, report, HEAD) as it:
        page = it.page
        page.keyboard.press("Tab")
        page.locator("#map-0-0 svg").focus()
        for key in ("ArrowUp", "ArrowUp", "ArrowRight"):
            page.keyboard.press(key)
        words = page.inner_text("#said")
        assert words.startswith("hubert-a encoder.1 head 1; query part 3 of 24; key part 2 of 24; ")
        assert float(words.split()[-1]) == pytest.approx(float(values[2, 1]), abs=0.006)
        corner = ["ArrowDown", "ArrowLeft"] * 24
        snake = [*["ArrowRight"] * 23, "ArrowUp", *["ArrowLeft"] * 23, "ArrowUp"]
        walked(page, corner)
        assert len(walked(page, corner[:2] + snake * 12)) == 24**2


def test_a_run_without_maps_shows_the_rest_of_a_head(browser, found, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(render(replace(found, maps=xr.Dataset()), ()), "utf-8")
    with opened(browser, path, HEAD) as it:
        assert it.messages == []
        assert it.page.inner_text("#head-card").startswith("hubert-a encoder.1 head 1")
        assert it.page.inner_text("#head-maps") == ""


def test_a_page_of_very_many_heads_names_where_their_maps_are(
    browser, found, tmp_path, monkeypatch
):
    monkeypatch.setattr(sys.modules["assonance.report.views.heads"], "MOST_MAPS", 3)
    path = tmp_path / "report.html"
    path.write_text(render(found, ()), "utf-8")
    with opened(browser, path, HEAD) as it:
        assert it.messages == []
        assert "results.nc has them" in it.page.inner_text("#head-maps")


def test_names_that_are_markup_run_nothing(browser, tmp_path):
    made = comparison((EVIL, "b"), (2, 2), ("cka", "maxcorr", "attn_js"), notes=(EVIL,))
    made.scores["cka"].attrs["long_name"] = EVIL
    made.maps["utterance_map"].attrs["utterance"] = EVIL
    path = tmp_path / "report.html"
    path.write_text(render(made, (EVIL,)), "utf-8")
    with opened(browser, path, f"#{urlencode({'a': f'{EVIL}.0', 'b': 'b.1'})}") as it:
        it.page.hover("#matrix-plot svg")
        open_all(it.page)
        it.page.wait_for_timeout(100)
        assert it.messages == []
        assert it.requests == []
        assert EVIL in it.page.inner_text("#findings")
        assert EVIL in it.page.inner_text("#neuron-name")
        assert EVIL in it.page.inner_text("#head-maps h3 >> nth=1")


def test_without_a_script_matrix_verdict_and_tables_are_there(browser, report):
    with opened(browser, report, script=False) as it:
        page = it.page
        assert page.is_visible(".verdict")
        assert page.locator("#matrix noscript svg").is_visible()
        assert not page.is_visible("#controls")
        page.click("#table-matrix-0 summary")
        assert page.locator("#table-matrix-0 table").is_visible()
        assert page.locator("table").count() > 15


def test_print_is_a_few_pages_and_tables_are_added_by_choice(browser, report):
    def pages(page):
        return len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True)))

    with opened(browser, report) as it:
        few = pages(it.page)
        assert few <= 7
        it.page.check("#print-tables")
        assert pages(it.page) > few

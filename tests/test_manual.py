"""The tutorial runs as it is stored, from audio to a figure."""

import json
import re
import runpy
import warnings
from pathlib import Path

import pytest

import assonance

DOCS = Path(__file__).parents[1] / "docs"
TUTORIAL = DOCS / "manual" / "tutorial.ipynb"


def code_cells():
    """The code of the notebook, cell by cell."""
    cells = json.loads(TUTORIAL.read_text("utf-8"))["cells"]
    return [each for each in cells if each["cell_type"] == "code"]


def test_the_tutorial_is_stored_without_outputs():
    assert len(code_cells()) > 5
    for each in code_cells():
        assert (each["outputs"], each["execution_count"]) == ([], None)


@pytest.mark.slow
def test_the_tutorial_runs_from_audio_to_a_figure(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    with warnings.catch_warnings():
        for each in code_cells():
            exec(compile("".join(each["source"]), each["id"], "exec"), names)  # noqa: S102
    assert (tmp_path / "neurons.svg").stat().st_size > 10_000
    said = capsys.readouterr().out
    assert "from random weights" in said
    assert "Models share single neurons beyond what random rotations" in said


def test_every_part_that_the_picture_of_the_report_numbers_is_named():
    pictures = runpy.run_path(str(DOCS / "report_parts.py"))["PICTURES"]
    text = (DOCS / "manual" / "start.md").read_text("utf-8")
    first = 1
    for name, _, parts in pictures:
        after = text.partition(f"images/{name}.png")[2].partition("![")[0]
        numbers = [int(each) for each in re.findall(r"^(\d+)\. \*\*", after, re.M)]
        assert numbers == list(range(first, first + len(parts)))
        first += len(parts)


def test_the_parts_that_the_picture_numbers_are_in_the_page():
    page = Path(assonance.__file__).parent / "report" / "browser" / "page.html.j2"
    found = re.findall(r'(?:id="|plot\(")([\w-]+)"', page.read_text("utf-8"))
    pictures = runpy.run_path(str(DOCS / "report_parts.py"))["PICTURES"]
    named = {
        each
        for _, ends, parts in pictures
        for selector in (*ends, *parts)
        for each in re.findall(r"#([\w-]+)", selector)
    }
    assert named <= set(found)


def test_the_page_of_commands_has_every_command_with_examples_and_options():
    pytest.importorskip("sphinx")
    pytest.importorskip("latex2mathml")
    page = runpy.run_path(str(DOCS / "conf.py"))["commands"]()
    for command in ("compare", "explore", "store verify", "completion"):
        assert f"## `assonance {command}`" in page
        assert f"\nassonance {command} " in page
    assert "`--measure`, `-m`" in page

"""The report is written in one step, the same each time."""

from pathlib import Path

import pytest
from pages import small

from assonance import report
from assonance.errors import AssonanceError
from assonance.report import write_report
from assonance.report.page import SCRIPTS, STYLES

SENTENCES = ("They share a space.",)


def test_the_same_comparison_makes_the_same_bytes(tmp_path):
    for name in ("a.html", "b.html"):
        write_report(small(measures=("cka", "maxcorr")), SENTENCES, tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == second
    assert {each.name for each in tmp_path.iterdir()} == {"a.html", "b.html"}


def test_a_page_that_cannot_be_written_is_an_error_of_ours(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(AssonanceError, match=r"file.*cannot be written.*name another place"):
        write_report(small(measures=()), (), tmp_path / "file" / "report.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(AssonanceError, match="folder: cannot be written"):
        write_report(small(measures=()), (), tmp_path / "folder")
    assert {each.name for each in tmp_path.iterdir()} == {"file", "folder"}


def test_the_template_and_style_travel_with_the_package():
    folder = Path(report.__file__).parent / "browser"
    files = {each.name for each in folder.iterdir()}
    assert {"page.html.j2", *SCRIPTS, *STYLES} <= files

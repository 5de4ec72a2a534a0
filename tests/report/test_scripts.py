"""The page's scripts are well formed, each for itself and all in one scope."""

import shutil
import subprocess
from importlib import resources

import pytest

from assonance.report.page import SCRIPTS, script_text

NODE = shutil.which("node")
FOLDER = resources.files("assonance.report").joinpath("browser")


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_every_script_is_well_formed(tmp_path):
    (tmp_path / "all.js").write_text(script_text(), "utf-8")
    paths = [*(str(FOLDER.joinpath(name)) for name in SCRIPTS), str(tmp_path / "all.js")]
    for path in paths:
        found = subprocess.run([str(NODE), "--check", path], capture_output=True, text=True)
        assert found.returncode == 0, found.stderr


def test_every_script_in_the_folder_is_part_of_the_page():
    files = {each.name for each in FOLDER.iterdir()}
    assert {name for name in files if name.endswith(".js")} == set(SCRIPTS)


def test_no_script_makes_code_or_markup_from_text():
    text = script_text()
    for word in ("eval(", "new Function", "innerHTML", "outerHTML", "document.write", "http:"):
        assert word not in text.replace('"http://www.w3.org/2000/svg"', "")

"""The tutorial runs as it is stored, from audio to a figure."""

import json
import warnings
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).parents[1] / "docs" / "manual" / "tutorial.ipynb"


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

"""The code of the tutorial runs as it stands, in the order of the page."""

import re
import warnings
from pathlib import Path

from assonance.errors import AssonanceWarning

MANUAL = Path(__file__).parents[1] / "docs" / "manual"


def test_the_tutorial_runs_from_audio_to_a_figure(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (MANUAL / "tutorial.md").read_text("utf-8"), re.S)
    names: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssonanceWarning)  # little speech
        for block in blocks:
            exec(compile(block, "tutorial.md", "exec"), names)  # noqa: S102 - what readers run
    assert (tmp_path / "neurons.svg").stat().st_size > 10_000
    said = capsys.readouterr().out
    assert "('hubert-mini', 'wav2vec2-mini')" in said
    assert "Models share single neurons beyond what random rotations" in said

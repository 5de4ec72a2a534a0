"""The terminal shows what a run found, and what it left out, in a few lines."""

from comparisons import comparison

from assonance.cli import run as runs
from assonance.cli import terminal
from assonance.cli.run_folder import RunFolder
from assonance.comparison.request import Request
from assonance.corpus import LeftOut
from assonance.report.findings import summary


def start(monkeypatch, tmp_path, outcome):
    monkeypatch.setattr(runs, "run", outcome)
    terminal.run(["a", "b"], "speech", RunFolder(tmp_path), Request())


def test_findings_and_files_are_on_standard_output_and_notes_are_not(monkeypatch, tmp_path, capsys):
    left_out = [LeftOut(str(number), f"{number}.wav", "is not audio") for number in range(12)]
    found = comparison(notes=["a caveat"], left_out=left_out)
    start(monkeypatch, tmp_path, lambda *given, **options: found)
    shown = capsys.readouterr()
    first, *sentences, results, report = shown.out.splitlines()
    assert first.startswith("hubert-a and wav2vec2-b on ")
    assert [line.strip() for line in sentences] == summary(found)
    assert results == "results: " + ", ".join(
        str(tmp_path / name) for name in ("results.nc", "results.csv", "claims.csv")
    )
    assert report == f"report:  {tmp_path / 'report.html'}"
    lines = shown.err.splitlines()
    assert lines[:2] == ["note: a caveat", "left out: 0.wav: is not audio"]
    assert lines[-1] == "left out: 2 more; the report names them"

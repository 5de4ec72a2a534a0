"""Formats: each path is read by the one that recognises it, and every text lists them all."""

import pkgutil
from pathlib import Path

import pytest

from assonance.cli.options import AUDIO
from assonance.corpus import Corpus, formats
from assonance.corpus.formats import folder, huggingface_dataset, kaldi, lhotse_cuts, manifest
from assonance.corpus.formats.detection import FORMATS, list_entries, supported_formats
from assonance.errors import AssonanceError


def test_a_missing_folder_is_refused_by_name(tmp_path):
    for path in (tmp_path / "gone", "gone", "~nobody/gone", f"{'x' * 5000}gone"):
        with pytest.raises(AssonanceError, match="gone: no such folder or manifest"):
            Corpus.from_path(path)


def test_another_file_is_refused_by_name_with_the_formats_there_are(tmp_path):
    path = tmp_path / "l.txt"
    path.write_text("a.wav\n")
    with pytest.raises(AssonanceError) as caught:
        list_entries(path)
    assert str(caught.value) == (
        f"{path}: not a corpus; give a folder of audio, a saved Hugging Face dataset, "
        "a Kaldi directory, a .csv or .jsonl manifest or lhotse cuts"
    )


@pytest.mark.parametrize(
    ("files", "path", "format", "name"),
    [
        ({"in/a.wav": ""}, "in", folder, "in"),
        ({"in/a.wav": "", "in/manifest.csv": "path"}, "in", manifest, "in"),
        ({"in/wav.scp": "", "in/manifest.csv": "path"}, "in", manifest, "in"),
        ({"in/manifest.csv": "path"}, "in/manifest.csv", manifest, "in"),
        ({"in/list.CSV": "path"}, "in/list.CSV", manifest, "list"),
        ({"list.jsonl": '{"path": "a.wav"}'}, "list.jsonl", manifest, "list"),
        ({"list.jsonl": "not JSON"}, "list.jsonl", manifest, "list"),
        ({"list.jsonl": '\n{"type": "MonoCut"}'}, "list.jsonl", lhotse_cuts, "list"),
        ({"list.jsonl.gz": ""}, "list.jsonl.gz", lhotse_cuts, "list"),
        ({"in/wav.scp": "", "in/a.wav": ""}, "in", kaldi, "in"),
        ({"in/state.json": "", "in/dataset_info.json": ""}, "in", huggingface_dataset, "in"),
        ({"in/dataset_dict.json": ""}, "in", huggingface_dataset, "in"),
    ],
)
def test_the_first_format_that_recognises_a_path_reads_it(tmp_path, files, path, format, name):
    for each, content in files.items():
        (tmp_path / each).parent.mkdir(exist_ok=True)
        (tmp_path / each).write_text(content)
    found = next(each for each in FORMATS if each.recognises(tmp_path / path))
    assert found is format.FORMAT
    assert found.corpus_name(tmp_path / path) == name


def test_every_format_has_an_entry_and_a_place_in_every_text():
    modules = {module.name for module in pkgutil.iter_modules(formats.__path__)}
    assert len(FORMATS) == len(modules - {"detection", "entry"})
    guide = (Path(__file__).parents[3] / "docs" / "corpora.md").read_text(encoding="utf-8")
    for each in FORMATS:
        assert each.name in supported_formats()
        assert each.name in AUDIO
        assert f"| {each.name} |" in guide

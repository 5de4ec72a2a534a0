"""A corpus as a whole: its counts, and what is refused."""

import subprocess
import sys

import pytest
from speech_files import write

from assonance.corpus import Corpus
from assonance.errors import AssonanceError


def test_a_corpus_counts_hours_speakers_languages_and_rates(tmp_path):
    write(tmp_path / "a.wav", seconds=0.9)
    write(tmp_path / "b.wav", seconds=0.9, rate=8000)
    (tmp_path / "manifest.csv").write_text(
        "path,speaker,language\na.wav,June,en\nb.wav,,\n", encoding="utf-8"
    )
    corpus = Corpus.from_path(tmp_path)
    assert corpus.hours == pytest.approx(1.8 / 3600)
    assert (corpus.speakers, corpus.languages) == (("June",), ("en",))
    assert corpus.sampling_rates == (8000, 16000)
    assert len(corpus) == 2


def test_a_folder_without_any_usable_audio_is_refused_with_the_first_reason(tmp_path):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(AssonanceError, match=r"none of its 2 .*a\.wav: is an empty file"):
        Corpus.from_path(tmp_path)


def test_reading_corpora_and_stores_and_naming_models_needs_no_torch():
    program = (
        "import sys, assonance.corpus, assonance.models;"
        "import assonance.activations.store, assonance.activations.extraction;"
        "sys.exit(any(heavy in sys.modules for heavy in ('torch', 'transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("window", "30"),
        ("window", True),
        ("max_hours", "1"),
        ("channel", "left"),
        ("channel", -1),
        ("channel", 1.5),
        ("seed", -1),
        ("seed", None),
    ],
)
def test_an_option_of_the_wrong_kind_is_named(tmp_path, option, value):
    write(tmp_path / "a.wav")
    with pytest.raises(AssonanceError, match=f"^{option} must be a .*; got {value!r}$"):
        Corpus.from_path(tmp_path, **{option: value})

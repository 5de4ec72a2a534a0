"""Speech from the command line: the check, and the options that say what is read."""

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import yaml
from signals import voice
from speech_files import write

from assonance import Comparison


def assonance(*arguments, cwd):
    """Exit status, standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "assonance", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_a_sound_corpus_passes_the_check(speech, tmp_path):
    status, out, _ = assonance("corpus", "check", speech, cwd=tmp_path)
    assert status == 0
    assert out.splitlines()[0].startswith(f"{speech.name}: 6 utterances")
    assert out.splitlines()[-1] == "0 errors, 0 warnings"


def test_the_check_fails_on_errors_and_names_each(tmp_path):
    write(tmp_path / "good.wav", seconds=1)
    write(tmp_path / "old.wav", seconds=1, seed=2, subtype="PCM_U8")
    soundfile.write(tmp_path / "nan.wav", np.full(16000, np.nan), 16000, subtype="FLOAT")
    (tmp_path / "empty\n.wav").write_bytes(b"")
    status, out, _ = assonance("corpus", "check", ".", cwd=tmp_path)
    assert status == 1
    lines = out.splitlines()
    assert "error: 2 cannot be used" in lines
    assert "    'empty\\n.wav': is an empty file" in lines
    assert "    nan (nan.wav): holds samples that are NaN or infinite" in lines
    assert lines[lines.index("warning: 1 stored in 8 bits") + 1] == "    old (old.wav)"
    assert lines[-1] == "2 errors, 1 warnings"


def test_the_quick_check_says_that_it_read_nothing(tmp_path):
    soundfile.write(tmp_path / "nan.wav", np.full(16000, np.nan), 16000, subtype="FLOAT")
    status, out, _ = assonance("corpus", "check", ".", "--quick", cwd=tmp_path)
    assert status == 0
    assert out.splitlines()[-1] == "0 errors, 0 warnings; no sample was read (--quick)"


@pytest.mark.parametrize(
    ("listing", "words"),
    [
        ("path\n", "lists no utterances"),
        ("path,start,end\na.wav,2,1\n", "none of its 1 audio files can be used"),
    ],
)
def test_a_listing_of_nothing_usable_fails_in_one_line(tmp_path, listing, words):
    write(tmp_path / "a.wav", seconds=3)
    (tmp_path / "l.csv").write_text(listing)
    status, out, err = assonance("corpus", "check", "l.csv", cwd=tmp_path)
    assert (status, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith("error: l.csv")
    assert words in line


def test_a_run_reads_what_it_was_told_to_and_notes_it(checkpoint, tmp_path):
    stereo = np.stack([voice(3, seed=1), voice(3, seed=2)], 1)
    soundfile.write(tmp_path / "two.wav", stereo, 16000)
    write(tmp_path / "one.wav", seconds=1)
    (tmp_path / "l.csv").write_text("path\ntwo.wav\none.wav\n")
    (tmp_path / "w.ctm").write_text("two 1 0 1.4 hello\ntwo 1 1.6 1 you\none 1 0.2 0.3 hi\n")
    status, out, err = assonance(
        *("compare", checkpoint(), "--audio", "l.csv", "--out", "run", "-m", "cka", "--no-twins"),
        *("--window", "2", "--channel", "1", "--max-hours", "1", "--sample-seed", "3"),
        *("--pool", "word", "--alignments", "w.ctm", "--skip-silence"),
        cwd=tmp_path,
    )
    assert status == 0, err
    for words in (
        "channel 1 is read in 1 of 2 utterances",
        "1 of 2 utterances are longer than 2 s and are cut into 2 windows",
        "each row of the neuron and layer measures is a word",
        "silence is left out",
    ):
        assert words in err
    assert "on 3 utterances" in out
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["speech"] == {"window": 2, "channel": 1, "max_hours": 1, "seed": 3}
    assert config["pooling"]["pool"] == "word"
    record = Comparison.load(tmp_path / "run" / "results.nc").provenance
    assert (record.corpus.source, record.corpus.frames) == ("l.csv", 3)


def test_pooling_without_alignments_is_refused_in_one_line(checkpoint, speech, tmp_path):
    status, _, err = assonance(
        "compare", checkpoint(), "--audio", speech, "--pool", "phone", cwd=tmp_path
    )
    assert status == 1
    (line,) = err.splitlines()
    assert line.startswith("error: alignments: pooling by phone needs them")

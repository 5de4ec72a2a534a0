"""The corpus recipe, from packages made for the occasion, and the subset that is bundled."""

import csv
import gzip
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import soundfile

from recipes.speech.split import LANGUAGES, is_held_out, name_of

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "src/assonance/demo/speech"

needs_tools = pytest.mark.skipif(
    not (shutil.which("ffmpeg") and shutil.which("dpkg-deb")), reason="needs ffmpeg and dpkg-deb"
)


def make_package(folder, name, files):
    """Build a Debian package of some files."""
    tree = folder / name
    control = {
        "Package": name,
        "Version": "1",
        "Architecture": "all",
        "Maintainer": "nobody <nobody@example.org>",
        "Description": "prompts",
    }
    text = "".join(f"{key}: {value}\n" for key, value in control.items()).encode()
    for path, content in {"DEBIAN/control": text, **files}.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
    command = ["dpkg-deb", "--build", "--root-owner-group", tree, folder / f"{name}_1_all.deb"]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(tree)


@pytest.fixture
def packages(tmp_path):
    """A corpus folder with packages of two prompts, a beep and an empty file a language."""
    folder = tmp_path / "data/packages"
    folder.mkdir(parents=True)
    for index, language in enumerate(LANGUAGES):
        voice = f"usr/share/asterisk/sounds/{language}_XX_f_Nobody{index}"
        sound = bytes(range(256)) * 40
        prompts = {"hello": sound, "digits/1": sound[::-1], "beep": sound, "is": b""}
        make_package(
            folder,
            f"asterisk-core-sounds-{language}-g722",
            {f"{voice}/{name}.g722": content for name, content in prompts.items()},
        )
        words = gzip.compress("\ufeff; Words\n\nhello: Hello:  world\n".encode(), mtime=0)
        path = f"usr/share/doc/asterisk-core-sounds-{language}/core-sounds-{language}.txt.gz"
        make_package(folder, f"asterisk-core-sounds-{language}", {path: words})
    return folder


def build(output, **environment):
    return subprocess.run(
        [sys.executable, "-m", "recipes.speech.build", "--output", output],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@needs_tools
def test_the_corpus_is_built_the_same_twice(packages):
    output = packages.parent
    assert build(output).returncode == 0
    first = contents(output)
    assert build(output).returncode == 0
    assert contents(output) == first
    with (output / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["id"] for r in rows if r["language"] == "en"] == ["en/digits/1", "en/hello"]
    assert {r["speaker"] for r in rows} == {f"Nobody{i}" for i in range(5)}
    assert {r["text"] for r in rows} == {"", "Hello: world"}
    info = soundfile.info(output / rows[0]["path"])
    assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
    assert info.duration == pytest.approx(float(rows[0]["duration"]), abs=1e-4)
    assert not (output / "scratch").exists()


def tools_on_path(folder, *names):
    """A folder to use as PATH with nothing but these tools."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(shutil.which(name))
    return str(folder)


def assert_one_line(done, *words):
    assert done.returncode == 1
    assert not done.stdout
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: ")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in line


@needs_tools
def test_a_missing_decoder_is_told(packages, tmp_path):
    path = tools_on_path(tmp_path / "bin", "dpkg-deb", "tar")
    assert_one_line(build(packages.parent, PATH=path), "ffmpeg is not on PATH", "install")


def test_a_missing_package_manager_is_told(tmp_path):
    path = tools_on_path(tmp_path / "bin")
    assert_one_line(build(tmp_path / "data", PATH=path), "apt-get is not on PATH", "packages")


def test_a_failed_download_is_told(tmp_path):
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin/apt-get"
    fake.write_text("#!/bin/sh\necho 'E: Unable to locate package' >&2\nexit 100\n")
    fake.chmod(0o755)
    done = build(tmp_path / "data", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert_one_line(done, "Unable to locate package", "apt-get update")


@needs_tools
def test_a_cut_package_is_told(packages):
    package = packages / "asterisk-core-sounds-en-g722_1_all.deb"
    package.write_bytes(package.read_bytes()[:500])
    assert_one_line(build(packages.parent), str(package), "delete")


@pytest.fixture(scope="module")
def bundled():
    with (BUNDLED / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_bundled_manifest_matches_its_files(bundled):
    listed = {row["path"] for row in bundled}
    assert listed == {p.relative_to(BUNDLED).as_posix() for p in BUNDLED.rglob("*.flac")}
    for row in bundled:
        info = soundfile.info(BUNDLED / row["path"])
        assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
        assert info.duration == pytest.approx(float(row["duration"]), abs=1e-4)


def test_the_bundled_speech_is_held_out_balanced_and_small(bundled):
    assert all(is_held_out(name_of(row["id"])) for row in bundled)
    assert all(row["text"] for row in bundled)
    assert len({row["speaker"] for row in bundled}) == 4
    counts = Counter(row["language"] for row in bundled)
    assert sorted(counts) == sorted(LANGUAGES)
    assert len(set(counts.values())) == 1
    assert sum(float(row["duration"]) for row in bundled) >= 300
    assert sum(p.stat().st_size for p in BUNDLED.rglob("*.flac")) <= 8_000_000

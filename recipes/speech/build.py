"""Build a 16 kHz mono speech corpus with a manifest from Debian's Asterisk prompts.

Run from the root of the repository::

    python -m recipes.speech.build

Packages are fetched with ``apt-get download`` (nothing is installed) and decoded with ffmpeg. The
same packages give the same files. Running it again reuses the packages and replaces the rest.
"""

import argparse
import csv
import gzip
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import soundfile

from recipes.speech.errors import RecipeError, exit_code
from recipes.speech.split import LANGUAGES, is_speech

RATE = 16_000
COLUMNS = ("id", "path", "speaker", "language", "text", "duration")
FILES_PER_FFMPEG = 64  # starting ffmpeg costs more than decoding one prompt


def run_tool(command: list[str], cwd: Path, remedy: str) -> None:
    """Run an external tool quietly; raise `RecipeError` with its last words if it fails."""
    try:
        subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise RecipeError(f"{command[0]} is not on PATH: {remedy}") from error
    except subprocess.CalledProcessError as error:
        words = error.stderr.strip().splitlines() or ["no message"]
        raise RecipeError(f"{command[0]} failed ({words[-1]}): {remedy}") from error


def fetch(name: str, packages: Path) -> Path:
    """Return a Debian package by name, downloading it unless it is there."""
    packages.mkdir(parents=True, exist_ok=True)
    if not list(packages.glob(f"{name}_*.deb")):
        remedy = (
            f"this recipe needs Debian's {name}; run `apt-get update` on a Debian machine with "
            f"network access, or put the package into {packages}"
        )
        run_tool(["apt-get", "download", name], packages, remedy)
    found = sorted(packages.glob(f"{name}_*.deb"))
    if len(found) != 1:
        raise RecipeError(f"{packages} holds {len(found)} versions of {name}: keep one")
    return found[0]


def unpack(package: Path, folder: Path) -> None:
    """Extract a package."""
    folder.mkdir(parents=True, exist_ok=True)
    remedy = f"delete {package} to have it fetched again, or install dpkg"
    run_tool(["dpkg-deb", "--extract", str(package.resolve()), str(folder)], folder, remedy)


def voice_folder(unpacked: Path) -> Path:
    """Return the folder of a package's one voice, such as ``fr_CA_f_June``."""
    voices = [p for p in (unpacked / "usr/share/asterisk/sounds").glob("*_*_*_*") if p.is_dir()]
    if len(voices) != 1:
        raise RecipeError(f"{unpacked.name} has {len(voices)} voices where one was expected")
    return voices[0]


def transcripts(unpacked: Path) -> dict[str, str]:
    """Words of each prompt by name, from lines such as ``vm-goodbye: Goodbye.``.

    Some prompts, most of them punctuation and digits, have none.
    """
    found = list((unpacked / "usr/share/doc").glob("*/core-sounds-??.txt.gz"))
    if len(found) != 1:
        raise RecipeError(f"{unpacked.name} has {len(found)} lists of transcripts, not one")
    with gzip.open(found[0], "rt", encoding="utf-8-sig") as file:
        lines = [line for line in file if ":" in line and not line.startswith(";")]
    pairs = [line.split(":", 1) for line in lines]
    return {name.strip(): " ".join(words.split()) for name, words in pairs}


def prompt_names(voice: Path) -> list[str]:
    """Names of the prompts of a voice that hold speech; one of the Russian files is empty."""
    files = [p for p in voice.rglob("*.g722") if p.stat().st_size > 0]
    names = sorted(p.relative_to(voice).with_suffix("").as_posix() for p in files)
    return [name for name in names if is_speech(name)]


def decode(voice: Path, names: list[str], target: Path) -> None:
    """Decode raw G.722 prompts of one voice to 16-bit WAV files under `target`."""
    for start in range(0, len(names), FILES_PER_FFMPEG):
        chunk = names[start : start + FILES_PER_FFMPEG]
        command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-threads", "1"]
        for name in chunk:
            command += ["-f", "g722", "-i", str(voice / f"{name}.g722")]
        for index, name in enumerate(chunk):
            path = target / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            # bitexact keeps ffmpeg's version out of the file
            command += ["-map", str(index), "-c:a", "pcm_s16le", "-ar", str(RATE), "-ac", "1"]
            command += ["-fflags", "+bitexact", str(path.resolve())]
        run_tool(command, target, "install ffmpeg with its g722 decoder")


def rows(corpus: Path, language: str, speaker: str, words: dict[str, str]) -> Iterator[dict]:
    """Manifest rows of one voice, from the words of each prompt."""
    for name, text in words.items():
        path = Path("audio", language, f"{name}.wav")
        info = soundfile.info(corpus / path)
        yield {
            "id": f"{language}/{name}",
            "path": path.as_posix(),
            "speaker": speaker,
            "language": language,
            "text": text,
            "duration": f"{info.frames / info.samplerate:.4f}",
        }


def read_manifest(path: Path) -> list[dict[str, str]]:
    """Read a manifest CSV."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError as error:
        raise RecipeError(
            f"{path} does not exist: make the corpus with `python -m recipes.speech.build`"
        ) from error
    if not rows or set(COLUMNS) - set(rows[0]):
        raise RecipeError(f"{path} is not a manifest with columns {', '.join(COLUMNS)}")
    return rows


def write_manifest(path: Path, manifest: list[dict]) -> None:
    """Write a manifest CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(manifest)


def build(output: Path) -> int:
    """Build the corpus under `output` and return its number of prompts.

    Everything is made in a scratch folder first, and the manifest goes last: where there is a
    manifest, there is a whole corpus.
    """
    scratch = output / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    manifest = []
    for language in LANGUAGES:
        unpacked = (scratch / "unpacked" / language).resolve()
        # the first holds the recordings, the second their transcripts
        for name in (f"asterisk-core-sounds-{language}-g722", f"asterisk-core-sounds-{language}"):
            unpack(fetch(name, output / "packages"), unpacked)
        voice = voice_folder(unpacked)
        speaker = voice.name.split("_")[3]
        names = prompt_names(voice)
        decode(voice, names, scratch_audio(scratch, language))
        texts = transcripts(unpacked)
        manifest += rows(scratch, language, speaker, {n: texts.get(n, "") for n in names})
        print(f"{language}: {len(names)} prompts by {speaker}", file=sys.stderr)
    write_manifest(scratch / "manifest.csv", manifest)
    (output / "manifest.csv").unlink(missing_ok=True)
    shutil.rmtree(output / "audio", ignore_errors=True)
    (scratch / "audio").replace(output / "audio")
    (scratch / "manifest.csv").replace(output / "manifest.csv")
    shutil.rmtree(scratch)
    return len(manifest)


def scratch_audio(scratch: Path, language: str) -> Path:
    """Make and return the folder for a language's decoded files."""
    folder = scratch / "audio" / language
    folder.mkdir(parents=True)
    return folder


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("data/speech"), help="%(default)s")
    arguments = parser.parse_args()
    count = build(arguments.output)
    print(f"{count} prompts in {arguments.output / 'manifest.csv'}")


if __name__ == "__main__":
    sys.exit(exit_code(main))

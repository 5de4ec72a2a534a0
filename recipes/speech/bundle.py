"""Make the demo subset of the corpus: held-out sentences, each in every language, as FLAC.

Run from the root of the repository, after `recipes.speech.build`::

    python -m recipes.speech.bundle
"""

import argparse
import shutil
import sys
from pathlib import Path

import soundfile

from recipes.speech.build import read_manifest, write_manifest
from recipes.speech.errors import RecipeError, exit_code
from recipes.speech.split import bundled_ids


def bundle(manifest: Path, output: Path) -> int:
    """Replace `output` by the demo subset and return its number of recordings."""
    rows = read_manifest(manifest)
    chosen = set(bundled_ids((row["id"], float(row["duration"])) for row in rows))
    if not chosen:
        raise RecipeError(f"{manifest} lists nothing to bundle: build the corpus again")
    scratch = output.with_name(output.name + ".partial")
    shutil.rmtree(scratch, ignore_errors=True)
    bundled = []
    for row in (row for row in rows if row["id"] in chosen):
        wave, rate = soundfile.read(manifest.parent / row["path"], dtype="int16")
        path = scratch / f"{row['id']}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, wave, rate, subtype="PCM_16", format="FLAC", compression_level=1.0)
        bundled.append({**row, "path": path.relative_to(scratch).as_posix()})
    write_manifest(scratch / "manifest.csv", bundled)
    shutil.rmtree(output, ignore_errors=True)
    scratch.replace(output)
    return len(bundled)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--manifest", type=Path, default=Path("data/speech/manifest.csv"))
    parser.add_argument("--output", type=Path, default=Path("src/assonance/demo/speech"))
    arguments = parser.parse_args()
    count = bundle(arguments.manifest, arguments.output)
    print(f"{count} recordings in {arguments.output}")


if __name__ == "__main__":
    sys.exit(exit_code(main))

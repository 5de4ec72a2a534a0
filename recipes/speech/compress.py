"""Write the demo's speech as Opus, for the installed package.

Run from the root of the repository, after `recipes.speech.bundle`::

    python -m recipes.speech.compress
"""

import argparse
import shutil
import sys
from pathlib import Path

import soundfile

from recipes.speech.build import read_manifest, write_manifest
from recipes.speech.errors import RecipeError, exit_code

# Of libsndfile: about 60 kbit a second, three times what speech needs to sound as it was.
_LEVEL = 0.8


def compress(source: Path, output: Path) -> int:
    """Replace `output` by the recordings of `source` as Opus and return their number."""
    rows = read_manifest(source / "manifest.csv")
    scratch = output.with_name(output.name + ".partial")
    shutil.rmtree(scratch, ignore_errors=True)
    written = []
    for row in rows:
        wave, rate = soundfile.read(source / row["path"], dtype="int16")
        path = (scratch / row["path"]).with_suffix(".opus")
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, wave, rate, subtype="OPUS", format="OGG", compression_level=_LEVEL)
        if soundfile.info(path).frames != len(wave):
            raise RecipeError(f"{path}: another length than {row['path']}; use another libsndfile")
        written.append({**row, "path": path.relative_to(scratch).as_posix()})
    write_manifest(scratch / "manifest.csv", written)
    shutil.rmtree(output, ignore_errors=True)
    scratch.replace(output)
    return len(written)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, default=Path("src/assonance/demo/speech"))
    parser.add_argument("--output", type=Path, default=Path("src/assonance/demo/speech_opus"))
    arguments = parser.parse_args()
    count = compress(arguments.source, arguments.output)
    print(f"{count} recordings in {arguments.output}")


if __name__ == "__main__":
    sys.exit(exit_code(main))

"""Copy the text of a repeated study and its figures into the manual.

    assonance study elkheir2024 --out runs/study
    python docs/study.py runs/study

No number is typed: docs/study.md is the text of that run, with the figures beside it.
"""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
FIGURES = HERE / "images" / "study"


def main() -> None:
    """Copy the text and the figures of the run that the command line names."""
    (run,) = map(Path, sys.argv[1:])
    text = (run / "study.md").read_text("utf-8")
    shutil.rmtree(FIGURES, ignore_errors=True)
    shutil.copytree(run / "figures", FIGURES)
    (HERE / "study.md").write_text(text.replace("(figures/", "(images/study/"), "utf-8")


if __name__ == "__main__":
    main()

"""Convert files in a process that listens for what no reader of data does; a program, not a test.

    python audited.py NAME FOLDER

Converts every file of a folder, or loads each by pickle as a control, and prints as JSON what was
raised and which forbidden events there were. The hook cannot be removed again, hence the process.
"""

import json
import os
import signal
import sys
import warnings
from pathlib import Path

import torch

from assonance import AssonanceError
from assonance.models.checkpoints.pickled.conversion import convert

SECONDS = 5.0
FORBIDDEN = ("import", "pickle.", "exec", "compile", "subprocess.", "socket.", "ctypes.")
FORBIDDEN_OF_OS = ("system", "exec", "fork", "forkpty", "posix_spawn", "spawn", "startfile", "kill")


def forbidden(event: str) -> bool:
    room, _, what = event.partition(".")
    return event.startswith(FORBIDDEN) or (room == "os" and what in FORBIDDEN_OF_OS)


def ours(path: Path) -> None:
    convert(path)


def control(path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):
        torch.load(path, weights_only=False)


def main() -> None:
    way = {"ours": ours, "control": control}[sys.argv[1]]
    first, *paths = sorted(Path(sys.argv[2]).iterdir())
    way(first)  # a good file, so that modules used for the first time are no events below
    heard: list[str] = []
    sys.addaudithook(lambda event, _: heard.append(event) if forbidden(event) else None)
    found = {}
    for path in paths:
        heard.clear()
        raised = ""
        # The process's own time, whatever else the machine does; the end of it ends the process.
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        try:
            way(path)
        except AssonanceError as error:
            raised = str(error)
        except Exception as error:
            raised = repr(error)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        found[path.name] = {"raised": raised, "heard": sorted(set(heard))}
    Path(os.environ["FOUND"]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()

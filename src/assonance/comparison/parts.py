"""Extract activations in parts, which run at any time and on any machine that sees the folder.

Each part leaves a record in the folder of the run: that it has begun, then that it is done. All
parts are known from any of them.
"""

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assonance.activations.extraction import fill
from assonance.comparison.extracted import store_folder, store_of
from assonance.comparison.prepared import Prepared
from assonance.corpus import Corpus, LeftOut
from assonance.corpus.parts import Part
from assonance.errors import AssonanceError, UnusableAudio, printable
from assonance.utils.files import write_text
from assonance.utils.lock import command_line
from assonance.utils.pieces import fingerprint
from assonance.utils.progress import Progress

PARTS = "parts"
_NAMED = 8  # missing parts that a message names


def extract_part(
    prepared: Prepared, folder: Path, part: Part, progress: Progress
) -> tuple[Corpus, list[LeftOut]]:
    """Run all models over a part of the speech, and write their activations into a run's folder.

    Parameters
    ----------
    prepared
        The models and the speech.
    folder
        Folder of the run.
    part
        The part.
    progress
        Receives the stages.

    Returns
    -------
    tuple of Corpus and list of LeftOut
        The part, and utterances that a model cannot use.

    Raises
    ------
    AssonanceError
        The folder cannot be written, or an utterance cannot be used and `on_error` is "stop".
    """
    speech = part.of(prepared.speech)
    record = _Record.of(prepared, folder, part)
    record.write(done=False)
    left_out: dict[str, LeftOut] = {}
    for name, entry in prepared.roster.items():
        model, request = entry.model, prepared.request
        store = store_of(folder, name, entry, request)
        on_error = "skip" if entry.baseline else request.on_error
        outcomes = fill(store, model, speech, None, on_error, progress)
        for each in speech:
            if isinstance(outcome := outcomes[each.id], UnusableAudio):
                left_out[each.id] = LeftOut(each.id, printable(each.path), outcome.reason)
    record.write(done=True)
    return speech, list(left_out.values())


def missing_parts(folder: Path) -> list[str]:
    """Return one sentence for each division into parts of which some are not done.

    Parameters
    ----------
    folder
        Folder of a run, which need not exist.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((folder / PARTS).glob("*.json")):
        try:
            about = json.loads(path.read_bytes())
            found.setdefault(str(about["of"]), []).append(about)
            int(about["part"]), int(about["parts"]), str(about["command"])
        except (OSError, ValueError, TypeError, KeyError):
            continue  # it is being written, or it is no record
    return [sentence for records in found.values() for sentence in _missing(folder, records)]


def _missing(folder: Path, records: Sequence[dict[str, Any]]) -> list[str]:
    count = records[0]["parts"]
    done = {each["part"] for each in records if each["done"]}
    missing = [number for number in range(1, count + 1) if number not in done]
    if not missing:
        return []
    words = shlex.split(records[0]["command"])
    command = shlex.join(
        re.sub(r"^(--part=)?[0-9]+/[0-9]+$", rf"\g<1>{missing[0]}/{count}", word) for word in words
    )
    names = ", ".join(map(str, missing[:_NAMED]))
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    which = f"part {names}" if len(missing) == 1 else f"parts {names}{more}"
    are = "is" if len(missing) == 1 else "are"
    return [
        f"{printable(folder)}: {which} of {count} {are} not extracted; run `{printable(command)}`"
        + (" and the like" if len(missing) > 1 else "")
    ]


def refuse_incomplete(folder: Path) -> None:
    """Check that activations that are extracted in parts have all of them.

    Raises
    ------
    AssonanceError
        Some are missing; the error names them and the command.
    """
    for sentence in missing_parts(folder):
        raise AssonanceError(
            f"{sentence}, or remove {printable(folder / PARTS)} to compute the rest here"
        )


@dataclass(frozen=True)
class _Record:
    """What a part leaves in the folder of the run."""

    path: Path
    about: dict[str, Any]

    @classmethod
    def of(cls, prepared: Prepared, folder: Path, part: Part) -> "_Record":
        stores = [store_folder(folder, name, each).name for name, each in prepared.roster.items()]
        speech = [[each.id, each.duration] for each in prepared.speech]
        divided = fingerprint(stores, speech, part.count, prepared.request.store)[:16]
        about = {
            "of": divided,
            "part": part.number,
            "parts": part.count,
            "command": command_line(),
        }
        return cls(folder / PARTS / f"{divided}-{part.number}.json", about)

    def write(self, *, done: bool) -> None:
        """Write the record, in place of an earlier one.

        Raises
        ------
        AssonanceError
            It cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, json.dumps({**self.about, "done": done}))

"""Describe a comparison so that any process can compute its pieces, and compute them there.

Activations and pieces lie in the folder of the run, which all processes share. A task carries names
and numbers alone.
"""

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from assonance.activations.extraction import fill
from assonance.comparison.configuration import Configuration
from assonance.comparison.extracted import Extracted, extract_all, store_of
from assonance.comparison.plan import READING
from assonance.comparison.prepared import PIECES, Prepared, prepare
from assonance.comparison.read_once import plan_with_attention
from assonance.comparison.weights import let_large_rest, let_rest
from assonance.errors import AssonanceError, printable
from assonance.utils.memory import keep_freed_memory, parse_bytes
from assonance.utils.pieces import Pieces
from assonance.utils.progress import Silent
from assonance.utils.work import Compute, Workplace

_SILENT = Silent()
# A file that the run writes and its workers look for: it is there if they share the folder.
_MARK = "shared.tmp"


@dataclass(frozen=True)
class Job:
    """A comparison, as its workers know it.

    Attributes
    ----------
    configuration
        As JSON; the memory is what each worker may take.
    folder, activations
        Folder of the run, and the folder that holds the activations.
    mark
        Content of a file in the folder, drawn anew for each start of the run.
    threads
        Cores of each worker; None for all.
    """

    configuration: str
    folder: str
    activations: str
    mark: str
    threads: int | None = None

    @classmethod
    def of(
        cls,
        configuration: Configuration,
        folder: Path,
        activations: Path | None,
        mark: str,
        threads: int | None,
    ) -> "Job":
        """Describe a comparison, and mark its folder."""
        pieces = folder / PIECES
        pieces.mkdir(parents=True, exist_ok=True)
        (pieces / _MARK).write_text(mark, "ascii")
        values = json.dumps(configuration.values())
        kept = activations or folder
        return cls(values, str(folder.resolve()), str(kept.resolve()), mark, threads)

    def check_shared(self) -> None:
        """Check that this process sees the folder of the run.

        Raises
        ------
        AssonanceError
            If it does not.
        """
        try:
            shared = (Path(self.folder) / PIECES / _MARK).read_text("ascii") == self.mark
        except (OSError, ValueError):
            shared = False
        if not shared:
            raise AssonanceError(
                f"{printable(self.folder)}: the worker on {socket.gethostname()} does not see this "
                "folder as the run does; name one with --out that all workers share"
            )


def load_libraries() -> None:
    """Import what models are opened with, which takes seconds."""
    import_module("transformers.modeling_utils")


def read_speech(job: Job, model: str, utterances: tuple[int, int]) -> None:
    """Run a model over some utterances, and write their activations.

    What cannot be used is left out here; the run itself says so.

    Parameters
    ----------
    job, model
        The comparison, and the name of the model.
    utterances
        The first, and the one after the last.
    """
    job.check_shared()
    prepared = _prepared(job)
    speech = prepared.speech
    part = replace(speech, utterances=speech.utterances[slice(*utterances)])
    entry = prepared.roster[model]
    store = store_of(Path(job.activations), model, entry, prepared.request)
    fill(store, entry.model, part, None, "skip", _SILENT)


def compute_piece(job: Job, stage: str, number: int) -> None:
    """Compute one piece of a stage and keep it, unless it is there.

    Parameters
    ----------
    job, stage
        The comparison, and the stage; see `ComparisonPlan.stage`.
    number
        Place of the piece among those of the stage.
    """
    job.check_shared()
    compute, items, pieces = _stage(job, stage)
    for _ in compute([items[number]], pieces, lambda amount: None):
        pass


@lru_cache(maxsize=1)
def _prepared(job: Job) -> Prepared:
    """Open models and speech, once a process."""
    if job.threads:
        import torch

        torch.set_num_threads(job.threads)
    made = Configuration.make(json.loads(job.configuration))
    request = made.request()
    keep_freed_memory(parse_bytes(request.memory))
    prepared = prepare(made.models, made.audio, request, _SILENT)
    let_large_rest(prepared.roster, prepared.memory, Path(job.activations))
    return prepared


@lru_cache(maxsize=1)
def _extracted(job: Job) -> Extracted:
    """Find the activations, once a process; the run has verified them, and reading them does."""
    prepared, folder = _prepared(job), Path(job.activations)
    return extract_all(
        *(prepared.roster, prepared.speech, prepared.measures, prepared.request),
        folder,
        _SILENT,
        verify=False,
    )


@lru_cache(maxsize=1)
def _stage(job: Job, stage: str) -> tuple[Compute[Any], Sequence[Any], Pieces]:
    """Plan a stage, once a process, from the activations that are there or will be."""
    prepared, folder = _prepared(job), Path(job.activations)
    place = Workplace(folder=Path(job.folder) / PIECES)
    if stage == READING:
        found = plan_with_attention(
            prepared.roster, prepared.speech, prepared.request, folder, prepared.plan
        )
        if found is not None:
            plan, heard = found
            return plan.stage(stage, place, heard)
    extracted = _extracted(job)
    let_rest(extracted.roster, folder)
    return prepared.plan(extracted).stage(stage, place)

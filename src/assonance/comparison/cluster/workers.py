"""Let a Dask cluster compute the pieces of a run: of this machine, or behind a scheduler."""

import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assonance.comparison.cluster.choice import HERE, Cluster, unanswered
from assonance.comparison.cluster.job import Job, compute_piece, load_libraries, read_speech
from assonance.comparison.configuration import Configuration
from assonance.comparison.extracted import needs_frames, store_of
from assonance.comparison.prepared import Prepared
from assonance.errors import AssonanceError
from assonance.utils import work
from assonance.utils.cores import cores
from assonance.utils.memory import parse_bytes
from assonance.utils.pieces import Piece, Pieces
from assonance.utils.progress import Progress
from assonance.utils.temporary import temporary_folder
from assonance.utils.work import Advance, Compute, Of, Work

# Name of the tasks that read speech; those of other stages are named after the stage.
EXTRACT = "extract"
# Utterances of one model that a task reads.
_UTTERANCES = 32
# Dask's own accounts of workers and schedulers that are gone; what follows from it is said here.
_LOGGERS = ("distributed", "distributed.client", "tornado.application")
_CONNECTING = 20  # seconds to wait for a scheduler


class _Dask:
    """Work on a Dask cluster: each piece on one worker, kept in the folder that all share."""

    def __init__(self, client: Any, job: Job, prepared: Prepared) -> None:
        self._client = client
        self._job = job
        self._prepared = prepared
        # Utterances whose activations an earlier run has left.
        frames = needs_frames(prepared.measures)
        self._earlier = {name: self._known(name) for name in prepared.roster} if frames else {}

    def read(self, progress: Progress) -> bool:
        """Let the workers run the models over the speech that has no activations yet.

        They verify those of an earlier run on the way.
        """
        if not needs_frames(self._prepared.measures):
            return True
        futures = [
            self._submit(EXTRACT, f"{model}-{part[0]}", read_speech, model, part)
            for model in self._prepared.roster
            for part in self._unread(model)
        ]
        if futures:
            with progress.stage("reading speech with the workers", len(futures)) as advance:
                for future in futures:
                    self._wait(future)
                    advance(1)
        return True

    def _unread(self, name: str) -> Iterator[tuple[int, int]]:
        """Yield parts of the speech of which a model's activations are missing or not verified."""
        now, utterances = self._known(name), self._prepared.speech.utterances
        for first in range(0, len(utterances), _UTTERANCES):
            part = {each.id for each in utterances[first : first + _UTTERANCES]}
            if part - now or part & self._earlier[name]:
                yield first, first + len(part)

    def _known(self, name: str) -> set[str]:
        """Return the utterances that have activations of a model."""
        entry = self._prepared.roster[name]
        return set(store_of(Path(self._job.activations), name, entry, self._prepared.request).ids)

    def each(
        self,
        stage: str,
        compute: Compute[Of],
        items: Sequence[Of],
        pieces: Pieces,
        advance: Advance,
    ) -> Iterator[Piece]:
        """Yield the pieces of all items, in their order, as workers have kept them."""
        futures = [
            self._submit(stage, f"{number}", compute_piece, stage, number)
            for number in range(len(items))
        ]
        for item, future in zip(items, futures, strict=True):
            self._wait(future)
            yield from compute([item], pieces, advance)

    def _submit(self, stage: str, piece: str, task: Any, *of: Any) -> Any:
        """Submit a task. Its name begins with the stage, by which Dask's pages group tasks."""
        key = f"{stage}-{piece}-{self._job.mark}"
        return self._client.submit(task, self._job, *of, key=key)

    def _wait(self, future: Any) -> None:
        """Wait for a task.

        Raises
        ------
        AssonanceError
            What the task raised, or that workers or the scheduler are gone.
        """
        from distributed import CancelledError, KilledWorker

        try:
            future.result()
        except AssonanceError:
            raise
        except KilledWorker as error:
            raise AssonanceError(
                "several workers ended over the same piece of work, perhaps for lack of memory; "
                "lower --memory or start fewer workers on a machine; the same command goes on from "
                "here"
            ) from error
        except (CancelledError, OSError, TimeoutError) as error:
            raise AssonanceError(
                "the scheduler has gone away; start it again, then the same command goes on from "
                "what is done"
            ) from error


@contextmanager
def connected(cluster: Cluster) -> Iterator[Any]:
    """Connect to a scheduler, or start workers on this machine and stop them at the end.

    Workers import their libraries meanwhile. Yields Dask's client; None without workers.

    Raises
    ------
    AssonanceError
        If no scheduler answers.
    """
    if cluster == HERE:
        yield None
        return
    with _client(cluster) as client:
        started = [
            client.submit(load_libraries, workers=[each], key=f"start-{secrets.token_hex(8)}")
            for each in client.scheduler_info()["workers"]
        ]
        yield client
        del started  # held until here: Dask drops a task whose future nobody holds


def working(
    client: Any,
    prepared: Prepared,
    configuration: Configuration,
    folder: Path,
    activations: Path | None,
) -> Work:
    """Return what computes the pieces of a run.

    Parameters
    ----------
    client
        As `connected` yields it.
    prepared, configuration
        The comparison, opened and described.
    folder, activations
        Folder of the run, and that of the activations if it is another.
    """
    if client is None:
        return work.HERE
    workers = prepared.request.cluster.workers
    memory = f"{int(parse_bytes(configuration.memory) / (workers or 1))}B"
    each = configuration.model_copy(update={"memory": memory})
    threads = max(1, cores() // workers) if workers else None
    job = Job.of(each, folder, activations, secrets.token_hex(8), threads)
    return _Dask(client, job, prepared)


@contextmanager
def _client(cluster: Cluster) -> Iterator[Any]:
    """Open a client. It is no default: xarray would take the locks of files from it."""
    import dask
    import distributed

    connect: Any = distributed.Client
    start: Any = distributed.LocalCluster

    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # Workers on this machine leave their scratch, and would look where they are every 10 ms: that
    # takes a tenth of their time.
    with (
        temporary_folder() as scratch,
        dask.config.set(
            {
                "distributed.comm.timeouts.connect": _CONNECTING,
                "distributed.worker.profile.enabled": False,
                "temporary-directory": str(scratch),
            }
        ),
    ):
        if cluster.scheduler is not None:
            try:
                client = connect(cluster.scheduler, timeout=_CONNECTING, set_as_default=False)
            except (OSError, ValueError, TimeoutError) as error:
                raise unanswered(cluster.scheduler, error) from error
            with client:
                yield client
            return
        with (
            start(
                n_workers=cluster.workers,
                threads_per_worker=1,
                memory_limit=None,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            ) as local,
            connect(local, set_as_default=False) as client,
        ):
            yield client

"""Choose which workers compute a run."""

from dataclasses import dataclass
from importlib.util import find_spec

from assonance.errors import AssonanceError


@dataclass(frozen=True)
class Cluster:
    """Which workers compute a run: none, some on this machine, or those of a scheduler.

    Attributes
    ----------
    workers
        Number of processes on this machine, among which its cores and `--memory` are divided.
    scheduler
        Address of a Dask scheduler, such as ``tcp://HOST:8786``.
    """

    workers: int | None = None
    scheduler: str | None = None

    def check(self) -> None:
        """Check what was asked for, before anything is loaded.

        Raises
        ------
        AssonanceError
            If both kinds of workers are asked for, or what runs them is not installed.
        """
        if self.workers is not None and self.scheduler is not None:
            raise AssonanceError("--workers starts workers here, --scheduler uses others; give one")
        if self != HERE and find_spec("distributed") is None:
            raise AssonanceError("workers need the extra cluster: pip install 'assonance[cluster]'")


# No workers but this process.
HERE = Cluster()

"""Choose which workers compute a run."""

import socket
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import urlsplit

from assonance.errors import AssonanceError, error_text, printable

_ANSWERING = 10  # seconds to wait for an answer


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
            If both kinds of workers are asked for, what runs them is not installed, or nothing
            answers at the address.
        """
        if self.workers is not None and self.scheduler is not None:
            raise AssonanceError("--workers starts workers here, --scheduler uses others; give one")
        if self != HERE and find_spec("distributed") is None:
            raise AssonanceError("workers need the extra cluster: pip install 'assonance[cluster]'")
        if self.scheduler is not None:
            self._check_address(self.scheduler)

    def _check_address(self, address: str) -> None:
        try:
            parts = urlsplit(address)
            where = parts.hostname, parts.port
            if not all(where):
                raise ValueError("an address is such as tcp://HOST:8786")
            socket.create_connection(where, _ANSWERING).close()
        except (OSError, ValueError) as error:
            raise unanswered(address, error) from error


def unanswered(address: str, error: Exception) -> AssonanceError:
    """Return the error that no scheduler answers at an address."""
    return AssonanceError(
        f"--scheduler {printable(address)}: no scheduler answers: {error_text(error)}"
    )


# No workers but this process.
HERE = Cluster()

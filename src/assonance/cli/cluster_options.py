"""Options for the workers of a run."""

from dataclasses import dataclass
from typing import Annotated

import typer

from assonance.comparison.cluster.choice import Cluster


@dataclass(frozen=True)
class Workers:
    """Options for computing with several processes, on this machine or on others."""

    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Compute with so many processes of this machine, which share its cores and "
            "--memory; needs assonance[cluster].",
        ),
    ] = None
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Compute with the workers of a Dask scheduler, such as tcp://HOST:8786. They "
            "must see the models, the speech and the folder of the run under the same names.",
            metavar="ADDRESS",
        ),
    ] = None

    def build(self) -> Cluster:
        """Return the workers, checked.

        Raises
        ------
        AssonanceError
            See `Cluster.check`.
        """
        cluster = Cluster(self.workers, self.scheduler)
        cluster.check()
        return cluster

"""Run pieces of work on the cores of this process; `comparison.cluster` runs them elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from assonance.utils.pieces import Piece, Pieces
from assonance.utils.progress import Progress

Advance = Callable[[float], None]


class Item(Protocol):
    """What one piece is computed from."""

    @property
    def size(self) -> float:
        """Amount of work, in the units of the stage."""


Of = TypeVar("Of", bound=Item)
# Computes the pieces of some items, in their order. It takes kept pieces for finished, keeps what
# it computes, and tells the amount of work that is done.
Compute = Callable[[Sequence[Of], Pieces, Advance], Iterator[Piece]]


class Work(Protocol):
    """What runs pieces of work."""

    def read(self, progress: Progress) -> bool:
        """Run the models over the speech that they have not read; no work need do this.

        Returns
        -------
        bool
            Whether all activations are there then, and those of an earlier run are verified.
        """
        ...

    def each(
        self,
        stage: str,
        compute: Compute[Of],
        items: Sequence[Of],
        pieces: Pieces,
        advance: Advance,
    ) -> Iterator[Piece]:
        """Yield the pieces of all items, in their order.

        Parameters
        ----------
        stage
            Name of the stage; see `assonance.comparison.plan.ComparisonPlan.stage`.
        compute, items, pieces, advance
            What computes the pieces, from what, where they are kept, and what hears of progress.
        """
        ...


class Here:
    """Work in this process: each piece on all its cores."""

    def read(self, progress: Progress) -> bool:
        """Do nothing: what reads the speech runs in this process."""
        return False

    def each(
        self,
        stage: str,
        compute: Compute[Of],
        items: Sequence[Of],
        pieces: Pieces,
        advance: Advance,
    ) -> Iterator[Piece]:
        """Yield the pieces of all items, in their order."""
        return compute(items, pieces, advance)


HERE = Here()


@dataclass(frozen=True)
class Workplace:
    """Where pieces of work are computed, and in which folder they are kept, if in any."""

    work: Work = HERE
    folder: Path | None = None

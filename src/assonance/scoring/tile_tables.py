"""Tables that a tile's pairs are scored into, and their merging into those of all layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import xarray as xr
from numpy.typing import NDArray

from assonance.inference.intervals import HELD
from assonance.inference.localisation import LOCALISATION
from assonance.scoring.caveats import few_effective_frames
from assonance.scoring.cells import Cells
from assonance.scoring.held_scores import HeldScores
from assonance.scoring.pass_result import PassResult
from assonance.scoring.replicates import ReplicateScores
from assonance.scoring.scores import Scores
from assonance.scoring.tiles import Tile
from assonance.settings import Settings
from assonance.utils.pieces import Piece


@dataclass(frozen=True)
class TileWork:
    """A tile, as a piece of work.

    Attributes
    ----------
    tile
        The tile.
    first
        Its layers that no earlier tile has; they are described here.
    """

    tile: Tile
    first: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of pairs."""
        return len(self.tile.pairs)


@dataclass(frozen=True)
class LayerSummary:
    """Descriptors, scores of halves and caveats of a single layer."""

    descriptors: Mapping[str, float]
    halves: Mapping[str, float]
    caveats: Sequence[str]


@dataclass(frozen=True)
class TileTables:
    """Scores, replicates and nulls of some layers.

    Attributes
    ----------
    scores, replicates, nulls
        Tables of these layers.
    held
        Fills in replicates without fitting anything again; None if everything is fitted again.
    caveats
        Caveats about single layers, by layer.
    """

    scores: Scores
    replicates: ReplicateScores
    held: HeldScores | None
    nulls: ReplicateScores
    caveats: dict[str, Sequence[str]] = field(default_factory=dict)

    def summarise(self, layer: str, summary: LayerSummary) -> None:
        """Store what is known of a single layer."""
        self.scores.describe(layer, summary.descriptors)
        self.scores.halve(layer, summary.halves)
        self.caveats[layer] = summary.caveats

    def piece(self) -> Piece:
        """Return everything as a piece."""
        arrays: dict[str, NDArray[Any]] = {}
        for kind, tables in self._kinds().items():
            arrays |= {f"{kind}/{name}": table for name, table in tables.arrays().items()}
        return Piece(arrays, {"caveats": self.caveats})

    def scores_piece(self) -> Piece:
        """Return the scores alone as a piece."""
        arrays = {f"scores/{name}": table for name, table in self.scores.arrays().items()}
        return Piece(arrays, {"caveats": self.caveats})

    def merge(self, work: TileWork, piece: Piece) -> None:
        """Take over the piece of a tile of these layers, of everything or of scores alone."""
        here = {name: number for number, name in enumerate(work.tile.layers)}
        cells = Cells(work.tile.pairs, work.first, here, self.scores.index)
        for kind, tables in self._kinds().items():
            if arrays := piece.under(f"{kind}/"):
                tables.merge(arrays, cells)
        self.caveats.update(piece.about["caveats"])

    def result(self, settings: Settings, caveats: Sequence[str]) -> PassResult:
        """Label the tables, and collect the caveats about layers in the order of the layers.

        Parameters
        ----------
        settings
            Settings of the measures.
        caveats
            Caveats about all layers, which come first.
        """
        index = self.scores.index
        scored = [name for name in index if name in self.caveats]
        effective = {
            name: float(self.scores.layers["effective_frames"][index[name]]) for name in scored
        }
        return PassResult(
            scores=self.scores.dataset(),
            singles=self.scores.neuron_dataset(),
            matches=self.scores.match_dataset(),
            single_intervals=self.replicates.neuron_dataset(),
            replicates=self._replicates(settings),
            draws=self.scores.draws_dataset(),
            nulls=self.nulls.dataset("shift"),
            halves=self.scores.halves_dataset(),
            caveats=(
                *caveats,
                *(caveat for name in scored for caveat in self.caveats[name]),
                *few_effective_frames(effective, self.replicates.widths),
            ),
        )

    def _replicates(self, settings: Settings) -> xr.Dataset:
        """Label the replicates, and mark those that hold coefficients."""
        labelled = self.replicates.dataset(settings.replicated)
        regressions = {each.name for each in self.scores.measures if each.regression}
        for name in labelled.data_vars:
            if self.held and (name in regressions or name == LOCALISATION):
                labelled[name].attrs[HELD] = 1
        return labelled

    def _kinds(self) -> dict[str, Scores | ReplicateScores]:
        return {"scores": self.scores, "replicates": self.replicates, "nulls": self.nulls}

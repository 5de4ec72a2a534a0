"""Plan the passes that score the layers of a comparison."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import xarray as xr

from assonance.activations.attention_maps import AttentionMaps, Heard
from assonance.activations.extraction import Extraction
from assonance.activations.shared_rows import SharedRows
from assonance.activations.stored_frames import Layer, StoredFrames
from assonance.comparison.inputs import fingerprint_of
from assonance.comparison.labelling import LayerLabels
from assonance.comparison.layer_pairs import FLOOR_DEPTHS, SHIFTS_OF_P, LayerPairs
from assonance.comparison.weights import maps_at_once
from assonance.corpus.units import units_of
from assonance.errors import AssonanceError, printable
from assonance.inference.intervals import STATISTICS
from assonance.inference.localisation import DRAWS, ROTATED
from assonance.inference.resampling import Resampling
from assonance.measures import Measure
from assonance.measures.chance import mostly_chance
from assonance.models.roster import Roster
from assonance.scoring.attention_pass import ATTENTION, AttentionPass
from assonance.scoring.caveats import too_few_frames
from assonance.scoring.frame_pass import SCORES, FramePass
from assonance.scoring.pass_result import PassResult, named_beside
from assonance.scoring.resampled import resample_frames
from assonance.scoring.tiles import Tile, cut_tiles
from assonance.settings import Settings
from assonance.statistics import count_rows
from assonance.utils.pieces import Pieces
from assonance.utils.progress import Progress
from assonance.utils.work import Compute, Workplace

# By the names of a `Comparison`'s datasets.
Datasets = Mapping[str, xr.Dataset]
FRAME_LEVELS = ("neuron", "layer")
# The stage in which models are run once for their activations and their attention: as it is shown,
# and as workers are given it.
BOTH, READING = "reading speech and comparing attention", "reading"


class ComparisonPlan:
    """The layers of one comparison, and the passes that score them.

    Parameters
    ----------
    named
        Models by name.
    extractions
        Activations by model.
    meeting
        Utterances and rows that all models share.
    measures, settings
        What is measured, and how.
    memory
        Bytes that the statistics may take.
    device
        Torch device of the statistics.
    uncertainty
        Whether to compute intervals, nulls and halves.

    Attributes
    ----------
    notes : list of str
        Caveats of the passes run so far.
    """

    def __init__(
        self,
        named: Roster,
        extractions: Mapping[str, Extraction],
        meeting: SharedRows,
        measures: Sequence[Measure],
        settings: Settings,
        memory: float,
        device: str,
        uncertainty: bool,
    ) -> None:
        self.named = named
        self.speech = meeting.speech
        self.measures = measures
        self.settings = settings
        self.memory = memory
        self.device = device
        self.uncertainty = uncertainty
        self._frame_notes: list[str] = []
        self._head_notes: list[str] = []
        labels = {
            layer_name(name, label): (name, label)
            for name, each in named.items()
            for label in each.model.layers
        }
        self.labels = LayerLabels(list(named), labels)
        self._models = {name: model for name, (model, _) in labels.items()}
        layers = {
            layer_name(name, label): Layer(name, label, extractions[name].store)
            for name in named
            for label in extractions[name].store.layers
        }
        ids = [each.id for each in self.speech]
        self.source = StoredFrames(layers, ids, units_of(self.speech), meeting.rows)
        self.frames = sum(self.source.sizes)
        self._extractions, self._meeting = extractions, meeting

    @cached_property
    def _inputs(self) -> str:
        """Fingerprint of what the passes read; none of it is there if it is only planned."""
        return fingerprint_of(self._extractions, self._meeting, self.device)

    @property
    def frame_measures(self) -> list[Measure]:
        """Measures of neurons and layers."""
        return [each for each in self.measures if each.level in FRAME_LEVELS]

    @property
    def frame_pairs(self) -> LayerPairs:
        """Pairs of layers of which frames are compared."""
        every = self.settings.shifts >= SHIFTS_OF_P
        return LayerPairs(self.named, self._models, FLOOR_DEPTHS, every_null=every)

    @property
    def map_pairs(self) -> LayerPairs:
        """Pairs of layers of which attention maps are compared."""
        return LayerPairs(self.named, self._models)

    @property
    def head_measures(self) -> list[Measure]:
        """Measures of attention heads."""
        return [each for each in self.measures if each.level == "head"]

    @property
    def notes(self) -> list[str]:
        """Caveats of the passes run so far, those of frames first."""
        return list(dict.fromkeys([*self._frame_notes, *self._head_notes]))

    @property
    def nothing(self) -> xr.Dataset:
        """A dataset with the coordinates of all models and layers, and no variables."""
        return self.labels.empty

    def frame_scores(
        self, progress: Progress, place: Workplace, first: Callable[[Datasets], None] | None = None
    ) -> Datasets:
        """Compute neuron and layer measures, by the names of a `Comparison`'s datasets.

        Parameters
        ----------
        progress
            Receives the stage.
        place
            Where tiles are computed and kept.
        first
            Receives the same of the layers of models, if floors take further tiles.

        Raises
        ------
        AssonanceError
            If every measure is held out and there is too little speech.
        """
        if not self.frame_measures:
            return {}
        found = self._frame_pass().run(
            memory=self.memory,
            progress=progress,
            work=place.work,
            pieces=self._pieces(place),
            first=first and (lambda found: first(self._labelled(found))),
        )
        return self._labelled(found)

    def _labelled(self, found: PassResult) -> Datasets:
        """Label what the pass over frames found, and note its caveats."""
        self._note(found)
        replicates = found.replicates
        if self.uncertainty and ROTATED in found.draws:
            replicates = replicates.assign({DRAWS: found.draws[ROTATED]})
        neurons = named_beside({"": found.singles, "_match": found.matches})
        intervals = self.labels.label(found.single_intervals, np.float32)
        return {
            "scores": self.labels.label(found.scores),
            "neurons": self.labels.label(neurons, np.float32),
            "neuron_intervals": intervals.assign_coords(statistic=list(STATISTICS)),
            "replicates": self.labels.label(replicates),
            "nulls": self.labels.label(found.nulls),
            "halves": self.labels.label(found.halves),
        }

    def first_scores(self, progress: Progress, place: Workplace) -> Datasets:
        """Compute scores of layers and neurons alone, as `frame_scores` returns them.

        They are kept, and `frame_scores` takes them over. Nothing is computed if this would not
        come much earlier than `frame_scores`: without intervals, if all pairs are one tile, or if
        the jackknife fits nothing again, so that intervals cost no more than the scores.
        """
        if not self.uncertainty or place.folder is None or len(self.tiles()) < 2:
            return {}
        if self._frame_pass().held and self.settings.shifts < SHIFTS_OF_P:
            return {}
        found = self._frame_pass().run(
            memory=self.memory,
            progress=progress,
            work=place.work,
            pieces=self._pieces(place),
            alone=True,
        )
        self._note(found)
        neurons = named_beside({"": found.singles, "_match": found.matches})
        return {
            "scores": self.labels.label(found.scores),
            "neurons": self.labels.label(neurons, np.float32),
        }

    def _frame_pass(self) -> FramePass:
        """Return the pass over frames.

        Raises
        ------
        AssonanceError
            If every measure is held out and there is too little speech.
        """
        measures = self.frame_measures
        frame_pass = FramePass(
            self.source,
            measures,
            self.settings,
            self.resample(measures),
            rules=self.frame_pairs,
            device=self.device,
        )
        unscored = frame_pass.unscored
        if all(each.needs == "folds" and each.name in unscored for each in self.measures):
            reason = next(iter(unscored.values()))
            raise AssonanceError(f"{printable(self.speech.name)}: {reason}")
        return frame_pass

    def _note(self, found: PassResult) -> None:
        """Note the caveats of the pass over frames."""
        measures = self.frame_measures
        self._frame_notes = [
            *too_few_frames(self.frames, self.source.widths, measures),
            *mostly_chance(self.frames, self.source.widths, measures),
            *found.caveats,
        ]

    def _pieces(self, place: Workplace) -> Pieces:
        """Return the keeper of finished pieces."""
        return Pieces(place.folder, self._inputs)

    def head_scores(self, progress: Progress, place: Workplace) -> Datasets:
        """Compute head measures, by the names of a `Comparison`'s datasets."""
        if not self.head_measures:
            return {}
        attention, source = self.attention_pass()
        found = attention.run(
            memory=self.memory,
            at_once=maps_at_once(attention, self.named, self.memory),
            progress=progress,
            work=place.work,
            pieces=self._pieces(place),
        )
        self._head_notes = [*source.caveats(), *found.caveats]
        if not found.scores:
            return {}
        heads = named_beside(
            {"": found.singles, "_match": found.matches, "_position": found.position_singles}
        )
        labelled = self.labels.label(heads, np.float32)
        result = {
            "scores": self.labels.label(found.scores),
            "heads": labelled.assign_coords(offset=heads["offset"]),
            "maps": self.labels.label(found.maps, np.float32).assign_coords(
                {name: found.maps[name] for name in found.maps.coords if name != "layer_row"}
            ),
        }
        if attention.resampling.weights:
            result["replicates"] = self.labels.label(found.replicates)
        return result

    def read_attention(self, progress: Progress, place: Workplace, heard: Heard) -> None:
        """Compare attention maps, and keep the pieces for `head_scores`.

        Parameters
        ----------
        progress, place
            As for `frame_scores`.
        heard
            As for `AttentionMaps`.
        """
        attention, _ = self.attention_pass(heard)
        compute, batches, pieces = self._attention_stage(attention, place)
        with progress.stage(BOTH, sum(attention.source.durations)) as advance:
            for _ in place.work.each(READING, compute, batches, pieces, advance):
                pass

    def attention_pass(self, heard: Heard | None = None) -> tuple[AttentionPass, AttentionMaps]:
        """Return the pass over attention maps, and its source."""
        source = AttentionMaps(
            {name: each.model for name, each in self.named.items() if not each.baseline},
            tuple(self.speech),
            longest=self.settings.attention_seconds,
            layer_name=layer_name,
            heard=heard,
        )
        # Frames and attention leave out the same groups, so that their replicates agree.
        resampling = Resampling.of_groups(self.source.sizes, self.source.units, self.settings)
        if not self.uncertainty:
            resampling = resampling.without_replicates()
        attention = AttentionPass(
            source,
            self.head_measures,
            self.settings,
            resampling,
            rules=self.map_pairs,
            rows=count_rows(self.settings.attention_rows, sum(source.pieces)),
        )
        return attention, source

    def stage(
        self, name: str, place: Workplace, heard: Heard | None = None
    ) -> tuple[Compute[Any], Sequence[Any], Pieces]:
        """Return what computes the pieces of a stage, from what, and what keeps them.

        Any process that has the same inputs can compute any of them.

        Parameters
        ----------
        name
            `READING`, `SCORES`, `LAYERS` or `ATTENTION`.
        place
            Where pieces are kept.
        heard
            As for `read_attention`, in the stage `READING`.
        """
        compute: Compute[Any]
        if name in (ATTENTION, READING):
            attention, _ = self.attention_pass(heard)
            return self._attention_stage(attention, place)
        frame_pass = self._frame_pass()
        compute = partial(frame_pass.compute, alone=name == SCORES)
        return compute, frame_pass.tiles(self.memory), self._pieces(place)

    def _attention_stage(
        self, attention: AttentionPass, place: Workplace
    ) -> tuple[Compute[Any], Sequence[Any], Pieces]:
        """Return the same of a pass over attention maps."""
        at_once = maps_at_once(attention, self.named, self.memory)
        compute = partial(attention.compute, at_once=at_once)
        return compute, attention.batches(self.memory), self._pieces(place)

    def tiles(self) -> list[Tile]:
        """Cut the pairs of layers into tiles, as `frame_scores` takes them."""
        measures = self.frame_measures
        if not measures:
            return []
        resampling = self.resample(measures)
        return cut_tiles(
            self.source, measures, self.settings, resampling, self.frame_pairs, self.memory
        )

    def resample(self, measures: Sequence[Measure]) -> Resampling:
        """Assign utterances to folds and groups, as the pass over frames with measures does."""
        return resample_frames(
            self.source,
            measures,
            self.settings,
            intervals=self.uncertainty,
            nulls=self.uncertainty,
        )


def layer_name(model: str, label: str) -> str:
    """Return the name of a layer among those of all models."""
    return f"{model} {label}"

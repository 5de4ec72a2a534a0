"""One comparison under way: what is asked of which layers, and how the answers are labelled."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike, NDArray

from assonance.activations.extraction import Extraction
from assonance.activations.shared_rows import SharedRows
from assonance.activations.stored_frames import Layer, StoredFrames
from assonance.comparison.result import CELL
from assonance.corpus.units import units_of
from assonance.errors import AssonanceError, printable
from assonance.inference.intervals import STATISTICS
from assonance.inference.resampling import groups_left_out, weights_of_replicates
from assonance.measures import Measure
from assonance.models.roster import Roster, RosterEntry
from assonance.scoring.attention_pass import AttentionPass
from assonance.scoring.caveats import ONE_GROUP, too_few_frames
from assonance.scoring.frame_pass import FramePass
from assonance.settings import Settings
from assonance.utils.progress import Progress

FRAME_LEVELS = ("neuron", "layer")


class ComparisonPlan:
    """One comparison under way: which layers there are, and what is asked of which pair."""

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
        self.units = units_of(self.speech)
        self.notes: list[str] = []
        self.layers = {
            f"{name} {label}": Layer(name, label, extractions[name].store)
            for name, each in named.items()
            for label in each.model.layers
        }
        self.source = StoredFrames(
            self.layers, [each.id for each in self.speech], self.units, meeting.rows
        )
        self.frames = sum(self.source.sizes)

    def wanted(self, a: str, b: str) -> bool:
        """Two that have learnt nothing have nothing to tell about the models."""
        return not (self._of(a).control and self._of(b).control)

    def _of(self, layer: str) -> RosterEntry:
        return self.named[self.layers[layer].model]

    def _apart(self, a: str, b: str) -> bool:
        """No model is asked how surely it is unlike a twin that is its own alone."""
        one, two = self.layers[a].model, self.layers[b].model
        return self._of(a).twin_of != (two,) and self._of(b).twin_of != (one,)

    def _two_trained(self, a: str, b: str) -> bool:
        """No layer is asked whether it is like another of its own model by chance."""
        one, two = self.layers[a].model, self.layers[b].model
        return one != two and not (self._of(a).control or self._of(b).control)

    @property
    def nothing(self) -> xr.Dataset:
        """A dataset that knows all models and layers, and nothing of them."""
        return xr.Dataset(coords=self._coordinates())

    def frame_scores(self, progress: Progress) -> Mapping[str, xr.Dataset]:
        """Neuron and layer measures, by the names of what a `Comparison` holds."""
        measures = [each for each in self.measures if each.level in FRAME_LEVELS]
        if not measures:
            return {}
        frame_pass = FramePass(
            self.source,
            measures,
            self.settings,
            wanted=self.wanted,
            device=self.device,
            replicates=self._apart if self.uncertainty else None,
            shifts=self._two_trained if self.uncertainty else None,
        )
        unscored = frame_pass.unscored
        if all(each.needs == "folds" and each.name in unscored for each in self.measures):
            reason = next(iter(unscored.values()))
            raise AssonanceError(f"{printable(self.speech.name)}: {reason}")
        self.notes += too_few_frames(frame_pass.frames, self.source.widths, measures)
        found = frame_pass.run(self._others(), memory=self.memory, progress=progress)
        self.notes += found.cautions
        flat = found.scores.dataset(per_neuron=True)
        single = [name for name, array in flat.data_vars.items() if "neuron" in array.dims]
        neurons = {name: str(name).removesuffix("_by_neuron") for name in single}
        replicates = found.replicates.dataset(self.settings.replicated)
        if self.uncertainty:
            replicates = replicates.merge(found.scores.draws_dataset())
        return {
            "scores": self._labelled(flat.drop_vars(single)),
            "neurons": self._labelled(flat[single].rename(neurons), np.float32),
            "neuron_intervals": self._labelled(
                found.replicates.neuron_dataset(), np.float32
            ).assign_coords(statistic=list(STATISTICS)),
            "replicates": self._labelled(replicates),
            "nulls": self._labelled(found.nulls.dataset("shift")),
            "halves": self._labelled(found.scores.halves_dataset()),
        }

    def head_scores(self, progress: Progress) -> Mapping[str, xr.Dataset]:
        """Head measures, by the names of what a `Comparison` holds."""
        measures = [each for each in self.measures if each.level == "head"]
        if not measures:
            return {}
        # The same for frames and for attention.
        parts, folds = groups_left_out(self.source.sizes, self.units, self.settings)
        replicates = (
            weights_of_replicates(folds.tolist(), self.settings) if self.uncertainty else []
        )
        attention = AttentionPass(
            {name: each.model for name, each in self.named.items() if not each.baseline},
            tuple(self.speech),
            measures,
            self.settings,
            parts=parts.tolist(),
            replicates=replicates,
            name_of=lambda model, label: f"{model} {label}",
            wanted=self.wanted,
            memory=self.memory,
        )
        flat, cautions = attention.run(progress)
        self.notes += cautions
        if flat is None:
            return {}
        if self.uncertainty and not replicates and ONE_GROUP not in self.notes:
            self.notes.append(ONE_GROUP)
        names = [each.name for each in measures]
        again = {f"{name}_replicates": name for name in names if f"{name}_replicates" in flat}
        single = {
            f"{name}{by}_by_head": f"{name}{by}" for name in names for by in ("", "_position")
        }
        # What is not of single heads would take the names of what is.
        of_layers = [*names, *again, *(f"{name}_position" for name in names)]
        heads = self._labelled(flat.drop_vars(of_layers).rename(single), np.float32)
        found = {
            "scores": self._labelled(flat[names]),
            "heads": heads.assign_coords(offset=flat["offset"]),
        }
        if replicates:
            found["replicates"] = self._labelled(flat[list(again)].rename(again))
        return found

    def _others(self) -> NDArray[np.bool_]:
        """For consensus over models: the layers of the other models, controls not counted.

        A twin stands in the place of its model, of several the first, which is none of the others.
        """
        models = np.array([layer.model for layer in self.layers.values()])
        places = np.array([next(iter(self.named[model].twin_of), model) for model in models])
        counts = np.array([not self.named[model].control for model in models])
        others: NDArray[np.bool_] = (places[:, None] != places) & counts
        return others

    def _coordinates(self) -> dict[str, list[str]]:
        models = list(self.named)
        labels = list(dict.fromkeys(layer.label for layer in self.layers.values()))
        return dict(zip(CELL, (models, labels, models, labels), strict=True))

    def _labelled(self, flat: xr.Dataset, dtype: DTypeLike | None = None) -> xr.Dataset:
        """Part each layer dimension into model and layer; NaN (−1 for matches) where none is.

        Numbers that are no counts become of `dtype` where it is given.
        """
        coordinates = self._coordinates()
        models, labels = coordinates["model_row"], coordinates["layer_row"]
        result = self.nothing
        for name, array in flat.data_vars.items():
            places = [self.layers[layer] for layer in flat["layer_row"].values]
            at = (
                np.array([models.index(place.model) for place in places]),
                np.array([labels.index(place.label) for place in places]),
            )
            square = "layer_col" in array.dims
            dims = CELL if square else CELL[:2]
            inner = array.dims[2 if square else 1 :]
            real = array.dtype.kind == "f"
            shape = [len(coordinates[dim]) for dim in dims] + [flat.sizes[dim] for dim in inner]
            kind = dtype if real and dtype is not None else array.dtype
            values = np.full(shape, np.nan if real else -1, dtype=kind)
            index = (*(each[:, None] for each in at), *at) if square else at
            values[index] = array.values
            result[name] = ((*dims, *inner), values, array.attrs)
        return result

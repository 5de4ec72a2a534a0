"""The main job: models over speech, every layer against every other, labelled."""

import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike, NDArray

from assonance import __version__
from assonance.attention_pass import AttentionPass
from assonance.cautions import miniatures, too_few_frames
from assonance.corpus import Corpus
from assonance.errors import AssonanceError, AssonanceWarning
from assonance.extract import Extraction, extract
from assonance.files import slug
from assonance.frame_pass import FramePass, groups_left_out, weights_of_replicates
from assonance.inference import STATISTICS, intervals
from assonance.measures import Measure, Settings, find, find_settings
from assonance.meeting import By, Meeting, Pool, Pooling, gather, lacking, meet
from assonance.models import SpeechModel
from assonance.named_models import Compared, Named, by_name, load_named
from assonance.progress import Progress, Silent
from assonance.results import CELL, Comparison, CorpusRecord, ModelRecord, Provenance
from assonance.sizes import MEMORY, bytes_of
from assonance.stored_layers import Layer, StoredLayers
from assonance.units import population, units_of

# What is measured unless something else is asked for: the study's measures, and what they stand
# beside.
STANDARD = (
    *("attn_frobenius", "attn_pearson", "attn_js"),
    *("svcca", "pwcca", "cka", "cka_standardized", "cka_utterance", "cka_rbf"),
    *("maxcorr", "mincorr", "maxcorr_rotated"),
    *("linreg", "linreg_heldout", "linreg_heldout_r"),
)
# What the numbers depend on besides assonance itself.
LIBRARIES = ("numpy", "torch", "transformers", "soundfile", "soxr")
_FRAME_LEVELS = ("neuron", "layer")
_SILENT = Silent()


def compare(
    models: Iterable[str | Path | SpeechModel],
    corpus: Corpus | str | Path,
    measures: Iterable[str] | None = None,
    *,
    settings: str | Settings = "default",
    twins: bool = True,
    pool: Pool = "frame",
    pool_by: By = "mean",
    alignments: str | Path | None = None,
    skip_silence: bool = False,
    out: str | Path | None = None,
    memory: str | float = MEMORY,
    device: str = "cpu",
    offline: bool = False,
    record: str | Iterable[str] = "blocks",
    precision: str = "float32",
    on_error: Literal["skip", "stop"] = "skip",
    seeds: Mapping[str, str] | None = None,
    uncertainty: bool = True,
    progress: Progress = _SILENT,
) -> Comparison:
    """Compare speech models on speech: every layer of each with every layer of all.

    Parameters
    ----------
    models
        Names of models, or models, as `assonance.load_model` takes and gives them.
    corpus
        A corpus, or what `Corpus.from_path` takes.
    measures
        Names of measures of any level; `STANDARD` by default.
    settings
        ``"default"``, ``"elkheir2024"`` for the published definitions, or `Settings`.
    twins
        Whether to compare with what has learnt nothing too: each model's twin of random weights
        (the floor that the architecture and the speech alone give; the settings' seed draws
        them), and log-mel frames (the floor that the acoustics alone give). Neither changes
        another number.
    pool, pool_by, alignments, skip_silence
        What a row of the neuron and layer measures is: see `assonance.meeting.Pooling`.
    out
        Folder for what is computed on the way; a later run with the same folder goes on from
        there. Without it nothing is kept.
    memory
        What the statistics may take at once, such as ``"4GB"``; a number is in GiB. More is faster
        where layers are many.
    device
        Torch device for models and statistics.
    offline
        Never reach for the network.
    record, precision
        What the layers are, and what they are computed in, for checkpoints given by name: see
        `load_model`.
    on_error
        Leave an utterance that cannot be used out, or stop there.
    seeds
        Names of models that are others trained from another seed, and of these others: what the
        two share is a ceiling for what different models can.
    uncertainty
        Whether to work out intervals, what shifted speech gives, and halves of layers: several
        times the arithmetic, however much speech there is.
    progress
        Told of the stages.

    Returns
    -------
    Comparison
        Of at least one utterance.

    Raises
    ------
    AssonanceError
        Whatever stands in the way, in one line: see `load_model`, `Corpus.from_path`,
        `assonance.extract.extract`, `assonance.meeting.meet`.

    Warns
    -----
    AssonanceWarning
        Of what a reader must know before believing the scores; also in the provenance's notes.
    """
    settings = find_settings(settings)
    pooling = Pooling(pool, pool_by, alignments, skip_silence)
    room = bytes_of(memory)
    chosen = _unique(find(measures or STANDARD, ("neuron", "layer", "head")))
    speech = corpus if isinstance(corpus, Corpus) else Corpus.from_path(corpus)
    with progress.stage("loading models", 1) as advance:
        named = load_named(
            models,
            settings.seed if twins else None,
            device=device,
            offline=offline,
            record=record,
            precision=precision,
        )
        advance(1)
    of_frames = any(each.level in _FRAME_LEVELS for each in chosen)
    # A baseline has no heads.
    named = {name: each for name, each in named.items() if of_frames or not each.baseline}
    first_of = by_name(named, seeds or {})
    with ExitStack() as until_done:
        folder = (
            Path(until_done.enter_context(tempfile.TemporaryDirectory(prefix="assonance-")))
            if out is None
            else Path(out)
        )
        extractions = {
            name: extract(
                each.model,
                speech,
                folder / "activations" / f"{slug(name)}-{each.model.fingerprint[:8]}",
                progress=progress,
                on_error="skip" if each.baseline else on_error,
            )
            for name, each in named.items()
        }
        baselines = [name for name, each in named.items() if each.baseline]
        # Speech is what the models can use: a baseline that took some away would change scores.
        dropped = lacking(extractions, baselines)
        named = {name: each for name, each in named.items() if name not in dropped}
        extractions = {name: each for name, each in extractions.items() if name not in dropped}
        if of_frames:
            meeting = meet(speech, extractions, pooling, on_error, followers=baselines)
        else:
            meeting = gather(speech, extractions)
        speech = meeting.speech
        job = _Job(named, extractions, meeting, chosen, settings, room, device, uncertainty)
        parts = [job.frame_scores(progress), job.head_scores(progress)]
    notes = (
        *miniatures(
            {name: each.model.info.n_parameters for name, each in named.items() if not each.control}
        ),
        *speech.notes,
        *_resampled(extractions, named),
        *(note for each in extractions.values() for note in each.notes),
        *(
            f"{name} is not compared as a floor: {left.path}: {left.reason}"
            for name, left in dropped.items()
        ),
        *meeting.notes,
        *job.notes,
    )
    for note in job.notes:
        warnings.warn(note, AssonanceWarning, stacklevel=2)
    found = {
        name: xr.merge([job.nothing, *(part[name] for part in parts if name in part)], join="exact")
        for name in (
            *("scores", "neurons", "neuron_intervals", "heads", "replicates", "nulls", "halves"),
        )
    }
    return Comparison(
        **found,
        intervals=intervals(found["scores"], found["replicates"]),
        provenance=Provenance(
            versions={"assonance": __version__, **{name: version(name) for name in LIBRARIES}},
            measures=tuple(each.name for each in chosen),
            settings=asdict(settings),
            models=tuple(_record(name, each, first_of.get(name)) for name, each in named.items()),
            corpus=CorpusRecord(
                name=speech.name,
                source=speech.source,
                utterances=len(speech),
                frames=job.frames,
                seconds=round(speech.seconds, 3),
                speakers=speech.speakers,
                languages=speech.languages,
                sampling_rates=speech.sampling_rates,
            ),
            left_out=meeting.left_out,
            notes=notes,
            population=population(speech),
        ),
    )


class _Job:
    """One comparison under way: which layers there are, and what is asked of which pair."""

    def __init__(
        self,
        named: Named,
        extractions: Mapping[str, Extraction],
        meeting: Meeting,
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
        self.source = StoredLayers(
            self.layers, [each.id for each in self.speech], self.units, meeting.rows
        )
        self.frames = sum(self.source.sizes)

    def wanted(self, a: str, b: str) -> bool:
        """Two that have learnt nothing have nothing to tell about the models."""
        return not (self._of(a).control and self._of(b).control)

    def _of(self, layer: str) -> Compared:
        return self.named[self.layers[layer].model]

    def _apart(self, a: str, b: str) -> bool:
        """No model is asked how surely it is unlike its own twin."""
        one, two = self.layers[a].model, self.layers[b].model
        return self._of(a).twin_of != two and self._of(b).twin_of != one

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
        measures = [each for each in self.measures if each.level in _FRAME_LEVELS]
        if not measures:
            return {}
        if any(each.needs == "folds" for each in measures) and len(self.speech) < 2:
            raise AssonanceError(
                f"{self.speech.name}: held-out measures need at least 2 utterances, there is "
                f"{len(self.speech)}; add speech, or choose other measures"
            )
        frame_pass = FramePass(
            self.source,
            measures,
            self.settings,
            wanted=self.wanted,
            device=self.device,
            replicates=self._apart if self.uncertainty else None,
            shifts=self._two_trained if self.uncertainty else None,
        )
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
        attention = AttentionPass(
            {name: each.model for name, each in self.named.items() if not each.baseline},
            tuple(self.speech),
            measures,
            self.settings,
            parts=parts.tolist(),
            replicates=weights_of_replicates(folds.tolist(), self.settings)
            if self.uncertainty
            else [],
            name_of=lambda model, label: f"{model} {label}",
            wanted=self.wanted,
            memory=self.memory,
        )
        flat, cautions = attention.run(progress)
        self.notes += cautions
        if flat is None:
            return {}
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
        if self.uncertainty:
            found["replicates"] = self._labelled(flat[list(again)].rename(again))
        return found

    def _others(self) -> NDArray[np.bool_]:
        """For consensus over models: the layers of the other models, controls not counted.

        A twin stands in its model's place: its own model is none of the others.
        """
        models = np.array([layer.model for layer in self.layers.values()])
        places = np.array([self.named[model].twin_of or model for model in models])
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


def _resampled(extractions: Mapping[str, Extraction], named: Named) -> list[str]:
    return [
        f"{extraction.resampled} of {len(extraction.ids)} utterances were resampled to the "
        f"{named[name].model.sampling_rate} Hz of {name}"
        for name, extraction in extractions.items()
        if extraction.resampled and not named[name].control
    ]


def _record(name: str, compared: Compared, seed_of: str | None) -> ModelRecord:
    model = compared.model
    return ModelRecord(
        name=name,
        **asdict(model.info),
        fingerprint=model.fingerprint,
        layers=dict(model.meanings),
        twin_of=compared.twin_of,
        seed_of=seed_of,
        baseline=compared.baseline,
    )


def _unique(measures: Iterable[Measure]) -> list[Measure]:
    return list({each.name: each for each in measures}.values())

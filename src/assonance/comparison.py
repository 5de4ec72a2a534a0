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
from numpy.typing import NDArray

from assonance import __version__
from assonance.attention_pass import AttentionPass
from assonance.cautions import miniatures, too_few_frames
from assonance.corpus import Corpus
from assonance.errors import AssonanceError, AssonanceWarning
from assonance.extract import Extraction, extract
from assonance.files import slug
from assonance.frame_pass import FramePass
from assonance.measures import Measure, Settings, find, find_settings
from assonance.meeting import By, Meeting, Pool, Pooling, gather, meet
from assonance.models import SpeechModel
from assonance.named_models import Named, load_named
from assonance.progress import Progress, Silent
from assonance.results import CELL, Comparison, CorpusRecord, ModelRecord, Provenance
from assonance.scores import localisation
from assonance.sizes import MEMORY, bytes_of
from assonance.stored_layers import Layer, StoredLayers

# What is measured unless something else is asked for: the study's measures, and what they stand
# beside.
STANDARD = (
    *("attn_frobenius", "attn_pearson", "attn_js"),
    *("svcca", "pwcca", "cka", "cka_utterance", "cka_rbf"),
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
    head_outputs: bool = False,
    on_error: Literal["skip", "stop"] = "skip",
    progress: Progress = _SILENT,
) -> Comparison:
    """Compare speech models on speech: every layer of each with every layer of all.

    Parameters
    ----------
    models
        Directories, hub ids or models, as `assonance.load_model` takes and gives them.
    corpus
        A corpus, or what `Corpus.from_path` takes.
    measures
        Names of measures of any level; `STANDARD` by default.
    settings
        ``"default"``, ``"elkheir2024"`` for the published definitions, or `Settings`.
    twins
        Whether to compare with each model's twin of random weights too: the floor that the
        architecture and the speech alone give. The settings' seed draws their weights.
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
    head_outputs
        Whether the outputs of attention heads are layers too, for models given by name.
    on_error
        Leave an utterance that cannot be used out, or stop there.
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
            head_outputs=head_outputs,
        )
        advance(1)
    with ExitStack() as until_done:
        folder = (
            Path(until_done.enter_context(tempfile.TemporaryDirectory(prefix="assonance-")))
            if out is None
            else Path(out)
        )
        extractions = {
            name: extract(
                model,
                speech,
                folder / "activations" / f"{slug(name)}-{model.fingerprint[:8]}",
                progress=progress,
                on_error=on_error,
            )
            for name, (model, _) in named.items()
        }
        if any(each.level in _FRAME_LEVELS for each in chosen):
            meeting = meet(speech, extractions, pooling, on_error)
        else:
            meeting = gather(speech, extractions)
        speech = meeting.speech
        job = _Job(named, extractions, meeting, chosen, settings, room, device)
        scores, neurons = job.frame_scores(progress)
        attention, heads = job.head_scores(progress)
    notes = (
        *miniatures(
            {
                name: model.info.n_parameters
                for name, (model, twin_of) in named.items()
                if twin_of is None
            }
        ),
        *speech.notes,
        *_resampled(extractions, named),
        *meeting.notes,
        *job.notes,
    )
    for note in job.notes:
        warnings.warn(note, AssonanceWarning, stacklevel=2)
    return Comparison(
        scores=xr.merge([scores, attention], join="exact"),
        neurons=neurons,
        heads=heads,
        provenance=Provenance(
            versions={"assonance": __version__, **{name: version(name) for name in LIBRARIES}},
            measures=tuple(each.name for each in chosen),
            settings=asdict(settings),
            models=tuple(_record(name, *each) for name, each in named.items()),
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
    ) -> None:
        self.named = named
        self.speech = meeting.speech
        self.measures = measures
        self.settings = settings
        self.memory = memory
        self.device = device
        self.notes: list[str] = []
        self.layers = {
            f"{name} {label}": Layer(name, label, extractions[name].store)
            for name, (model, _) in named.items()
            for label in model.layers
        }
        self.source = StoredLayers(self.layers, [each.id for each in self.speech], meeting.rows)
        self.frames = sum(self.source.sizes)

    def wanted(self, a: str, b: str) -> bool:
        """Two random networks have nothing to tell about the models."""
        twins = [self.named[self.layers[layer].model][1] is not None for layer in (a, b)]
        return not all(twins)

    def frame_scores(self, progress: Progress) -> tuple[xr.Dataset, xr.Dataset]:
        """Scores of neuron and layer measures, and those of single neurons."""
        measures = [each for each in self.measures if each.level in _FRAME_LEVELS]
        if not measures:
            return self._empty(), self._empty()
        if any(each.needs == "folds" for each in measures) and len(self.speech) < 2:
            raise AssonanceError(
                f"{self.speech.name}: held-out measures need at least 2 utterances, there is "
                f"{len(self.speech)}; add speech, or choose other measures"
            )
        frame_pass = FramePass(
            self.source, measures, self.settings, wanted=self.wanted, device=self.device
        )
        self.notes += too_few_frames(frame_pass.frames, self.source.widths, measures)
        scores, cautions = frame_pass.run(self._others(), memory=self.memory, progress=progress)
        self.notes += cautions
        flat = scores.dataset(per_neuron=True)
        return self._parted(flat.assign(localisation(flat)), "neuron", "_by_neuron")

    def head_scores(self, progress: Progress) -> tuple[xr.Dataset, xr.Dataset]:
        """Scores of head measures, and those of single heads."""
        measures = [each for each in self.measures if each.level == "head"]
        if not measures:
            return self._empty(), self._empty()
        attention = AttentionPass(
            {name: model for name, (model, _) in self.named.items()},
            tuple(self.speech),
            measures,
            self.settings,
            name_of=lambda model, label: f"{model} {label}",
            wanted=self.wanted,
            memory=self.memory,
        )
        flat, cautions = attention.run(progress)
        self.notes += cautions
        if flat is None:
            return self._empty(), self._empty()
        names = [each.name for each in measures]
        single = {
            f"{name}{by}_by_head": f"{name}{by}" for name in names for by in ("", "_position")
        }
        # What is not of single heads would take the names of what is.
        heads = flat.drop_vars([*names, *(f"{name}_position" for name in names)]).rename(single)
        labelled = self._labelled(heads).assign_coords(offset=flat["offset"])
        return self._labelled(flat[names]), labelled

    def _others(self) -> NDArray[np.bool_]:
        """For consensus over models: the layers of the other models, twins not counted.

        A twin stands in its model's place: its own model is none of the others.
        """
        models = np.array([layer.model for layer in self.layers.values()])
        places = np.array([self.named[model][1] or model for model in models])
        counts = models == places
        others: NDArray[np.bool_] = (places[:, None] != places) & counts
        return others

    def _coordinates(self) -> dict[str, list[str]]:
        models = list(self.named)
        labels = list(dict.fromkeys(layer.label for layer in self.layers.values()))
        return dict(zip(CELL, (models, labels, models, labels), strict=True))

    def _empty(self) -> xr.Dataset:
        return xr.Dataset(coords=self._coordinates())

    def _parted(self, flat: xr.Dataset, dim: str, suffix: str) -> tuple[xr.Dataset, xr.Dataset]:
        """Part scores of layers from those of what `dim` counts, which lose their suffix."""
        apart = [name for name, array in flat.data_vars.items() if dim in array.dims]
        single = flat[apart].rename({name: str(name).removesuffix(suffix) for name in apart})
        return self._labelled(flat.drop_vars(apart)), self._labelled(single)

    def _labelled(self, flat: xr.Dataset) -> xr.Dataset:
        """Part each layer dimension into model and layer; NaN (−1 for matches) where none is."""
        coordinates = self._coordinates()
        models, labels = coordinates["model_row"], coordinates["layer_row"]
        result = self._empty()
        for name, array in flat.data_vars.items():
            places = [self.layers[layer] for layer in flat["layer_row"].values]
            at = (
                np.array([models.index(place.model) for place in places]),
                np.array([labels.index(place.label) for place in places]),
            )
            square = "layer_col" in array.dims
            dims = CELL if square else CELL[:2]
            inner = array.dims[2 if square else 1 :]
            single = bool(inner) and array.dtype.kind == "f"
            missing = np.nan if array.dtype.kind == "f" else -1
            shape = [len(coordinates[dim]) for dim in dims] + [flat.sizes[dim] for dim in inner]
            values = np.full(shape, missing, dtype=np.float32 if single else array.dtype)
            index = (*(each[:, None] for each in at), *at) if square else at
            values[index] = array.values
            result[name] = ((*dims, *inner), values, array.attrs)
        return result


def _resampled(extractions: Mapping[str, Extraction], named: Named) -> list[str]:
    return [
        f"{extraction.resampled} of {len(extraction.ids)} utterances were resampled to the "
        f"{named[name][0].sampling_rate} Hz of {name}"
        for name, extraction in extractions.items()
        if extraction.resampled and named[name][1] is None
    ]


def _record(name: str, model: SpeechModel, twin_of: str | None) -> ModelRecord:
    return ModelRecord(
        name=name,
        **asdict(model.info),
        fingerprint=model.fingerprint,
        layers=dict(model.meanings),
        twin_of=twin_of,
    )


def _unique(measures: Iterable[Measure]) -> list[Measure]:
    return list({each.name: each for each in measures}.values())

"""The main job: models over speech, every layer against every other, labelled."""

import tempfile
import warnings
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import xarray as xr

from assonance.__about__ import __version__
from assonance.activations.extraction import Extraction, extract, stop_at_left_out
from assonance.activations.shared_rows import (
    By,
    Pool,
    Pooling,
    SharedRows,
    keep_common_utterances,
    lacking,
    share_rows,
)
from assonance.comparison.plan import FRAME_LEVELS, ComparisonPlan
from assonance.comparison.records import CorpusRecord, ModelRecord, Provenance
from assonance.comparison.relations import STATE_BASE, Relations, check_statements
from assonance.comparison.result import Comparison
from assonance.corpus import Corpus, LeftOut
from assonance.corpus.units import population
from assonance.errors import AssonanceWarning
from assonance.inference.intervals import intervals
from assonance.measures import Measure, find
from assonance.measures.roles import STANDARD
from assonance.models import SpeechModel
from assonance.models.roster import (
    BASE,
    SEED,
    Roster,
    RosterEntry,
    load_roster,
    refuse_unknown,
    stated_by_name,
)
from assonance.scoring.caveats import miniatures
from assonance.settings import Settings, find_settings
from assonance.utils.files import slug
from assonance.utils.memory import MEMORY, parse_bytes
from assonance.utils.progress import Progress, Silent

# What the numbers depend on besides assonance itself.
LIBRARIES = ("numpy", "torch", "transformers", "soundfile", "soxr")


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
    tuned_from: Mapping[str, str] | None = None,
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
        What a row of the neuron and layer measures is: see `Pooling`.
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
    tuned_from
        Names of fine-tuned models, and of the models they were fine-tuned from. Without a
        statement it is the only pretrained model of the same family, parameters, layers and
        objective; if there are several, none is taken and a warning names them.
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
        `assonance.activations.extraction.extract`, `assonance.activations.shared_rows.share_rows`.

    Warns
    -----
    AssonanceWarning
        Of what a reader must know before believing the scores; also in the provenance's notes.
    """
    prepared = prepare(
        models,
        corpus,
        measures,
        settings=settings,
        twins=twins,
        pooling=Pooling(pool, pool_by, alignments, skip_silence),
        memory=memory,
        device=device,
        offline=offline,
        record=record,
        precision=precision,
        on_error=on_error,
        seeds=seeds or {},
        tuned_from=tuned_from or {},
        progress=progress,
    )
    return prepared.run(None if out is None else Path(out), uncertainty, progress)


@dataclass(frozen=True)
class Prepared:
    """A comparison whose models are loaded and options validated; nothing is written yet.

    Attributes
    ----------
    named, speech, measures, settings, pooling, device, on_error
        What `compare` was given, looked up and loaded.
    room
        Bytes that the statistics may take.
    records
        What the provenance records of each model, by name.
    """

    named: Roster
    speech: Corpus
    measures: tuple[Measure, ...]
    settings: Settings
    pooling: Pooling
    room: float
    device: str
    on_error: Literal["skip", "stop"]
    records: Mapping[str, ModelRecord]

    def run(self, out: Path | None, uncertainty: bool, progress: Progress) -> Comparison:
        """Compare, with activations in a folder; see `assonance.compare`."""
        with ExitStack() as until_done:
            folder = out or Path(
                until_done.enter_context(tempfile.TemporaryDirectory(prefix="assonance-"))
            )
            named, extractions, dropped, meeting = self._extract(folder, progress)
            plan = ComparisonPlan(
                *(named, extractions, meeting, self.measures, self.settings, self.room),
                self.device,
                uncertainty,
            )
            parts = [plan.frame_scores(progress), plan.head_scores(progress)]
        speech = meeting.speech
        relations = Relations(tuple(self.records.values()))
        unknown_bases = [f"{each}: {STATE_BASE}" for each in relations.unknown_bases()]
        notes = (
            *miniatures(
                {
                    name: each.model.info.n_parameters
                    for name, each in named.items()
                    if not each.control
                }
            ),
            *speech.notes,
            *_resampled(extractions, named),
            *(note for each in extractions.values() for note in each.notes),
            *(
                f"{name} is not compared as a floor: {left.path}: {left.reason}"
                for name, left in dropped.items()
            ),
            *meeting.notes,
            *plan.notes,
            *unknown_bases,
        )
        for note in (*plan.notes, *unknown_bases):
            warnings.warn(note, AssonanceWarning, stacklevel=3)
        found = {
            name: xr.merge(
                [plan.nothing, *(part[name] for part in parts if name in part)], join="exact"
            )
            for name in (
                *("scores", "neurons", "neuron_intervals", "heads"),
                *("replicates", "nulls", "halves"),
            )
        }
        return Comparison(
            **found,
            intervals=intervals(found["scores"], found["replicates"]),
            provenance=self._provenance(named, meeting, plan.frames, notes),
        )

    def _extract(
        self, folder: Path, progress: Progress
    ) -> tuple[Roster, dict[str, Extraction], dict[str, LeftOut], SharedRows]:
        """Run the models over the speech, and find what all can use.

        Returns
        -------
        tuple
            The models compared, what came of each, the baselines that are not, and why; what all
            can use.
        """
        extractions = {
            name: extract(
                each.model,
                self.speech,
                folder / "activations" / f"{slug(name)}-{each.model.fingerprint[:8]}",
                progress=progress,
                on_error="skip" if each.baseline else self.on_error,
            )
            for name, each in self.named.items()
        }
        baselines = [name for name, each in self.named.items() if each.baseline]
        # Speech is what the models can use: a baseline that took some away would change scores.
        dropped = lacking(extractions, baselines)
        named = {name: each for name, each in self.named.items() if name not in dropped}
        extractions = {name: each for name, each in extractions.items() if name not in dropped}
        if of_frames(self.measures):
            meeting = share_rows(
                self.speech, extractions, self.pooling, self.on_error, baselines=baselines
            )
        else:
            meeting = keep_common_utterances(self.speech, extractions)
        return named, extractions, dict(dropped), meeting

    def _provenance(
        self, named: Roster, meeting: SharedRows, frames: int, notes: tuple[str, ...]
    ) -> Provenance:
        """Record what was run on what."""
        speech = meeting.speech
        return Provenance(
            versions={"assonance": __version__, **{name: version(name) for name in LIBRARIES}},
            measures=tuple(each.name for each in self.measures),
            settings=asdict(self.settings),
            models=tuple(self.records[name] for name in named),
            corpus=CorpusRecord(
                name=speech.name,
                source=speech.source,
                utterances=len(speech),
                frames=frames,
                seconds=round(speech.seconds, 3),
                speakers=speech.speakers,
                languages=speech.languages,
                sampling_rates=speech.sampling_rates,
            ),
            left_out=meeting.left_out,
            notes=notes,
            population=population(speech),
        )


def prepare(
    models: Iterable[str | Path | SpeechModel],
    corpus: Corpus | str | Path,
    measures: Iterable[str] | None,
    *,
    settings: str | Settings,
    twins: bool,
    pooling: Pooling,
    memory: str | float,
    device: str,
    offline: bool,
    record: str | Iterable[str],
    precision: str,
    on_error: Literal["skip", "stop"],
    seeds: Mapping[str, str],
    tuned_from: Mapping[str, str],
    progress: Progress,
) -> Prepared:
    """Load what is compared and validate every option, before anything is computed or written.

    The parameters are those of `compare`.

    Raises
    ------
    AssonanceError
        As `compare`.
    """
    models = [models] if isinstance(models, str | Path) else list(models)
    refuse_unknown(models, seeds, SEED)
    refuse_unknown(models, tuned_from, BASE)
    settings = find_settings(settings)
    room = parse_bytes(memory)
    chosen = _unique(find(measures or STANDARD, ("neuron", "layer", "head")))
    speech = corpus if isinstance(corpus, Corpus) else Corpus.from_path(corpus)
    if on_error == "stop":
        stop_at_left_out(speech)
    with progress.stage("loading models", 1) as advance:
        named = load_roster(
            models,
            settings.seed if twins else None,
            device=device,
            offline=offline,
            record=record,
            precision=precision,
        )
        advance(1)
    # A baseline has no heads.
    named = {name: each for name, each in named.items() if of_frames(chosen) or not each.baseline}
    first_of = stated_by_name(named, seeds, SEED)
    base_of = stated_by_name(named, tuned_from, BASE)
    records = {
        name: _record(name, each, first_of.get(name), base_of.get(name))
        for name, each in named.items()
    }
    check_statements(tuple(records.values()))
    return Prepared(
        *(named, speech, tuple(chosen), settings, pooling, room, device, on_error, records)
    )


def of_frames(measures: Iterable[Measure]) -> bool:
    """Check whether any measure compares frames, and not attention alone."""
    return any(each.level in FRAME_LEVELS for each in measures)


def _resampled(extractions: Mapping[str, Extraction], named: Roster) -> list[str]:
    return [
        f"{extraction.resampled} of {len(extraction.ids)} utterances were resampled to the "
        f"{named[name].model.sampling_rate} Hz of {name}"
        for name, extraction in extractions.items()
        if extraction.resampled and not named[name].control
    ]


def _record(
    name: str, compared: RosterEntry, seed_of: str | None, tuned_from: str | None
) -> ModelRecord:
    model = compared.model
    return ModelRecord(
        name=name,
        **asdict(model.info),
        fingerprint=model.fingerprint,
        layers=dict(model.meanings),
        twin_of=compared.twin_of,
        seed_of=seed_of,
        tuned_from=tuned_from,
        baseline=compared.baseline,
    )


def _unique(measures: Iterable[Measure]) -> list[Measure]:
    return list({each.name: each for each in measures}.values())

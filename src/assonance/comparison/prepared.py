"""Prepare a comparison, and run it: from loaded models to labelled scores, on one page."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import xarray as xr

from assonance.activations.extraction import stop_at_left_out
from assonance.comparison.extracted import Extracted, extract_all, needs_frames
from assonance.comparison.layer_pairs import with_floors_alone
from assonance.comparison.plan import ComparisonPlan, Datasets
from assonance.comparison.read_once import read_with_attention
from assonance.comparison.records import (
    ModelRecord,
    Provenance,
    record_of,
    record_of_speech,
    versions,
)
from assonance.comparison.relations import STATE_BASE, Relations, check_statements
from assonance.comparison.request import Request
from assonance.comparison.result import Comparison
from assonance.comparison.results_file import GROUPS, SCORES
from assonance.comparison.selecting import without_floors
from assonance.comparison.weights import let_large_rest, let_rest
from assonance.corpus import Corpus
from assonance.corpus.units import few_speakers, population
from assonance.errors import AssonanceError, AssonanceWarning
from assonance.inference.intervals import intervals
from assonance.measures import Measure
from assonance.models import SpeechModel
from assonance.models.roster import BASE, SEED, Roster, load_roster, refuse_unknown, stated_by_name
from assonance.utils.memory import parse_bytes
from assonance.utils.progress import Progress
from assonance.utils.temporary import temporary_folder
from assonance.utils.work import HERE, Work, Workplace

# What a plan computes. Intervals are derived from it.
_COMPUTED = [each for each in (SCORES, *GROUPS) if each != "intervals"]
_FIRST = {"scores", "neurons", "heads", "maps"}  # of scores alone
PRELIMINARY = "these scores are preliminary: intervals and nulls are still being computed"
FLOORS_FOLLOW = "these results are preliminary: floors are still being computed"
LAYERS_FOLLOW = "these results are preliminary: layers and neurons are still being compared"
PIECES = "pieces"  # folder of what is finished of a run, until its results are complete


def prepare(
    models: Iterable[str | Path | SpeechModel],
    corpus: Corpus | str | Path,
    request: Request,
    progress: Progress,
) -> "Prepared":
    """Load models and corpus and check every option, before anything is computed or written.

    Raises
    ------
    AssonanceError
        See `compare`.
    """
    models = _listed(models)
    refuse_unknown(models, request.seeds, SEED)
    refuse_unknown(models, request.tuned_from, BASE)
    memory = parse_bytes(request.memory)
    measures = request.find_measures()
    speech = corpus if isinstance(corpus, Corpus) else Corpus.open(corpus, request.reading)
    if request.on_error == "stop":
        stop_at_left_out(speech)
    with progress.stage("loading models", 1) as advance:
        seed = request.settings.seed if request.twins else None
        roster = load_roster(models, seed, request.loading, progress)
        advance(1)
    if not request.whole_twins:
        roster = with_floors_alone(roster)
    if not needs_frames(measures):  # the baseline has no attention heads
        roster = {name: each for name, each in roster.items() if not each.baseline}
    first_seeds = stated_by_name(roster, request.seeds, SEED)
    bases = stated_by_name(roster, request.tuned_from, BASE)
    records = {
        name: record_of(name, each, first_seeds.get(name), bases.get(name))
        for name, each in roster.items()
    }
    check_statements(tuple(records.values()))
    return Prepared(roster, speech, measures, request, memory, records)


def _listed(models: Any) -> list[str | Path | SpeechModel]:
    """Return the models as a list; one alone will do."""
    given = (
        list(models) if isinstance(models, Iterable) and not isinstance(models, str) else [models]
    )
    for each in given:
        if not isinstance(each, str | Path) and not hasattr(each, "layers"):
            raise AssonanceError(
                f"models must be names, paths or models to run; got {type(each).__name__}"
            )
    return given


@dataclass(frozen=True)
class Prepared:
    """A comparison with models loaded and options checked; nothing is written yet.

    Attributes
    ----------
    roster
        The models, random twins and baseline.
    speech
        The corpus.
    measures
        The measures.
    request
        The options.
    memory
        Memory limit of the statistics, in bytes.
    records
        What the provenance records of each model, by name.
    """

    roster: Roster
    speech: Corpus
    measures: tuple[Measure, ...]
    request: Request
    memory: float
    records: Mapping[str, ModelRecord]

    def run(
        self,
        out: Path | None,
        progress: Progress,
        activations: Path | None = None,
        early: Callable[[Comparison], None] | None = None,
        work: Work = HERE,
    ) -> Comparison:
        """Extract activations into a folder and score them; see `compare`.

        Parameters
        ----------
        out, progress
            As for `compare`.
        activations
            Folder for the activations, if several runs share them; `out` by default.
        early
            Receives what is there, if layers take several tiles: all results of heads before
            layers, if models were run once for both; then scores before their intervals and nulls,
            if these take much longer, or all results of the models before the floors.
        work
            What computes pieces. No bit of the result depends on it, nor on `early`.
        """
        with ExitStack() as stack:
            kept = out or stack.enter_context(temporary_folder())
            folder = activations or kept
            place = Workplace(work, kept / PIECES)
            let_large_rest(self.roster, self.memory, folder)
            compared = read_with_attention(
                self.roster, self.speech, self.request, folder, place, self.plan, progress
            )
            verified = work.read(progress)
            extracted = extract_all(
                *(self.roster, self.speech, self.measures, self.request, folder, progress),
                verify=not verified,
            )
            plan = self.plan(extracted)
            let_rest(extracted.roster, folder)
            # The pieces of attention are there then, so no worker and no model is needed.
            heads = plan.head_scores(progress, replace(place, work=HERE)) if compared else None
            if early is not None and len(plan.tiles()) < 2:
                early = None  # the rest comes soon
            if early is not None and heads:
                early(self._early(LAYERS_FOLLOW, extracted, plan, [heads]))
            if early is not None and (first := plan.first_scores(progress, place)):
                if heads is None:
                    heads = plan.head_scores(progress, place)
                    let_rest(extracted.roster, folder)
                shown = [{name: each[name] for name in _FIRST & {*each}} for each in (first, heads)]
                early(self._early(PRELIMINARY, extracted, plan, shown))
                early = None

            def show(frames: Datasets) -> None:
                if early is not None:
                    parts = [frames, heads or {}]
                    early(without_floors(self._early(FLOORS_FOLLOW, extracted, plan, parts)))

            frames = plan.frame_scores(progress, place, show)
            if heads is None:
                heads = plan.head_scores(progress, place)
        notes = self._notes(extracted, plan)
        for note in notes:
            warnings.warn(note, AssonanceWarning, stacklevel=4)
        return self._comparison(extracted, plan, [frames, heads], notes)

    def _notes(self, extracted: Extracted, plan: ComparisonPlan) -> list[str]:
        """List all caveats: first what too little speech makes of the numbers."""
        speakers = few_speakers(extracted.shared.speech) if self.request.uncertainty else []
        relations = Relations(tuple(self.records.values()))
        trained = [each.model for each in self.roster.values() if not each.control]
        return [
            *plan.notes,
            *speakers,
            *(note for each in trained for note in each.info.notes),
            *relations.unlike_inputs(),
            *(f"{each}: {STATE_BASE}" for each in relations.unknown_bases()),
        ]

    def _early(
        self,
        note: str,
        extracted: Extracted,
        plan: ComparisonPlan,
        parts: Sequence[Mapping[str, xr.Dataset]],
    ) -> Comparison:
        """Join what is there, of the measures in it, under a note about the rest."""
        found = self._comparison(extracted, plan, parts, [note, *self._notes(extracted, plan)])
        there = [name for name in found.provenance.measures if name in found.scores]
        return replace(found, provenance=replace(found.provenance, measures=tuple(there)))

    def _comparison(
        self,
        extracted: Extracted,
        plan: ComparisonPlan,
        parts: Sequence[Mapping[str, xr.Dataset]],
        notes: Sequence[str],
    ) -> Comparison:
        """Join the datasets of the passes with their provenance."""
        computed = {
            name: xr.merge(
                [plan.nothing, *(part[name] for part in parts if name in part)], join="exact"
            )
            for name in _COMPUTED
        }
        return Comparison(
            **computed,
            intervals=intervals(computed["scores"], computed["replicates"]),
            provenance=self._provenance(extracted, plan.frames, notes),
        )

    def plan(self, extracted: Extracted) -> ComparisonPlan:
        """Plan the passes over activations, which may be planned themselves."""
        return ComparisonPlan(
            extracted.roster,
            extracted.extractions,
            extracted.shared,
            self.measures,
            self.request.settings,
            self.memory,
            self.request.loading.device,
            self.request.uncertainty,
        )

    def _provenance(
        self, extracted: Extracted, frames: int, plan_notes: Iterable[str]
    ) -> Provenance:
        """Record what was compared."""
        speech = extracted.shared.speech
        return Provenance(
            versions=versions(),
            measures=tuple(each.name for each in self.measures),
            settings=asdict(self.request.settings),
            models=tuple(self.records[name] for name in extracted.roster),
            corpus=record_of_speech(speech, frames),
            left_out=extracted.shared.left_out,
            notes=(*plan_notes, *extracted.notes()),
            population=population(speech),
        ).escaped()

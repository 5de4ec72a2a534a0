"""Count what a comparison takes before it starts: frames, pairs, tiles, bytes, operations.

Every count comes from the function that the run itself uses, on activations that are planned from
the lengths of the speech.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

from assonance.activations.planned import plan_extraction, planned_bytes
from assonance.comparison.extracted import Extracted, keep_shared, needs_frames
from assonance.comparison.plan import ComparisonPlan
from assonance.comparison.prepared import Prepared
from assonance.comparison.read_once import seconds_with_attention
from assonance.comparison.weights import are_large, maps_at_once, weights_size
from assonance.corpus import Corpus, Utterance
from assonance.errors import AssonanceError
from assonance.inference.resampling import Resampling
from assonance.models import can_rest
from assonance.scoring.attention_pass import AttentionPass
from assonance.scoring.kept_sums import KeptSums
from assonance.scoring.tiles import Tile, new_layers, size, tables_size
from assonance.utils.cores import cores


@dataclass(frozen=True)
class Counts:
    """What a comparison consists of.

    Attributes
    ----------
    prepared
        The comparison. Its models may be outlines.
    extracted
        The planned activations of its models.
    """

    prepared: Prepared
    extracted: Extracted

    @cached_property
    def plan(self) -> ComparisonPlan:
        """The passes over the planned activations."""
        return self.prepared.plan(self.extracted)

    @property
    def speech(self) -> Corpus:
        """The utterances that all models share."""
        return self.extracted.shared.speech

    @property
    def frames(self) -> int:
        """Number of rows of every layer."""
        return self.plan.frames

    @property
    def widths(self) -> Mapping[str, int]:
        """Number of neurons of each layer whose frames are compared."""
        return self.plan.source.widths

    @cached_property
    def resampling(self) -> Resampling:
        """Folds, groups, replicates and shifts of the pass over frames."""
        return self.plan.resample(self.plan.frame_measures)

    @cached_property
    def tiles(self) -> list[Tile]:
        """The tiles of the pass over frames."""
        return self.plan.tiles()

    @property
    def summed(self) -> list[set[str]]:
        """Layers of each tile whose sums are computed there: not those of the tile before it."""
        return new_layers(self.tiles)

    def model_of(self, layer: str) -> str:
        """Return the model of a layer."""
        return self.plan.source.layers[layer].model

    @property
    def pairs(self) -> int:
        """Number of pairs of layers that get a score."""
        return sum(len(tile.pairs) for tile in self.tiles)

    @cached_property
    def attention(self) -> AttentionPass | None:
        """The pass over attention maps, or None if no measure needs it or no model has heads."""
        if not self.plan.head_measures:
            return None
        attention, _ = self.plan.attention_pass()
        return attention if attention.heads else None

    @cached_property
    def read_with_attention(self) -> float:
        """Seconds of speech that models with heads read while attention is compared."""
        prepared = self.prepared
        return seconds_with_attention(
            prepared.roster, prepared.speech, prepared.measures, prepared.request
        )

    @property
    def head_pairs(self) -> int:
        """Number of pairs of attention heads that get a score."""
        return 0 if self.attention is None else self.attention.head_pairs

    @property
    def disk(self) -> int:
        """Bytes of the activations on disk."""
        if not needs_frames(self.prepared.measures):
            return 0
        return planned_bytes(self.extracted.extractions)

    @property
    def models(self) -> int:
        """Bytes of the weights of all models, which are in memory together."""
        return weights_size(each.model for each in self.extracted.roster.values())

    @property
    def running(self) -> float:
        """Bytes of the weights that are in memory while models run."""
        roster, memory = self.extracted.roster, self.prepared.memory
        if self.plan.device != "cpu" or not are_large(roster, memory):
            return self.models
        return min(
            self.models, cores() * max(weights_size([each.model]) for each in roster.values())
        )

    @property
    def staying(self) -> int:
        """Bytes of the weights that stay in memory while frames are compared."""
        if self.plan.device != "cpu":
            return self.models
        models = [each.model for each in self.extracted.roster.values()]
        return weights_size(each for each in models if not can_rest(each))

    @property
    def largest_tile(self) -> float:
        """Bytes of the sums and factors of the largest tile, and of the tables of all layers."""
        plan, measures = self.plan, self.plan.frame_measures
        kept = KeptSums.of(plan.source, measures, plan.settings, self.resampling)
        sums = max((size(tile, self.widths, kept) for tile in self.tiles), default=0.0)
        return sums + tables_size(self.widths, measures, self.resampling)

    @property
    def maps(self) -> float:
        """Bytes of the attention maps that are in memory together, and of what compares them."""
        if self.attention is None:
            return 0.0
        memory = self.prepared.memory
        needed = self.attention.fitting(memory).values()
        at_once = maps_at_once(self.attention, self.extracted.roster, memory)
        each = max(needed, default=0.0) + self.attention.table_bytes
        return min(cores(), at_once) * each

    @property
    def products(self) -> float:
        """Floating-point operations of the products of frames, of all layers and pairs."""
        once = sum(self.widths[name] ** 2 for tile in self.summed for name in tile)
        pairs = sum(
            self.widths[a] * self.widths[b] * (1 + self.resampling.shifts * null)
            for a, b, null in self.with_nulls()
        )
        return 2.0 * self.frames * (once + pairs)

    def with_nulls(self) -> Iterator[tuple[str, str, bool]]:
        """Yield each pair of layers, and whether it gets a null."""
        rules = self.plan.frame_pairs
        for tile in self.tiles:
            for a, b in tile.pairs:
                yield a, b, rules.gets_null(a, b)


def count_comparison(prepared: Prepared, hours: float | None = None) -> Counts:
    """Count what a comparison takes.

    A run checks its disk with this before it starts, and `forecast` adds times to it.

    Parameters
    ----------
    prepared
        The comparison.
    hours
        Hours of speech to count for, made by repeating the utterances; None for the speech as it
        is.

    Raises
    ------
    AssonanceError
        A model can use none of the speech, hours are out of range, or rows need alignments, which
        repeated speech does not have.
    """
    if hours is not None:
        if prepared.request.pooling.alignments is not None:
            raise AssonanceError("hours: cannot be set with alignments; leave either out")
        prepared = replace(prepared, speech=_repeated(prepared.speech, hours))
    extractions = {
        name: plan_extraction(each.model, prepared.speech, prepared.request.store, each.widths)
        for name, each in prepared.roster.items()
    }
    extracted = keep_shared(
        prepared.roster, extractions, prepared.speech, prepared.measures, prepared.request
    )
    return Counts(prepared, extracted)


def _repeated(speech: Corpus, hours: float) -> Corpus:
    """Return speech of about so many hours: the utterances in order, over and over."""
    if not 0 < hours <= 1e6:
        raise AssonanceError(f"hours must be above 0 and at most a million; got {hours:g}")
    seconds, chosen = 3600 * hours, list[Utterance]()
    for utterance in _over_and_over(speech):
        if chosen and seconds < utterance.duration / 2:
            break
        chosen.append(utterance)
        seconds -= utterance.duration
    return replace(speech, utterances=tuple(chosen))


def _over_and_over(speech: Corpus) -> Iterator[Utterance]:
    """Yield the utterances again and again, each time under other ids."""
    yield from speech
    for time in count(2):
        for each in speech:
            recording = f"{each.recording} ({time})"
            yield replace(each, id=f"{each.id} ({time})", recording=recording)

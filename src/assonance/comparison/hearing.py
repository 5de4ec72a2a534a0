"""Find the clips that let one hear neurons, and put their sound into one stream."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from assonance.activations.peaks import Peaks, Stretch, read_stretches
from assonance.comparison.kept_run import KeptRun
from assonance.comparison.moments import OFFSETS, REACH, Clip, Moment, Neuron, Sound, Trace
from assonance.corpus import Utterance
from assonance.corpus.clips import make_sprite

CLIPS = 3  # moments of a neuron on a page
# A page holds clips of at most so many neurons, times the models whose activity they show, and at
# most so many seconds of speech.
MOST_NEURONS, MOST_SECONDS = 18_000, 600.0
_GRAIN = 10  # speech is counted in tenths of a second

# A neuron, and its best match in each other model.
Wanted = tuple[Neuron, Mapping[str, Neuron]]


def find_sound(kept: KeptRun, wanted: Sequence[Wanted]) -> Sound:
    """Find the clips of neurons, and put their sound into one stream.

    Parameters
    ----------
    kept
        The run.
    wanted
        Neurons, those that matter most first, each with its best match in other models. Clips are
        found until a page of them would be too large.

    Raises
    ------
    AssonanceError
        The speech cannot be read, or has changed.
    """
    matches = dict(wanted[: MOST_NEURONS // len(kept.stores)])
    peaks = _peaks_of_all(kept, matches)
    moments: dict[Neuron, list[Moment]] = {}
    heard = _Heard(kept.speech)
    for neuron in matches:
        model, layer, index = neuron
        found = kept.moments(peaks[model][layer], index)
        if not heard.add(found):
            break
        moments[neuron] = found
    stretches = heard.stretches()
    for id in dict.fromkeys(each.utterance for each in stretches):
        kept.check_audio(kept.speech[id])
    sprite = make_sprite((kept.speech[each.utterance], each.start, each.end) for each in stretches)
    places: dict[str, list[tuple[_Part, float]]] = {}
    for part, at in zip(stretches, sprite.starts, strict=True):
        places.setdefault(part.utterance, []).append((part, at))
    traces = _traces(kept, peaks, {each: (moments[each], matches[each]) for each in moments})
    clips = {
        neuron: tuple(
            heard.clip(moment, places[moment.utterance], shown)
            for moment, shown in zip(found, traces[neuron], strict=True)
        )
        for neuron, found in moments.items()
    }
    return Sound(sprite.content, sprite.seconds, kept.licence, clips, len(clips) == len(wanted))


def _peaks_of_all(
    kept: KeptRun, matches: Mapping[Neuron, Mapping[str, Neuron]]
) -> dict[str, dict[str, Peaks]]:
    """Find the peaks of the layers that have a neuron among those wanted or their matches."""
    layers: dict[str, dict[str, None]] = {}
    for neuron, found in matches.items():
        for model, layer, _ in (neuron, *found.values()):
            layers.setdefault(model, {})[layer] = None
    return {model: kept.peaks(model, list(found), CLIPS) for model, found in layers.items()}


def _traces(
    kept: KeptRun,
    peaks: Mapping[str, Mapping[str, Peaks]],
    shown: Mapping[Neuron, tuple[Sequence[Moment], Mapping[str, Neuron]]],
) -> dict[Neuron, list[dict[str, Trace]]]:
    """Read the activity of each neuron and its matches around each of its moments."""
    traces: dict[Neuron, list[dict[str, Trace]]] = {
        neuron: [{} for _ in moments] for neuron, (moments, _) in shown.items()
    }
    wanted: dict[str, list[tuple[Stretch, dict[str, Trace], str]]] = {}
    for neuron, (moments, matches) in shown.items():
        for moment, place in zip(moments, traces[neuron], strict=True):
            for name, (model, layer, index) in {"": neuron, **matches}.items():
                stretch = Stretch(moment.utterance, layer, index, moment.time + OFFSETS)
                wanted.setdefault(model, []).append((stretch, place, name))
    for model, each in wanted.items():
        read = read_stretches(kept.stores[model], [one for one, _, _ in each], peaks[model])
        for (_, place, name), values in zip(each, read, strict=True):
            place[name] = values
    return traces


class _Part(NamedTuple):
    """A stretch of an utterance, in seconds."""

    utterance: str
    start: float
    end: float


class _Heard:
    """The speech that clips need: each stretch once, however many clips share it."""

    def __init__(self, speech: Mapping[str, Utterance]) -> None:
        self._speech = speech
        self._grains: dict[str, set[int]] = {}

    def add(self, moments: Sequence[Moment]) -> bool:
        """Add the speech around moments, unless the stream would be too long."""
        more = [(each.utterance, range(*self._ends(each))) for each in moments]
        new = {(id, k) for id, grains in more for k in grains if k not in self._grains.get(id, ())}
        held = sum(map(len, self._grains.values()))
        if (held + len(new)) / _GRAIN > MOST_SECONDS:
            return False
        for id, k in new:
            self._grains.setdefault(id, set()).add(k)
        return True

    def stretches(self) -> list[_Part]:
        """Return the stretches without gaps, in the order of the corpus."""
        found = []
        for id in self._speech:
            grains = self._grains.get(id, set())
            firsts = sorted(k for k in grains if k - 1 not in grains)
            lasts = sorted(k for k in grains if k + 1 not in grains)
            found += [
                _Part(id, first / _GRAIN, min((last + 1) / _GRAIN, self._speech[id].duration))
                for first, last in zip(firsts, lasts, strict=True)
            ]
        return found

    def clip(
        self,
        moment: Moment,
        places: Sequence[tuple[_Part, float]],
        traces: Mapping[str, Trace],
    ) -> Clip:
        """Return the clip of a moment, given where the utterance's stretches are in the stream."""
        start, end = self._around(moment)
        part, at = next(
            (part, at)
            for part, at in places
            if part.start <= start + 1e-9 and end <= part.end + 1e-9
        )
        return Clip(moment, at + start - part.start, end - start, moment.time - start, traces)

    def _around(self, moment: Moment) -> tuple[float, float]:
        """Return where the sound around a moment begins and ends, in seconds."""
        last = self._speech[moment.utterance].duration
        return max(moment.time - REACH, 0.0), min(moment.time + REACH, last)

    def _ends(self, moment: Moment) -> tuple[int, int]:
        """Return the first grain of the speech around a moment, and one past the last."""
        start, end = self._around(moment)
        return int(start * _GRAIN), int(-(-end * _GRAIN // 1))

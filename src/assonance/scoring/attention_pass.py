"""The pass over the attention: every model once more over the speech, its maps compared at once."""

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from assonance.corpus import Utterance
from assonance.measures import Measure
from assonance.models import SpeechModel
from assonance.scoring.head_scores import head_kinds, head_scores
from assonance.settings import Settings
from assonance.statistics import HeadProfiles, HeadSums, on_grid
from assonance.utils.cores import worker_pool
from assonance.utils.progress import Progress

_FLOAT32 = 4


Wanted = Callable[[str, str], bool]


@dataclass
class _Sums:
    """What one or more utterances say of all heads, and of what in them is not as it should be."""

    heads: HeadSums
    shapes: HeadProfiles
    lengths: list[int]
    regridded: set[str]

    def merge(self, other: "_Sums") -> "_Sums":
        return _Sums(
            self.heads.merge(other.heads),
            self.shapes.merge(other.shapes),
            self.lengths + other.lengths,
            self.regridded | other.regridded,
        )


class AttentionPass:
    """Head measures of every wanted pair of layers, an utterance at a time.

    Every model runs over every utterance once more: maps are too large to keep. What every layer
    makes of an utterance is put beside that of all others as soon as it is there, compared, and
    forgotten. An utterance longer than the settings' `attention_seconds` is cut into the fewest
    pieces of equal length that are not, and each piece counts as an utterance of its own.

    Parameters
    ----------
    models
        By name, in order; those without heads are passed over.
    utterances
        What every model can use.
    measures, settings
        Head measures, and how they are taken.
    parts
        Number of the part that each utterance belongs to, from 0 on.
    replicates
        How often each part counts in each replicate; none where no interval is asked for.
    name_of
        Name of a model's layer.
    wanted
        Which pairs of layer names.
    memory
        Bytes that maps may take; no more utterances are in work at once than fit, and one that
        does not fit alone is passed over.
    """

    def __init__(
        self,
        models: Mapping[str, SpeechModel],
        utterances: Sequence[Utterance],
        measures: Sequence[Measure],
        settings: Settings,
        *,
        parts: Sequence[int],
        replicates: Sequence[Sequence[int]],
        name_of: Callable[[str, str], str],
        wanted: Wanted,
        memory: float,
    ) -> None:
        self.models = {name: model for name, model in models.items() if model.heads}
        self.utterances = utterances
        self.measures = measures
        self.settings = settings
        self.parts = parts
        self.replicates = replicates
        self.name_of = name_of
        self.memory = memory
        self.heads = {
            name_of(model, label): count
            for model, adapter in self.models.items()
            for label, count in adapter.heads.items()
        }
        names = list(self.heads)
        self.pairs = [(a, b) for i, a in enumerate(names) for b in names[i:] if wanted(a, b)]

    def run(self, progress: Progress) -> tuple[xr.Dataset | None, list[str]]:
        """Go over the speech.

        Parameters
        ----------
        progress
            Told of the seconds of speech done.

        Returns
        -------
        tuple of xarray.Dataset or None, and list of str
            The scores as `head_scores` and `head_kinds` give them, None where every utterance is
            too long or no model has heads; and what to beware of.
        """
        if not self.heads:
            return None, ["no model gives attention maps, so heads are not compared"]
        seconds = [each.duration for each in self.utterances]
        needed = [self._needed(each.duration) for each in self.utterances]
        fits = [each <= self.memory for each in needed]
        kept = [each for each, fit in zip(self.utterances, fits, strict=True) if fit]
        cautions = self._cautions_of_length(fits)
        if not kept:
            return None, cautions
        parts = [part for part, fit in zip(self.parts, fits, strict=True) if fit]
        largest = max(each for each, fit in zip(needed, fits, strict=True) if fit)
        room = threading.BoundedSemaphore(max(1, int(self.memory // largest)))

        def compare(utterance: Utterance) -> _Sums:
            with room:
                return self._of(utterance)

        by_part: dict[int, _Sums] = {}
        broken: dict[str, list[str]] = {}
        with progress.stage("comparing attention", sum(seconds)) as advance, worker_pool() as share:
            done = zip(kept, parts, share(compare, kept), strict=True)
            for utterance, part, sums in done:
                by_part[part] = by_part[part].merge(sums) if part in by_part else sums
                for head in self._broken(sums.heads):
                    broken.setdefault(head, []).append(utterance.id)
                advance(utterance.duration)
            advance(sum(seconds) - sum(each.duration for each in kept))
            total = reduce(_Sums.merge, by_part.values())
            scores = head_scores(
                [
                    by_part[part].heads if part in by_part else self._empty()
                    for part in range(max(self.parts) + 1)
                ],
                self.measures,
                self.settings,
                per_head=True,
                replicates=self.replicates,
                position=self._position_only(total),
            )
        cautions += self._cautions(total, broken, len(kept))
        return scores.merge(head_kinds(self.heads, total.shapes)), cautions

    def _needed(self, duration: float) -> float:
        """Bytes that the maps of an utterance, or of its longest piece, take."""
        seconds = duration / _pieces(duration, self.settings.attention_seconds)
        frames = max(
            each.n_frames(math.ceil(seconds * each.sampling_rate) + 1)
            for each in self.models.values()
        )
        return _FLOAT32 * sum(self.heads.values()) * frames**2

    def _of(self, utterance: Utterance) -> _Sums:
        """Run all models over an utterance, piece by piece, and compare their heads."""
        sums = _Sums(self._empty(), HeadProfiles(sum(self.heads.values())), [], set())
        rates = {each.sampling_rate for each in self.models.values()}
        count = _pieces(utterance.duration, self.settings.attention_seconds)
        parts = {rate: _cut(utterance.read(rate), count) for rate in rates}
        for piece in range(count):
            audio = {rate: parts[rate][piece] for rate in rates}
            frames = {
                name: each.n_frames(len(audio[each.sampling_rate]))
                for name, each in self.models.items()
            }
            least = min(frames.values())
            sums.regridded |= {name for name, each in frames.items() if each != least}
            stack = self._stack(audio, least)
            sums.shapes.update(stack, sums.heads.update(stack))
            sums.lengths.append(least)
        return sums

    def _stack(self, audio: Mapping[int, NDArray[np.float32]], frames: int) -> Tensor:
        """Put the maps of all heads of all models on top of each other; shape (N, T, T)."""
        stack = torch.empty(sum(self.heads.values()), frames, frames)
        places = self._empty().slices()
        for name, model in self.models.items():

            def attend(label: str, maps: NDArray[np.float32], name: str = name) -> None:
                stack[places[self.name_of(name, label)]] = on_grid(torch.from_numpy(maps), frames)

            model.run(audio[model.sampling_rate], attend=attend)
        return stack

    def _empty(self) -> HeadSums:
        needs = {each.needs for each in self.measures}
        return HeadSums(
            self.heads,
            self.pairs,
            divergences="head divergences" in needs,
            kernels="head kernels" in needs,
        )

    def _position_only(self, total: _Sums) -> HeadSums:
        """Compare what the heads would be if they knew positions alone, at the median length."""
        sums = self._empty()
        sums.update(total.shapes.position_only(int(np.median(total.lengths))))
        return sums

    def _broken(self, sums: HeadSums) -> Iterator[str]:
        """Name the heads of which a map was broken."""
        for name, place in sums.slices().items():
            for head in sums.broken[place].nonzero().flatten().tolist():
                yield f"{name} head {head}"

    def _cautions_of_length(self, fits: Sequence[bool]) -> list[str]:
        """Say what was too long."""
        over = [each for each, fit in zip(self.utterances, fits, strict=True) if not fit]
        longest = self.settings.attention_seconds
        cut = [
            each.id
            for each, fit in zip(self.utterances, fits, strict=True)
            if fit and _pieces(each.duration, longest) > 1
        ]
        cautions = []
        if cut:
            cautions.append(
                f"{len(cut)} of {len(self.utterances)} utterances, the first {cut[0]!r}, are "
                f"longer than {longest:g} s and are cut into equal pieces for the attention "
                "measures"
            )
        if over:
            cautions.append(
                f"{len(over)} of {len(self.utterances)} utterances, the first {over[0].id!r}, are "
                f"too long for their attention to fit into {self.memory / 2**30:.1f} GiB and are "
                "left out of the attention measures; cut them up or allow more memory"
            )
        return cautions

    def _cautions(self, total: _Sums, broken: Mapping[str, Sequence[str]], count: int) -> list[str]:
        """Say what was not as it should be."""
        cautions = []
        if total.regridded:
            finer = ", ".join(name for name in self.models if name in total.regridded)
            cautions.append(
                f"the attention of {finer} is compared on the coarser frames of the other models: "
                "its queries are averaged and its keys summed"
            )
        if broken:
            head, ids = next(iter(broken.items()))
            cautions.append(
                f"{len(broken)} attention heads have maps that are not finite or whose rows do not "
                f"sum to one; the first is {head}, in {len(ids)} of {count} utterances, the first "
                f"{ids[0]!r}; these maps are left out of these heads' scores"
            )
        return cautions


def _pieces(duration: float, longest: float | None) -> int:
    """Count the equal pieces of a duration that are no longer than the longest."""
    return 1 if longest is None else max(1, math.ceil(duration / longest))


def _cut(samples: NDArray[np.float32], count: int) -> list[NDArray[np.float32]]:
    """Cut samples into pieces of equal length, but for a sample."""
    return np.array_split(samples, count)

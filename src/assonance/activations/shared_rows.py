"""Find the rows that all models share in each utterance.

Frames are aligned by time, never by index. The grid is that of the model with the fewest frames.
For each frame of the grid, the frames of another model whose centres are nearest to it are
averaged. If there are none, the nearest frame is used if it is at most one stride away. Phones,
words and utterances pool each model's own frames. A row without a frame of every model is dropped.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from assonance.activations.extraction import Extraction
from assonance.activations.pooling import (
    FrameGroups,
    cells,
    from_ranges,
    in_spans,
    ranges_in,
    same,
    single_frames,
    whole,
)
from assonance.corpus import Corpus, LeftOut, Utterance
from assonance.corpus.alignments import Alignments, Span
from assonance.corpus.utterance import shown
from assonance.errors import AssonanceError, UnusableAudio, printable
from assonance.settings import By, OnError, Pool

_Times = Mapping[str, NDArray[np.float64]]
_RowsByModel = dict[str, FrameGroups | None]


@dataclass(frozen=True)
class Pooling:
    """What a row of the neuron and layer measures is.

    Attributes
    ----------
    pool
        Frame, phone, word or utterance.
    by
        How a phone, word or utterance is represented: by the mean of its frames, or by the frame
        nearest to its centre.
    alignments
        Folder or file with the times of phones and words; see `Alignments`. Labels only mark
        silence; no measure uses them.
    skip_silence
        Whether to leave out silence: phones and words labelled as silence and, for frames and
        utterances, the frames outside all other phones (or words).

    Raises
    ------
    AssonanceError
        `pool` or `by` is unknown, or alignments are needed and not given.
    """

    pool: Pool = "frame"
    by: By = "mean"
    alignments: str | Path | None = None
    skip_silence: bool = False

    def __post_init__(self) -> None:
        for name, value, choices in (("pool", self.pool, Pool), ("pool by", self.by, By)):
            if value not in get_args(choices):
                raise AssonanceError(
                    f"{name} {printable(str(value))!r}: not known; "
                    f"choose among {', '.join(get_args(choices))}"
                )
        if self.alignments is None and (self.pool in ("phone", "word") or self.skip_silence):
            what = "leaving out silence" if self.skip_silence else f"pooling by {self.pool}"
            raise AssonanceError(f"alignments: {what} needs them; give a folder or a .ctm file")


@dataclass(frozen=True)
class SharedRows:
    """Utterances with the rows that all models share.

    Attributes
    ----------
    speech
        The corpus, reduced to these utterances.
    rows
        By model, the frames that make up the rows of each utterance, in order; None if each frame
        is a row.
    left_out
        Utterances without rows, and why; those that the corpus or a model left out come first.
    notes
        Notes on the rows for readers of a result.
    """

    speech: Corpus
    rows: Mapping[str, tuple[FrameGroups | None, ...]]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


def share_rows(
    speech: Corpus,
    extractions: Mapping[str, Extraction],
    pooling: Pooling,
    on_error: OnError,
    baselines: Collection[str] = (),
) -> SharedRows:
    """Find the rows that all models share in every utterance that all of them could use.

    Parameters
    ----------
    speech
        Corpus.
    extractions
        Extraction of each model, by name.
    pooling
        What a row is.
    on_error
        Whether to skip an utterance without rows, or to stop at it.
    baselines
        Names of models that must not change the rows. They need all utterances of the others. A
        baseline without a frame near a row uses its nearest frame.

    Raises
    ------
    AssonanceError
        No utterance is left, the alignments cannot be read, or an utterance has no row and
        `on_error` is "stop".
    """
    alignments = None if pooling.alignments is None else Alignments(pooling.alignments)
    models = {name: each for name, each in extractions.items() if name not in baselines}
    left_out = _left_out(speech, models)
    common = [each for each in speech if each.id not in left_out]
    if not common:
        _refuse_none_left(left_out)
    times = {
        each.id: {name: found.store.times(each.id) for name, found in extractions.items()}
        for each in common
    }
    coarsest = min(models, key=lambda name: sum(len(times[each.id][name]) for each in common))
    finder = _RowFinder(pooling, alignments, coarsest, baselines)
    rows, without = _rows_of_each(finder, common, times, on_error)
    left_out |= without
    if not rows:
        _refuse_none_left(left_out)
    others = [
        name
        for name in models
        if not all(same([times[id][name], times[id][coarsest]]) for id in rows)
    ]
    compared = [times[id] for id in rows]
    return SharedRows(
        speech=replace(speech, utterances=tuple(each for each in common if each.id in rows)),
        rows={name: tuple(each[name] for each in rows.values()) for name in extractions},
        left_out=tuple(left_out.values()),
        notes=tuple(_notes(pooling, coarsest, others, compared)),
    )


def keep_common_utterances(speech: Corpus, extractions: Mapping[str, Extraction]) -> SharedRows:
    """Keep the utterances that every model could use, for measures that need no rows.

    Raises
    ------
    AssonanceError
        No utterance is left.
    """
    left_out = _left_out(speech, extractions)
    kept = tuple(each for each in speech if each.id not in left_out)
    if not kept:
        _refuse_none_left(left_out)
    return SharedRows(replace(speech, utterances=kept), {}, tuple(left_out.values()), ())


def lacking(
    extractions: Mapping[str, Extraction], baselines: Collection[str]
) -> dict[str, LeftOut]:
    """Find the baselines without an utterance that every other model could use.

    Returns
    -------
    dict of LeftOut
        By baseline, the first such utterance.
    """
    unusable = {
        left.id
        for name, each in extractions.items()
        if name not in baselines
        for left in each.left_out
    }
    first = {
        name: next((left for left in extractions[name].left_out if left.id not in unusable), None)
        for name in baselines
    }
    return {name: left for name, left in first.items() if left is not None}


def _left_out(speech: Corpus, extractions: Mapping[str, Extraction]) -> dict[str, LeftOut]:
    """Return, by id, the utterances that the corpus or a model left out."""
    left_out = {each.id: each for each in speech.left_out}
    for extraction in extractions.values():
        left_out |= {each.id: each for each in extraction.left_out if each.id not in left_out}
    return left_out


def _refuse_none_left(left_out: Mapping[str, LeftOut]) -> None:
    """Raise an error with the reason of the first utterance left out."""
    first = next(iter(left_out.values()))
    raise AssonanceError(
        f"{first.shown}: {first.reason}; no utterance is left that every model can use"
    )


def _rows_of_each(
    finder: "_RowFinder",
    utterances: Sequence[Utterance],
    times: Mapping[str, _Times],
    on_error: OnError,
) -> tuple[dict[str, _RowsByModel], dict[str, LeftOut]]:
    """Return the rows of each utterance by id, and the utterances without rows."""
    rows = {}
    left_out = {}
    for utterance in utterances:
        try:
            rows[utterance.id] = finder.rows(utterance, times[utterance.id])
        except UnusableAudio as error:
            if on_error == "stop":
                raise UnusableAudio(error.reason, shown(utterance.id, utterance.path)) from error
            left_out[utterance.id] = LeftOut(
                printable(utterance.id), printable(utterance.path), error.reason
            )
    return rows, left_out


@dataclass(frozen=True)
class _RowFinder:
    """Finds the rows of an utterance from the times of each model's frames."""

    pooling: Pooling
    alignments: Alignments | None
    coarsest: str
    baselines: Collection[str]

    def rows(self, utterance: Utterance, times: _Times) -> _RowsByModel:
        """Return the rows of one utterance, by model."""
        pool, skip_silence = self.pooling.pool, self.pooling.skip_silence
        spoken = None
        if self.alignments is not None and skip_silence:
            spoken = _bounds(self.alignments.spoken(utterance))
        if pool == "utterance":
            return {
                name: _whole(each, spoken, self.pooling.by, baseline=name in self.baselines)
                for name, each in times.items()
            }
        if pool == "frame":
            return self._on_grid(times, spoken)
        assert self.alignments is not None  # noqa: S101 - Pooling checks it
        spans = self.alignments.spans(utterance, pool)
        bounds = _bounds([each for each in spans if not (skip_silence and each.silent)])
        centre = self.pooling.by == "centre"
        ranges = {
            name: ranges_in(each, bounds, centre=centre, however_far=name in self.baselines)
            for name, each in times.items()
        }
        return _in_all(ranges, f"has no {pool} with a frame of every model")

    def _on_grid(self, times: _Times, spoken: NDArray[np.float64] | None) -> _RowsByModel:
        """Average the frames of each model on the grid of the coarsest."""
        grid = times[self.coarsest]
        chosen = np.ones(len(grid), bool) if spoken is None else in_spans(grid, spoken)
        bounds = cells(grid)[chosen]
        models = [each for name, each in times.items() if name not in self.baselines]
        if chosen.all() and same(models):
            own: _RowsByModel = dict.fromkeys(times)
            for name in self.baselines:
                if not same([times[name], grid]):
                    own[name] = from_ranges(ranges_in(times[name], bounds, however_far=True))
            return own
        ranges = {}
        for name, each in times.items():
            if same([each, grid]):
                places = np.flatnonzero(chosen)
                ranges[name] = np.stack([places, places + 1], axis=1)
            else:
                ranges[name] = ranges_in(each, bounds, however_far=name in self.baselines)
        return _in_all(ranges, "has no frame of the grid with a frame of every model near it")


def _bounds(spans: Sequence[Span]) -> NDArray[np.float64]:
    return np.array([(each.start, each.end) for each in spans]).reshape(-1, 2)


def _whole(
    times: NDArray[np.float64], spoken: NDArray[np.float64] | None, by: By, *, baseline: bool
) -> FrameGroups:
    frames = np.arange(len(times)) if spoken is None else np.flatnonzero(in_spans(times, spoken))
    if baseline and spoken is not None and not len(frames):
        frames = ranges_in(times, spoken, centre=True, however_far=True)[:, 0]
    if not len(frames):
        raise UnusableAudio("has no frame in which somebody speaks")
    if by == "mean":
        return whole(frames)
    middle = (times[frames[0]] + times[frames[-1]]) / 2
    return single_frames(frames[[np.abs(times[frames] - middle).argmin()]])


def _in_all(ranges: Mapping[str, NDArray[np.int64]], otherwise: str) -> _RowsByModel:
    """Keep the rows that every model has frames for."""
    complete = np.logical_and.reduce([each[:, 0] < each[:, 1] for each in ranges.values()])
    if not complete.any():
        raise UnusableAudio(otherwise)
    return {name: from_ranges(each[complete]) for name, each in ranges.items()}


def _notes(
    pooling: Pooling, coarsest: str, others: Sequence[str], times: Sequence[_Times]
) -> list[str]:
    """State what a row is, and which models have frames at other times than the coarsest."""
    finer = [name for name in others if _rate(name, times) > 1.01 * _rate(coarsest, times)]
    beside = [name for name in others if name not in finer]
    notes = []
    if pooling.pool != "frame":
        how = "the mean of its frames" if pooling.by == "mean" else "the frame nearest its centre"
        notes.append(
            f"each row of the neuron and layer measures is a {pooling.pool}: {how} of each model"
        )
    else:
        if finer:
            notes.append(
                f"the frames of {', '.join(finer)} are averaged onto the coarser frames of "
                f"{coarsest}, by their times"
            )
        if beside:
            notes.append(
                f"the frames of {', '.join(beside)} are at other moments than those of {coarsest}: "
                "each is compared with the one nearest in time"
            )
    if pooling.skip_silence:
        notes.append("silence is left out of the neuron and layer measures, by the alignments")
    return notes


def _rate(name: str, times: Sequence[_Times]) -> float:
    """Return the frames a second of a model, from its longest utterance; 0 of a single frame."""
    longest = max((each[name] for each in times), key=len)
    return (len(longest) - 1) / float(longest[-1] - longest[0]) if len(longest) > 1 else 0.0

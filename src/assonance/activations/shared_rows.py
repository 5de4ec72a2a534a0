"""Where models meet: the rows that all of them have of each utterance, found by time."""

from collections.abc import Collection, Mapping
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
from assonance.corpus.alignments import Alignments
from assonance.errors import AssonanceError, UnusableAudio, printable
from assonance.settings import By, OnError, Pool

_Times = Mapping[str, NDArray[np.float64]]


_AllRows = dict[str, FrameGroups | None]


@dataclass(frozen=True)
class Pooling:
    """What a row of the measures is.

    Attributes
    ----------
    pool
        A frame, a phone, a word or an utterance.
    by
        What stands for a phone, word or utterance: the mean of its frames, or the frame nearest to
        its centre.
    alignments
        Where phones and words are; see `Alignments`. Labels say which spans are silent, and enter
        no measure.
    skip_silence
        Whether rows of silence are left out: phones and words labelled as silence, and, of frames
        and utterances, the frames that lie in no phone (or word) or in a silent one.

    Raises
    ------
    AssonanceError
        It is none of these, or needs alignments and has none.
    """

    pool: Pool = "frame"
    by: By = "mean"
    alignments: str | Path | None = None
    skip_silence: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (("pool", self.pool, Pool), ("pool by", self.by, By)):
            if value not in get_args(known):
                raise AssonanceError(
                    f"{name} {printable(str(value))!r}: not known; "
                    f"choose among {', '.join(get_args(known))}"
                )
        if self.alignments is None and (self.pool in ("phone", "word") or self.skip_silence):
            what = "silence is left out" if self.skip_silence else f"pooling by {self.pool} is done"
            raise AssonanceError(f"alignments: {what} by alignments; name a folder or a .ctm file")


@dataclass(frozen=True)
class SharedRows:
    """Utterances of which every model has the same rows.

    Attributes
    ----------
    speech
        The corpus with these utterances alone.
    rows
        By model, which of its frames make the rows of each utterance, in order; None where each
        frame is a row.
    left_out
        What no row is made of, and why; what the corpus and the models left out comes first.
    notes
        What a reader must know of the rows.
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
    followers: Collection[str] = (),
) -> SharedRows:
    """Find the rows of every utterance that every model could use.

    Frames meet by their times, never by their numbers. The grid is that of the model that makes
    the fewest frames. The frames of another model whose centres lie nearer to a frame of the grid
    than to any other of the grid are averaged; where there are none, the nearest frame stands in,
    if it is no more than its stride away. Phones, words and utterances take each model's own
    frames. A row that some model has no frame of is dropped for all.

    Parameters
    ----------
    speech
        The corpus.
    extractions
        What each model made of it, by name.
    pooling
        What a row is.
    on_error
        Leave an utterance without a row out, or stop there.
    followers
        Models that have all utterances of the others, and follow: rows are what they are without
        them, and where a follower has no frame near, its nearest stands in.

    Returns
    -------
    Meeting
        Of at least one utterance.

    Raises
    ------
    AssonanceError
        No utterance is left, the alignments cannot be read, or an utterance has no row and
        `on_error` is "stop".
    """
    alignments = None if pooling.alignments is None else Alignments(pooling.alignments)
    leaders = {name: each for name, each in extractions.items() if name not in followers}
    left_out = _lost(speech, leaders)
    together = [each for each in speech if each.id not in left_out]
    if not together:
        _refuse_none_left(left_out)
    times = {
        name: [extraction.store.times(each.id) for each in together]
        for name, extraction in extractions.items()
    }
    coarsest = min(leaders, key=lambda name: sum(map(len, times[name])))
    kept = []
    rows: dict[str, list[FrameGroups | None]] = {name: [] for name in extractions}
    finer: set[str] = set()
    for place, utterance in enumerate(together):
        own = {name: each[place] for name, each in times.items()}
        try:
            found = _rows(utterance, own, coarsest, pooling, alignments, followers)
        except UnusableAudio as error:
            if on_error == "stop":
                raise UnusableAudio(error.reason, utterance.path) from error
            left_out[utterance.id] = LeftOut(
                printable(utterance.id), printable(utterance.path), error.reason
            )
            continue
        kept.append(utterance)
        finer |= {name for name in leaders if not same([own[name], own[coarsest]])}
        for name, each in found.items():
            rows[name].append(each)
    if not kept:
        _refuse_none_left(left_out)
    return SharedRows(
        speech=replace(speech, utterances=tuple(kept)),
        rows={name: tuple(each) for name, each in rows.items()},
        left_out=tuple(left_out.values()),
        notes=tuple(_notes(pooling, coarsest, [name for name in extractions if name in finer])),
    )


def keep_common_utterances(speech: Corpus, extractions: Mapping[str, Extraction]) -> SharedRows:
    """Keep the utterances that every model could use, where no measure asks for rows.

    Raises
    ------
    AssonanceError
        No utterance is left.
    """
    left_out = _lost(speech, extractions)
    kept = tuple(each for each in speech if each.id not in left_out)
    if not kept:
        _refuse_none_left(left_out)
    return SharedRows(replace(speech, utterances=kept), {}, tuple(left_out.values()), ())


def lacking(
    extractions: Mapping[str, Extraction], followers: Collection[str]
) -> dict[str, LeftOut]:
    """Find the followers that lack an utterance which every other model could use.

    Returns
    -------
    dict of LeftOut
        By follower, the first such utterance.
    """
    lost = {
        left.id
        for name, each in extractions.items()
        if name not in followers
        for left in each.left_out
    }
    first = {
        name: next((left for left in extractions[name].left_out if left.id not in lost), None)
        for name in followers
    }
    return {name: left for name, left in first.items() if left is not None}


def _lost(speech: Corpus, extractions: Mapping[str, Extraction]) -> dict[str, LeftOut]:
    """Gather, by id, what the corpus or a model left out."""
    left_out = {each.id: each for each in speech.left_out}
    for extraction in extractions.values():
        left_out |= {each.id: each for each in extraction.left_out if each.id not in left_out}
    return left_out


def _refuse_none_left(left_out: Mapping[str, LeftOut]) -> None:
    """Say that no utterance is left, and why the first is not."""
    first = next(iter(left_out.values()))
    raise AssonanceError(
        f"{first.path}: {first.reason}; no utterance is left that every model can use"
    )


def _rows(
    utterance: Utterance,
    times: _Times,
    coarsest: str,
    pooling: Pooling,
    alignments: Alignments | None,
    followers: Collection[str],
) -> _AllRows:
    """Find the rows of one utterance, by model."""
    spoken = None
    if alignments is not None and pooling.skip_silence:
        spoken = np.array([each[:2] for each in alignments.spoken(utterance)]).reshape(-1, 2)
    if pooling.pool == "utterance":
        return {
            name: _whole(each, spoken, pooling.by, follows=name in followers)
            for name, each in times.items()
        }
    if pooling.pool == "frame":
        return _on_grid(times, coarsest, spoken, followers)
    assert alignments is not None  # noqa: S101 - as Pooling sees to
    spans = alignments.spans(utterance, pooling.pool)
    bounds = np.array(
        [each[:2] for each in spans if not (pooling.skip_silence and each.silent)]
    ).reshape(-1, 2)
    ranges = {
        name: ranges_in(each, bounds, centre=pooling.by == "centre", however_far=name in followers)
        for name, each in times.items()
    }
    return _in_all(ranges, f"has no {pooling.pool} that every model has a frame of")


def _on_grid(
    times: _Times,
    coarsest: str,
    spoken: NDArray[np.float64] | None,
    followers: Collection[str],
) -> _AllRows:
    grid = times[coarsest]
    wanted = np.ones(len(grid), bool) if spoken is None else in_spans(grid, spoken)
    bounds = cells(grid)[wanted]
    if wanted.all() and same([each for name, each in times.items() if name not in followers]):
        own: _AllRows = dict.fromkeys(times)
        for name in followers:
            if not same([times[name], grid]):
                own[name] = from_ranges(ranges_in(times[name], bounds, however_far=True))
        return own
    ranges = {}
    for name, each in times.items():
        if same([each, grid]):
            places = np.flatnonzero(wanted)
            ranges[name] = np.stack([places, places + 1], axis=1)
        else:
            ranges[name] = ranges_in(each, bounds, however_far=name in followers)
    return _in_all(ranges, "has no frame that every model has a frame near")


def _whole(
    times: NDArray[np.float64], spoken: NDArray[np.float64] | None, by: By, *, follows: bool
) -> FrameGroups:
    frames = np.arange(len(times)) if spoken is None else np.flatnonzero(in_spans(times, spoken))
    if follows and spoken is not None and not len(frames):
        frames = ranges_in(times, spoken, centre=True, however_far=True)[:, 0]
    if not len(frames):
        raise UnusableAudio("has no frame in which somebody speaks")
    if by == "mean":
        return whole(frames)
    middle = (times[frames[0]] + times[frames[-1]]) / 2
    return single_frames(frames[[np.abs(times[frames] - middle).argmin()]])


def _in_all(ranges: Mapping[str, NDArray[np.int64]], otherwise: str) -> _AllRows:
    """Keep the rows that no model has nothing of."""
    there = np.logical_and.reduce([each[:, 0] < each[:, 1] for each in ranges.values()])
    if not there.any():
        raise UnusableAudio(otherwise)
    return {name: from_ranges(each[there]) for name, each in ranges.items()}


def _notes(pooling: Pooling, coarsest: str, finer: list[str]) -> list[str]:
    notes = []
    if pooling.pool != "frame":
        how = "the mean of its frames" if pooling.by == "mean" else "the frame nearest its centre"
        notes.append(
            f"each row of the neuron and layer measures is a {pooling.pool}: {how} of each model"
        )
    elif finer:
        notes.append(
            f"the frames of {', '.join(finer)} are averaged onto the coarser frames of {coarsest}, "
            "by their times"
        )
    if pooling.skip_silence:
        notes.append("silence is left out of the neuron and layer measures, by the alignments")
    return notes

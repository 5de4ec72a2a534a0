"""Rows of what is measured: means of a model's frames, found by where they lie in time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Seconds: times are sums of floats, and what lies on an edge must lie on one side of it.
_SLACK = 1e-6


_LONG = 1e6  # and longer than any utterance


@dataclass(frozen=True)
class FrameGroups:
    """Which frames of an utterance make which row.

    Attributes
    ----------
    frames
        Indices of frames, row after row; a frame may be in several rows or in none.
    starts
        Where each row's begin in `frames`; no row is empty.
    """

    frames: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    def of(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average frames.

        Parameters
        ----------
        frames
            Shape (T, D).

        Returns
        -------
        ndarray of float32, shape (len(self), D)
            The mean of each row's frames, added up in float64; a frame that is a row by itself
            is that very frame.
        """
        counts = np.diff(self.starts, append=len(self.frames))
        if (counts == 1).all():
            return frames[self.frames]
        sums = np.add.reduceat(frames[self.frames], self.starts, axis=0, dtype=np.float64)
        return (sums / counts[:, None]).astype(np.float32)


def single_frames(frames: NDArray[np.int64]) -> FrameGroups:
    """Take frames each as a row."""
    return FrameGroups(frames, np.arange(len(frames)))


def whole(frames: NDArray[np.int64]) -> FrameGroups:
    """Take frames, at least one, together as a row."""
    return FrameGroups(frames, np.zeros(1, np.int64))


def from_ranges(ranges: NDArray[np.int64]) -> FrameGroups:
    """Take ranges of frames each as a row.

    Parameters
    ----------
    ranges
        The first frame and the one after the last, none of them empty; shape (K, 2).
    """
    lengths = ranges[:, 1] - ranges[:, 0]
    starts = np.cumsum(lengths) - lengths
    return FrameGroups(np.arange(lengths.sum()) + np.repeat(ranges[:, 0] - starts, lengths), starts)


def cells(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give each frame the time that is nearer to it than to any other.

    Parameters
    ----------
    times
        Centres of frames, ascending; shape (T,), at least one.

    Returns
    -------
    ndarray, shape (T, 2)
        Start and end: half way to the neighbours, and as far on the outer side of the first and
        last. All of the utterance where there is one frame alone.
    """
    if len(times) == 1:
        return np.array([[times[0] - _LONG, times[0] + _LONG]])
    middles = (times[1:] + times[:-1]) / 2
    first, last = 2 * times[0] - middles[0], 2 * times[-1] - middles[-1]
    edges = np.concatenate([[first], middles, [last]])
    return np.stack([edges[:-1], edges[1:]], axis=1)


def ranges_in(
    times: NDArray[np.float64],
    spans: NDArray[np.float64],
    *,
    centre: bool = False,
    however_far: bool = False,
) -> NDArray[np.int64]:
    """Find the frames that lie in spans of time.

    Parameters
    ----------
    times
        Centres of frames in seconds, ascending; shape (T,), at least one.
    spans
        Start and end in seconds, start included and end not; shape (K, 2).
    centre
        Whether to take of each span only the frame nearest to its centre.
    however_far
        Whether a frame stands in however far it is from the span.

    Returns
    -------
    ndarray of int64, shape (K, 2)
        The first frame and the one after the last. A span with no frame's centre in it has the
        frame nearest to its own centre, unless that is more than a stride away from the span:
        then it has none (0, 0).
    """
    first, last = (np.searchsorted(times, spans[:, side] - _SLACK) for side in (0, 1))
    nearest = _nearest(times, spans.mean(1))
    stride = np.median(np.diff(times)) if len(times) > 1 else np.inf
    away = np.maximum(spans[:, 0] - times[nearest], times[nearest] - spans[:, 1])
    single = (first == last) | centre
    found = np.stack(
        [np.where(single, nearest, first), np.where(single, nearest + 1, last)], axis=1
    )
    if not however_far:
        found[single & (away > stride + _SLACK)] = 0
    return found.astype(np.int64)


def _nearest(times: NDArray[np.float64], moments: NDArray[np.float64]) -> NDArray[np.int64]:
    """Find the frame whose centre is nearest to each moment, the earlier of two."""
    after = np.searchsorted(times, moments).clip(max=len(times) - 1)
    before = (after - 1).clip(min=0)
    earlier = moments - times[before] <= times[after] - moments + _SLACK
    return np.where(earlier, before, after)


def in_spans(times: NDArray[np.float64], spans: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which frames have their centre in any of some spans.

    Parameters
    ----------
    times
        Centres of frames in seconds; shape (T,).
    spans
        Start and end in seconds, start included and end not; shape (K, 2).

    Returns
    -------
    ndarray of bool, shape (T,)
    """
    result = np.zeros(len(times), dtype=bool)
    for start, end in spans:
        result |= (times >= start - _SLACK) & (times < end - _SLACK)
    return result


def same(times: Sequence[NDArray[np.float64]]) -> bool:
    """Say whether frames of several models lie at the same times."""
    first, *others = times
    return all(
        len(each) == len(first) and np.allclose(each, first, rtol=0, atol=_SLACK) for each in others
    )

"""Pool frames into rows: select a model's frames by time, and average them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Seconds. Tolerance at the edges of spans, because times are sums of floats.
_TOLERANCE = 1e-6
_LONG = 1e6  # seconds, longer than any utterance


@dataclass(frozen=True)
class FrameGroups:
    """The frames of an utterance that make up each row.

    Attributes
    ----------
    frames
        Indices of frames, row by row. A frame may be in several rows, or in none.
    starts
        Index in `frames` of the first frame of each row; no row is empty.
    """

    frames: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    def of(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average the frames of each row.

        Parameters
        ----------
        frames
            Frames of one layer; shape (T, D).

        Returns
        -------
        ndarray of float32, shape (len(self), D)
            Mean of each row, computed in float64. A row of one frame is exactly that frame.
        """
        counts = np.diff(self.starts, append=len(self.frames))
        if (counts == 1).all():
            return frames[self.frames]
        sums = np.add.reduceat(frames[self.frames], self.starts, axis=0, dtype=np.float64)
        return (sums / counts[:, None]).astype(np.float32)


def single_frames(frames: NDArray[np.int64]) -> FrameGroups:
    """Return rows of one frame each."""
    return FrameGroups(frames, np.arange(len(frames)))


def whole(frames: NDArray[np.int64]) -> FrameGroups:
    """Return one row of all the frames given, at least one."""
    return FrameGroups(frames, np.zeros(1, np.int64))


def from_ranges(ranges: NDArray[np.int64]) -> FrameGroups:
    """Return one row for each range of frames.

    Parameters
    ----------
    ranges
        First frame and one past the last; shape (K, 2). No range is empty.
    """
    lengths = ranges[:, 1] - ranges[:, 0]
    starts = np.cumsum(lengths) - lengths
    return FrameGroups(np.arange(lengths.sum()) + np.repeat(ranges[:, 0] - starts, lengths), starts)


def cells(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each frame, the span of time that is nearer to it than to any other frame.

    Parameters
    ----------
    times
        Centres of frames in seconds, ascending; shape (T,), at least one.

    Returns
    -------
    ndarray, shape (T, 2)
        Start and end, halfway to the neighbouring frames. The first and last frame extend as far
        outwards as inwards. A single frame covers the whole utterance.
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
    """Return the range of frames whose centres lie in each span of time.

    Parameters
    ----------
    times
        Centres of frames in seconds, ascending; shape (T,), at least one.
    spans
        Start (included) and end (excluded) in seconds; shape (K, 2).
    centre
        Whether to return only the frame nearest to the centre of each span.
    however_far
        Whether the nearest frame is used however far it is from the span.

    Returns
    -------
    ndarray of int64, shape (K, 2)
        First frame and one past the last. A span without the centre of a frame gets the frame
        nearest to the centre of the span or, if that is more than one stride from the span, an
        empty range (0, 0).
    """
    first, last = (np.searchsorted(times, spans[:, side] - _TOLERANCE) for side in (0, 1))
    nearest = _nearest(times, spans.mean(1))
    stride = np.median(np.diff(times)) if len(times) > 1 else np.inf
    away = np.maximum(spans[:, 0] - times[nearest], times[nearest] - spans[:, 1])
    single = (first == last) | centre
    found = np.stack(
        [np.where(single, nearest, first), np.where(single, nearest + 1, last)], axis=1
    )
    if not however_far:
        found[single & (away > stride + _TOLERANCE)] = 0
    return found.astype(np.int64)


def _nearest(times: NDArray[np.float64], moments: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the frame with its centre nearest to each moment; of two, the earlier."""
    after = np.searchsorted(times, moments).clip(max=len(times) - 1)
    before = (after - 1).clip(min=0)
    earlier = moments - times[before] <= times[after] - moments + _TOLERANCE
    return np.where(earlier, before, after)


def in_spans(times: NDArray[np.float64], spans: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether the centre of each frame lies in any of the spans.

    Parameters
    ----------
    times
        Centres of frames in seconds; shape (T,).
    spans
        Start (included) and end (excluded) in seconds; shape (K, 2).

    Returns
    -------
    ndarray of bool, shape (T,)
        True for frames in a span.
    """
    result = np.zeros(len(times), dtype=bool)
    for start, end in spans:
        result |= (times >= start - _TOLERANCE) & (times < end - _TOLERANCE)
    return result


def same(times: Sequence[NDArray[np.float64]]) -> bool:
    """Return whether the frames of several models have the same times."""
    first, *others = times
    return all(
        len(each) == len(first) and np.allclose(each, first, rtol=0, atol=_TOLERANCE)
        for each in others
    )

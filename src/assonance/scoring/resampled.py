"""Assign the utterances of a source of frames to folds and groups, as measures need them."""

from collections.abc import Sequence

from assonance.inference.resampling import Resampling
from assonance.measures import Measure
from assonance.scoring.frame_source import FrameSource
from assonance.settings import Settings


def resample_frames(
    source: FrameSource,
    measures: Sequence[Measure],
    settings: Settings,
    *,
    intervals: bool = False,
    nulls: bool = False,
) -> Resampling:
    """Assign a source's utterances to folds and jackknife groups, as the measures need them.

    Parameters
    ----------
    source, measures, settings
        Frames, what is measured, and the number of folds, groups, draws and shifts.
    intervals, nulls
        Whether to resample for intervals, and to shift for nulls.
    """
    if intervals:
        resampling = Resampling.of_groups(source.sizes, source.units, settings)
    else:
        held_out = any(each.needs == "folds" for each in measures)
        resampling = Resampling.of_folds(source.sizes, source.units, settings, held_out=held_out)
    return resampling.with_shifts(source.sizes, settings.shifts) if nulls else resampling

"""Caveats: sentences that a reader must know before believing a score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assonance.errors import join_names
from assonance.inference.localisation import MATCH
from assonance.inference.resampling import Resampling
from assonance.measures import Measure
from assonance.measures.roles import NEEDS_MORE_FRAMES_THAN_NEURONS
from assonance.settings import Settings
from assonance.statistics import LayerStatistics

# The caveat if no jackknife group can be left out.
ONE_GROUP = (
    "no score has an interval: there is 1 utterance or recording, so none can be left out; "
    "add speech, such as other recordings"
)

# With fewer jackknife groups, the truth lies outside of more than a tenth of some 95 % intervals.
LEAST_INTERVAL_GROUPS = 10
_SHOWN = 5
# The smallest published encoders have more than 20 million parameters.
_MINIATURE = 10_000_000


def constant_neurons(layer: str, statistics: LayerStatistics) -> list[str]:
    """Return a caveat that names a layer's constant neurons, which have no correlations."""
    constant = (~statistics.varies).nonzero()[:, 0].tolist()
    if not constant:
        return []
    shown = ", ".join(map(str, constant[:_SHOWN])) + (", …" if len(constant) > _SHOWN else "")
    return [
        f"layer {layer!r}: {len(constant)} of {len(statistics.varies)} neurons are constant "
        f"({shown}); their scores are NaN and left out of averages"
    ]


def few_effective_frames(frames: Mapping[str, float], widths: Mapping[str, int]) -> list[str]:
    """Return a caveat if layers have fewer effectively independent frames than neurons.

    Parameters
    ----------
    frames
        Effective number of independent frames by layer.
    widths
        Number of neurons by layer.
    """
    few = [layer for layer, count in frames.items() if count < widths[layer]]
    if not few:
        return []
    worst = min(few, key=lambda layer: frames[layer] / widths[layer])
    return [
        f"{len(few)} of {len(frames)} layers have fewer effectively independent frames than "
        f"neurons (worst: {worst!r}, {frames[worst]:.0f} frames for {widths[worst]} neurons): "
        "their in-sample scores are partly chance. Read held-out scores and cka_utterance "
        "instead, or add speech"
    ]


def too_few_frames(
    frames: int, widths: Mapping[str, int], measures: Sequence[Measure]
) -> list[str]:
    """Return a caveat if a layer has no fewer neurons than frames and a measure cannot bear it."""
    empty = [each.name for each in measures if each.name in NEEDS_MORE_FRAMES_THAN_NEURONS]
    layer, width = max(widths.items(), key=lambda item: item[1])
    if width < frames or not empty:
        return []
    return [
        f"{frames} frames are too few for {width} neurons (layer {layer!r}): in-sample scores of "
        f"{', '.join(empty)} mean nothing; add speech"
    ]


@dataclass(frozen=True)
class Groups:
    """Numbers of utterances, units and folds that a score is computed from.

    Attributes
    ----------
    utterances
        Number of utterances.
    units
        Number of units: utterances, recordings or speakers that are never split.
    folds
        Number of folds that contain them, for held-out measures.
    """

    utterances: int
    units: int
    folds: int

    def suffice(self, measure: Measure) -> bool:
        """Return whether they are enough for a score of the measure."""
        count = self.folds if measure.needs == "folds" else self.utterances
        return count >= measure.least_groups


def too_few_groups(
    groups: Groups, measures: Sequence[Measure], settings: Settings
) -> dict[str, str]:
    """Return the measures that have no score for want of speech, each with a reason."""
    lacking: dict[tuple[str, int], list[Measure]] = {}
    for each in measures:
        if not groups.suffice(each):
            lacking.setdefault((each.needs, each.least_groups), []).append(each)
    lines: dict[str, str] = {}
    for (needs, least), some in lacking.items():
        names = [each.name for each in some]
        need = (
            f"{join_names(names, len(names))} need{'s' if len(names) == 1 else ''} at least {least}"
        )
        there = groups.units if needs == "folds" else groups.utterances
        if there < least:
            line = f"{need} utterances or recordings, and {_counted(there)}: no score; add speech"
        else:
            line = (
                f"{need} folds, and the settings ask for {settings.folds}: no score; "
                f"set folds to {least} or more"
            )
        lines |= dict.fromkeys(names, line)
    return lines


def no_intervals(
    groups: Groups, left: Sequence[Groups], measures: Sequence[Measure], settings: Settings
) -> list[str]:
    """Return caveats about measures with scores but no intervals, for want of speech.

    Parameters
    ----------
    groups
        What scores are computed from.
    left
        What each replicate is computed from; empty if nothing can be left out.
    measures
        Measures for which intervals are requested.
    settings
        Method and number of replicates.
    """
    scored = [each for each in measures if each.replicated(settings) and groups.suffice(each)]
    if not left:
        return [ONE_GROUP] if scored else []
    names = [each.name for each in scored if not all(replicate.suffice(each) for replicate in left)]
    if not names:
        return []
    what = "with one left out" if settings.bootstrap is None else "in some of the draws"
    return [
        f"{join_names(names, len(names))} {'has' if len(names) == 1 else 'have'} no interval: "
        f"of {groups.units} utterances or recordings, too few remain {what}; "
        "add speech, or raise the settings groups and folds"
    ]


def doubtful_matches(measures: Sequence[Measure], settings: Settings) -> list[str]:
    """Return a caveat about intervals of MaxCorr that do not allow for the choice of matches."""
    if not any(each.name == MATCH and each.replicated(settings) for each in measures):
        return []
    return [
        f"the interval of {MATCH} does not allow for the choice of matches here, and is too short "
        "where neurons share little: leave out refit and bootstrap, with folds of 3 or more"
    ]


def few_interval_groups(groups: int, measures: Sequence[Measure], settings: Settings) -> list[str]:
    """Return a caveat if intervals rest on so few jackknife groups that they are rough.

    Parameters
    ----------
    groups
        Number of jackknife groups, none of which is empty.
    measures, settings
        Measures for which intervals are requested, and their settings.
    """
    replicated = any(each.replicated(settings) for each in measures)
    if not replicated or not 1 < groups < LEAST_INTERVAL_GROUPS:
        return []
    remedy = "add speech"
    if settings.groups < LEAST_INTERVAL_GROUPS:
        remedy += f", or set groups to {LEAST_INTERVAL_GROUPS} or more"
    return [f"intervals are rough: {groups} groups of utterances are few; {remedy}"]


def _counted(count: int) -> str:
    return f"there {'is' if count == 1 else 'are'} {count}"


def miniatures(parameters: Mapping[str, int]) -> list[str]:
    """Return a caveat that names models too small to represent published ones.

    Parameters
    ----------
    parameters
        Number of parameters by model; 0 if it is unknown, as of stored activations.
    """
    small = [name for name, count in parameters.items() if 0 < count < _MINIATURE]
    if not small:
        return []
    return [
        f"{join_names(small)}: miniatures of less than {_MINIATURE // 10**6} million parameters, "
        "which show how a comparison works and not what models of useful size represent"
    ]


def groups_caveats(
    units: int, measures: Sequence[Measure], settings: Settings, resampling: Resampling
) -> tuple[dict[str, str], list[str]]:
    """Return measures without a score for want of speech, with reasons, and all such caveats.

    Parameters
    ----------
    units
        Number of units: recordings or speakers.
    measures, settings, resampling
        As for `FramePass`.
    """
    all_groups = _remaining([1] * resampling.groups, resampling, units)
    unscored = too_few_groups(all_groups, measures, settings)
    caveats = [*dict.fromkeys(unscored.values())]
    if resampling.intervals:
        caveats += few_interval_groups(resampling.groups, measures, settings)
        left = [_remaining(weights, resampling, units) for weights in resampling.weights]
        caveats += no_intervals(all_groups, left, measures, settings)
    return unscored, caveats


def _remaining(weights: Sequence[int], resampling: Resampling, units: int) -> Groups:
    """Count the utterances and folds of the jackknife groups with a weight above 0."""
    kept = np.asarray(weights) > 0
    utterances = np.bincount(resampling.group_of_utterance)[kept].sum()
    return Groups(int(utterances), units, len(set(resampling.fold_of_group[kept].tolist())))

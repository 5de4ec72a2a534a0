"""A part of much speech: drawn at random, as much of one speaker as of another."""

import heapq
from collections.abc import Sequence

import numpy as np

from assonance.corpus.utterance import Utterance


def draw(utterances: Sequence[Utterance], seconds: float, seed: int) -> tuple[Utterance, ...]:
    """Draw utterances that together are no longer than some seconds.

    Each utterance drawn is of the speaker of whom the fewest seconds were drawn so far. Where no
    utterance names a speaker, recordings stand for speakers; those that name none where others do
    count as one speaker.

    Parameters
    ----------
    utterances
        To draw from.
    seconds
        At most so much; an utterance that would exceed it is passed over.
    seed
        Decides the draw.

    Returns
    -------
    tuple of Utterance
        What was drawn, in the order given.
    """
    named = any(each.speaker is not None for each in utterances)
    waiting: dict[str | None, list[int]] = {}
    for place in np.random.default_rng(seed).permutation(len(utterances)).tolist():
        each = utterances[place]
        waiting.setdefault(each.speaker if named else each.recording, []).append(place)
    # By seconds drawn; at equal ones in the order in which the speakers were shuffled.
    queue = [(0.0, number, places) for number, places in enumerate(waiting.values())]
    drawn: list[int] = []
    total = 0.0
    while queue:
        so_far, number, places = heapq.heappop(queue)
        place = places.pop()
        duration = utterances[place].duration
        if total + duration <= seconds:
            drawn.append(place)
            total += duration
            so_far += duration
        if places:
            heapq.heappush(queue, (so_far, number, places))
    return tuple(utterances[place] for place in sorted(drawn))

"""Hold the moments of speech that excite neurons most, and the clips that let one hear them.

`assonance.comparison.hearing` finds them in the activations that a run keeps. The page needs these
records alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A clip reaches so far before and after its moment: seconds.
REACH = 0.6
# Times of the activity that is shown around a moment, in seconds from it.
OFFSETS = np.linspace(-REACH, REACH, 31)

# Model, label of the layer, index of the neuron.
Neuron = tuple[str, str, int]
# Activity at `OFFSETS`, in standard deviations; NaN beyond the utterance.
Trace = NDArray[np.float64]


@dataclass(frozen=True)
class Moment:
    """A moment at which a neuron is as active as nowhere else in its utterance.

    Attributes
    ----------
    utterance
        Id of the utterance.
    time
        Seconds from its start.
    level
        Activity in standard deviations above the neuron's mean over all speech.
    words
        The word that is spoken, if the run has alignments; else the text of the utterance, or
        nothing.
    """

    utterance: str
    time: float
    level: float
    words: str = ""


@dataclass(frozen=True)
class Clip:
    """A moment, the sound around it, and the activity of neurons meanwhile.

    Attributes
    ----------
    moment
        The moment.
    start, seconds
        Where the sound is in the stream.
    lead
        How far into the sound the moment is, in seconds.
    traces
        Activity of the neuron under the empty name, and of its best match in each other model
        under the model's name.
    """

    moment: Moment
    start: float
    seconds: float
    lead: float
    traces: Mapping[str, Trace]


@dataclass(frozen=True)
class Sound:
    """Clips of neurons, and the one stream that holds their sound.

    Attributes
    ----------
    stream
        An Ogg Opus file.
    seconds
        Duration of the speech in it.
    licence
        Licence of the speech; empty if none lies beside it.
    clips
        By neuron, the most exciting first.
    complete
        Whether every neuron that was matched has clips.
    """

    stream: bytes
    seconds: float
    licence: str
    clips: Mapping[Neuron, tuple[Clip, ...]]
    complete: bool

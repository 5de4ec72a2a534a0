"""Clips of the moments that excite neurons most, with the activity that is drawn beside them."""

from typing import Any

import numpy as np

from assonance.comparison.moments import OFFSETS, REACH, Sound
from assonance.comparison.result import Comparison
from assonance.errors import printable
from assonance.report.packing import Packer
from assonance.report.views.layers import places

# Activity is drawn in steps of a quarter of a standard deviation.
_STEPS = 4


def sound(comparison: Comparison, heard: Sound, packer: Packer) -> dict[str, Any]:
    """Collect the clips of each neuron; their sound is in the page as one stream."""
    place = {each: k for k, each in enumerate(places(comparison))}
    models = list(comparison.models)
    most = max((len(clips) for clips in heard.clips.values()), default=0)
    shape = (len(heard.clips), most)
    names = ("time", "level", "start", "seconds", "lead", "utterance", "words")
    columns = {name: np.full(shape, np.nan) for name in names}
    traces = np.full((*shape, len(models), len(OFFSETS)), np.nan)
    texts: dict[str, int] = {}
    for k, ((model, *_), clips) in enumerate(heard.clips.items()):
        for at, clip in enumerate(clips):
            moment = clip.moment
            row = {
                "time": moment.time,
                "level": moment.level,
                "start": clip.start,
                "seconds": clip.seconds,
                "lead": clip.lead,
                "utterance": texts.setdefault(printable(moment.utterance), len(texts)),
                "words": texts.setdefault(printable(moment.words), len(texts)),
            }
            for name, value in row.items():
                columns[name][k, at] = value
            for name, values in clip.traces.items():
                traces[k, at, models.index(name or model)] = values
    whole = {"utterance", "words"}
    return {
        "reach": REACH,
        "minutes": round(heard.seconds / 60, 1),
        "licence": printable(heard.licence),
        "layer": packer.integers([place[model, layer] for model, layer, _ in heard.clips]),
        "neuron": packer.integers([neuron for *_, neuron in heard.clips]),
        "texts": list(texts),
        **{
            name: packer.integers(values) if name in whole else packer.scores(values)
            for name, values in columns.items()
        },
        "traces": packer.coarse(traces, _STEPS),
    }

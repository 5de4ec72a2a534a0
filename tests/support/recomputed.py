"""What a comparison measured, and what its models make of speech one utterance at a time."""

import numpy as np

from assonance import Corpus, load_model
from assonance.measures import MEASURES


def measured(scores):
    """Names of measures, without what was derived from them or describes a layer by itself."""
    return [name for name in scores.data_vars if name in MEASURES]


def activations(spec, speech):
    """Frames of every layer, utterance after utterance, and the id of each frame's utterance."""
    model = load_model(spec)
    outputs, maps = [], {label: [] for label in model.layers[1:]}
    corpus = Corpus.from_path(speech)
    for each in corpus:
        made = model.run(each.read(16000), attend=lambda label, one: maps[label].append(one))
        outputs.append(made.activations)
    layers = {label: np.concatenate([each[label] for each in outputs]) for label in model.layers}
    sizes = [len(each["encoder.0"]) for each in outputs]
    groups = np.repeat([each.id for each in corpus], sizes)
    return layers, maps, groups

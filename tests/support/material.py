"""Made-up layers and attention maps, unlike enough to tell measures and mistakes apart."""

import numpy as np
import torch

from assonance.statistics import FoldedMoments, Moments

torch.set_num_threads(1)  # threads cost arrays this small more than they save


def make_layers(widths, frames=300, seed=0, signals=6, mean=0.0):
    """Layers that share signals: correlated neurons of unlike sizes, with means of `mean`."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((frames, signals))
    layers = {}
    for name, width in widths.items():
        mixed = shared @ rng.standard_normal((signals, width))
        noise = 1.5 * rng.standard_normal((frames, width))
        scales = np.exp(rng.standard_normal(width))
        layers[name] = (mixed + noise + mean * rng.standard_normal(width)) * scales
    return layers


def make_groups(frames, groups=12, seed=0):
    """Utterances of unlike lengths, one after the other."""
    cuts = np.random.default_rng(seed).choice(np.arange(1, frames), groups - 1, replace=False)
    return np.searchsorted(np.sort(cuts), np.arange(frames), side="right")


def make_maps(heads, lengths=(7, 12, 5), seed=0, sharpness=1.5):
    """Attention after a softmax: layer name to one (H, T, T) array an utterance."""
    rng = np.random.default_rng(seed)
    maps = {}
    for name, count in heads.items():
        maps[name] = []
        for length in lengths:
            logits = sharpness * rng.standard_normal((count, length, length))
            weights = np.exp(logits - logits.max(-1, keepdims=True))
            maps[name].append(weights / weights.sum(-1, keepdims=True))
    return maps


def make_moments(layers, folds=None):
    """Moments of whole layers, by fold where folds are given."""
    tensors = {name: torch.from_numpy(values) for name, values in layers.items()}
    shift = {name: values.mean(0) for name, values in tensors.items()}
    folds = np.zeros(len(next(iter(layers.values())))) if folds is None else folds
    parts = []
    for fold in np.unique(folds):
        part = Moments(shift, [(a, b) for a in layers for b in layers])
        part.update({name: values[folds == fold] for name, values in tensors.items()})
        parts.append(part)
    return FoldedMoments(parts)

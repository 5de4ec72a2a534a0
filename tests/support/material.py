"""Make random layers and attention maps, varied enough for tests to detect mistakes."""

import numpy as np
import torch

from assonance.inference.resampling import assign_groups
from assonance.statistics import FoldedMoments, Moments

torch.set_num_threads(1)  # threads slow down work on arrays this small


def make_layers(widths, frames=300, seed=0, signals=6, mean=0.0):
    """Make layers that share signals: correlated neurons of various scales and means."""
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
    """Return the utterance of each frame, for utterances of various lengths in order."""
    cuts = np.random.default_rng(seed).choice(np.arange(1, frames), groups - 1, replace=False)
    return np.searchsorted(np.sort(cuts), np.arange(frames), side="right")


def make_folds(groups, folds, seed=0):
    """Return the fold of each frame, from the name of its utterance, as every measure has it."""
    names, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    group, fold = assign_groups(sizes, names, folds=folds, groups=folds, seed=seed)
    return fold[group][numbers]


def make_maps(heads, lengths=(7, 12, 5), seed=0, sharpness=1.5):
    """Make attention after a softmax: a list of one (H, T, T) array per utterance, by layer."""
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
    """Compute moments of layers, by fold if the fold of each frame is given."""
    tensors = {name: torch.from_numpy(values) for name, values in layers.items()}
    shift = {name: values.mean(0) for name, values in tensors.items()}
    folds = np.zeros(len(next(iter(layers.values())))) if folds is None else folds
    by_fold = []
    for fold in np.unique(folds):
        moments = Moments(shift, [(a, b) for a in layers for b in layers])
        moments.update({name: values[folds == fold] for name, values in tensors.items()})
        by_fold.append(moments)
    return FoldedMoments(by_fold)

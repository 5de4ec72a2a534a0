"""Make layers with neurons that hardly vary, and their moments by jackknife group."""

import numpy as np
import torch
from material import make_layers

from assonance.statistics import GroupedMoments, Moments
from assonance.utils.memory import Scratch

GROUPS, FOLDS = np.random.default_rng(0).integers(5, size=120), [0, 0, 1, 1, 2]
LAYERS = make_layers({"a": 4, "b": 3}, len(GROUPS))
LAYERS["a"][:, 1] = 7.0
LAYERS["a"][GROUPS != 3, 2] = -1.0


def make_grouped(layers=LAYERS, dtype=torch.float64):
    """Return moments of the layers by group; FOLDS has the fold of each group."""
    tensors = {name: torch.from_numpy(x).to(dtype) for name, x in layers.items()}
    shift = {name: x.to(torch.float64).mean(0) for name, x in tensors.items()}
    made = []
    for group in range(5):
        made.append(Moments(shift, [("a", "b")]))
        made[-1].update({name: x[group == GROUPS] for name, x in tensors.items()})
    return GroupedMoments(made, FOLDS)


def crossed(x, y):
    """Return the scaled products of two layers of the same moments, by group."""
    products = [group.product(x.name, y.name) for group in x._grouped.groups]
    return x.cross(y, products, Scratch())

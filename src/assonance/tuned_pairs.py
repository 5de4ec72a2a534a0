"""Which models are one and the same before and after fine-tuning, layer by layer."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from assonance.errors import AssonanceError
from assonance.match_tables import knowing_measure
from assonance.outside import one_line
from assonance.results import Comparison, ModelRecord

# Family, parameters and layers.
Architecture = tuple[str, int, tuple[str, ...]]


@dataclass(frozen=True)
class Pair:
    """A model before and after fine-tuning, by their names in a comparison.

    Attributes
    ----------
    pretrained, fine_tuned
        Before and after; models of the same layers.
    second_seed
        A pretrained model of the same recipe from another seed: what two trainings share is the
        ceiling that change is held against. None where there is none.
    """

    pretrained: str
    fine_tuned: str
    second_seed: str | None = None


def pairs(comparison: Comparison) -> tuple[Pair, ...]:
    """Find the fine-tuned models whose pretrained ones were compared too.

    A fine-tuned model comes from the pretrained one of its architecture that is most like it in
    the first layer; another of that architecture is a second seed.
    """
    models = [each for each in comparison.provenance.models if not each.twin_of]
    measure = knowing_measure(comparison)
    found = []
    for tuned in (each for each in models if each.fine_tuned):
        alike = [
            each.name
            for each in models
            if not each.fine_tuned
            and each.objective != "none"
            and _architecture(each) == _architecture(tuned)
        ]
        if alike and measure is not None:
            first = next(iter(tuned.layers))
            here = {"layer_row": first, "layer_col": first}
            shared = {
                name: float(comparison.matrix(measure, name, tuned.name).sel(here))
                for name in alike
            }
            alike.sort(key=lambda name: -np.nan_to_num(shared[name], nan=-np.inf))
            seeds = [each.name for each in models if each.seed_of == alike[0]]
            found.append(Pair(alike[0], tuned.name, *(seeds or alike[1:])[:1]))
    return tuple(found)


def check(comparison: Comparison, pair: Pair) -> None:
    """Refuse a pair that is not in a comparison or cannot be followed layer by layer.

    Raises
    ------
    AssonanceError
        There is no such model, or one is of another architecture.
    """
    known = {each.name: each for each in comparison.provenance.models}
    named = [name for name in (pair.pretrained, pair.fine_tuned, pair.second_seed) if name]
    for name in named:
        if name not in known:
            raise AssonanceError(f"{one_line(name)}: no such model here")
    of_one_architecture({name: _architecture(known[name]) for name in named})


def of_one_architecture(architectures: Mapping[str, Architecture]) -> None:
    """Refuse models whose layers are not those of the first.

    Parameters
    ----------
    architectures
        By the models' names, the pretrained one first.

    Raises
    ------
    AssonanceError
        One is of another architecture.
    """
    first = next(iter(architectures))
    for name, architecture in architectures.items():
        if architecture != architectures[first]:
            raise AssonanceError(
                f"{one_line(name)} is of another architecture than {one_line(first)}: "
                "change is followed layer by layer; give checkpoints of one architecture"
            )


def _architecture(model: ModelRecord) -> Architecture:
    return model.family, model.n_parameters, tuple(model.layers)

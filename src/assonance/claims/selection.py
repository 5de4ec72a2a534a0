"""Which scores a claim is about: cells of a comparison, selected by words and weighed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product

import numpy as np
from numpy.typing import NDArray

from assonance.comparison.records import ModelRecord
from assonance.comparison.relations import Relations, trained

Mask = NDArray[np.bool_]


ANY = ("*",)


class NotAskable(Exception):  # noqa: N818 - it names what is not there, no fault
    """A comparison lacks what a term selects; the message says what, in a clause."""


@dataclass(frozen=True)
class Term:
    """The mean of one measure over the cells that all conditions leave.

    A layer with itself is never among them. Layers are the inputs and outputs of blocks
    (``encoder.*``), or all layers of a model that has none called so, unless `layer_row` or
    `layer_col` names others.

    Attributes
    ----------
    measure
        Name of a measure of two layers.
    where
        Words of `RELATIONS` that all hold.
    objective
        Training objective of both models; None for any.
    model_row, layer_row, model_col, layer_col
        Patterns of names, one of which must match; ``*`` stands for any characters.
    """

    measure: str
    where: tuple[str, ...] = ()
    objective: str | None = None
    model_row: tuple[str, ...] = ANY
    layer_row: tuple[str, ...] = ANY
    model_col: tuple[str, ...] = ANY
    layer_col: tuple[str, ...] = ANY

    @property
    def words(self) -> str:
        """What selects the cells, on one line."""
        named = [
            f"{key} {' or '.join(patterns)}"
            for key in ("model_row", "layer_row", "model_col", "layer_col")
            if (patterns := getattr(self, key)) != ANY
        ]
        return ", ".join([*self.where, *([self.objective] if self.objective else []), *named])


class CellGrid:
    """The models and layers of a comparison; masks over its cells are made of them.

    Masks have the axes model_row, layer_row, model_col, layer_col, or length 1 where an axis is
    of no consequence.

    Parameters
    ----------
    models
        In the order of the axes.
    labels
        All labels of layers, in the order of the axes.
    """

    def __init__(self, models: Sequence[ModelRecord], labels: Sequence[str]) -> None:
        self.kinship = Relations(models)
        self.models = self.kinship.models
        self.labels = tuple(labels)
        shape = len(models), len(labels)
        self.main = np.zeros(shape, dtype=bool)
        self.there = np.zeros(shape, dtype=bool)
        # Each layer's place among those of its kind, from 0 at the input, and the last such place.
        self.place = np.zeros(shape, dtype=int)
        self.last = np.zeros(shape, dtype=int)
        for i, model in enumerate(models):
            kinds = [label.partition(".")[0] for label in model.layers]
            for k, (label, kind) in enumerate(zip(model.layers, kinds, strict=True)):
                at = i, self.labels.index(label)
                self.there[at] = True
                self.main[at] = kind == "encoder" or "encoder" not in kinds
                self.place[at] = kinds[:k].count(kind)
                self.last[at] = kinds.count(kind) - 1

    def of_models(self, holds: Callable[[ModelRecord, ModelRecord], bool]) -> Mask:
        """Mark the pairs of models of which something holds."""
        models = self.models.values()
        found = np.array([[holds(row, col) for col in models] for row in models], dtype=bool)
        return found[:, None, :, None]

    def of_recipes(self, holds: Callable[[ModelRecord, ModelRecord], bool]) -> Mask:
        """Mark the pairs of models of which something holds; a twin stands for its models."""

        def stands_for(model: ModelRecord) -> list[ModelRecord]:
            return [self.models[name] for name in model.twin_of or (model.name,)]

        return self.of_models(
            lambda row, col: any(holds(*both) for both in product(stands_for(row), stands_for(col)))
        )

    def of_layers(self, holds: Mask) -> Mask:
        """Mark the cells whose layers are both marked; of shape (models, labels)."""
        both: Mask = holds[:, :, None, None] & holds[None, None]
        return both

    @property
    def other_layer(self) -> Mask:
        """All cells but those of a layer with itself."""
        models, labels = self.there.shape
        return ~np.eye(models * labels, dtype=bool).reshape(models, labels, models, labels)

    @property
    def same_depth(self) -> Mask:
        """Cells whose column layer is of all its model's the nearest in relative depth.

        Relative depth is 0 at the first layer and 1 at the last. Of two that are equally near,
        both are meant.
        """
        # |place/last − place'/last'|, multiplied by last·last' so that ties are exact.
        last = np.maximum(self.last, 1)
        apart = np.abs(
            self.place[:, :, None, None] * last[None, None]
            - self.place[None, None] * last[:, :, None, None]
        )
        nearest = np.where(self.main[None, None], apart, np.iinfo(apart.dtype).max).min(3)
        same: Mask = apart == nearest[..., None]
        return same


@dataclass(frozen=True)
class Relation:
    """A word of a selection; ``claims.yaml`` says what each means.

    Attributes
    ----------
    holds
        Marks the cells of a lattice where it holds.
    lacking
        What a comparison lacks where no cell is left, as a clause.
    """

    holds: Callable[[CellGrid], Mask]
    lacking: str


def _known(row: ModelRecord, col: ModelRecord) -> bool:
    return "unknown" not in (row.objective, col.objective)


# Words that say which two models: a term has one of them, or names models.
BETWEEN: Mapping[str, Relation] = {
    "across": Relation(
        lambda at: at.of_models(at.kinship.apart),
        "no two models that were trained apart are compared",
    ),
    "within": Relation(
        lambda at: at.of_models(lambda row, col: row.name == col.name and trained(row)),
        "no trained model has two layers here",
    ),
    "random weights": Relation(
        lambda at: at.of_models(at.kinship.against_random),
        "no random-weights twin of another model was compared",
    ),
    "fine-tuned": Relation(
        lambda at: at.of_models(at.kinship.tuned),
        "no fine-tuned model is compared with the one it was made of (the only other of its "
        "family, size and layers)",
    ),
    "other seed": Relation(
        lambda at: at.of_models(at.kinship.other_seed),
        "no model is compared with another training seed of itself",
    ),
}


RELATIONS: Mapping[str, Relation] = {
    **BETWEEN,
    "pretrained": Relation(
        lambda at: at.of_recipes(lambda row, col: not (row.fine_tuned or col.fine_tuned)),
        "no two of the models are without fine-tuning",
    ),
    "same objective": Relation(
        lambda at: at.of_recipes(
            lambda row, col: _known(row, col) and row.objective == col.objective
        ),
        "no two of the models have the same training objective",
    ),
    "other objective": Relation(
        lambda at: at.of_recipes(
            lambda row, col: _known(row, col) and row.objective != col.objective
        ),
        "the models have but one training objective",
    ),
    "same size": Relation(
        lambda at: at.of_recipes(lambda row, col: row.size == col.size),
        "no two of the models are of one size",
    ),
    "other size": Relation(
        lambda at: at.of_recipes(lambda row, col: row.size != col.size),
        "the models are all of one size",
    ),
    "same layer": Relation(
        lambda at: np.eye(len(at.labels), dtype=bool)[None, :, None, :],
        "no layer of one model has its name in the other",
    ),
    "same depth": Relation(
        lambda at: at.same_depth,
        "no layers are at the same relative depth",
    ),
    "other depth": Relation(
        lambda at: ~at.same_depth,
        "all layers are at the same relative depth",
    ),
    "early": Relation(
        lambda at: at.of_layers(3 * at.place <= at.last),
        "no layers are in the first third of both models",
    ),
    "late": Relation(
        lambda at: at.of_layers(3 * at.place >= 2 * at.last),
        "no layers are in the last third of both models",
    ),
}


# What two sides of a claim can be made alike in: the words that part its cells into strata.
STRATA: Mapping[str, tuple[str, str]] = {
    "objective": ("same objective", "other objective"),
    "size": ("same size", "other size"),
    "depth": ("same depth", "other depth"),
}


def selected(term: Term, at: CellGrid, defined: Mask) -> Mask:
    """Mark the cells that a term is the mean of.

    Parameters
    ----------
    term, at
        What is selected, and of what.
    defined
        Cells that have scores.

    Returns
    -------
    numpy.ndarray
        Bool, shape (models, labels, models, labels); at least one is marked.

    Raises
    ------
    Lacking
        None is left: the first condition that leaves none says what there would have to be.
    """
    steps: list[tuple[Mask, str]] = []
    for word in term.where:
        steps.append((RELATIONS[word].holds(at), RELATIONS[word].lacking))
    if term.objective is not None:
        wanted = {term.objective}
        steps.append(
            (
                at.of_recipes(lambda row, col: {row.objective, col.objective} == wanted),
                f"no two such models have the objective {term.objective!r}",
            )
        )
    sides = (
        ("model_row", tuple(at.models), (-1, 1, 1, 1)),
        ("layer_row", at.labels, (1, -1, 1, 1)),
        ("model_col", tuple(at.models), (1, 1, -1, 1)),
        ("layer_col", at.labels, (1, 1, 1, -1)),
    )
    for key, names, shape in sides:
        patterns = getattr(term, key)
        match = [any(fnmatchcase(name, pattern) for pattern in patterns) for name in names]
        steps.append(
            (np.array(match, dtype=bool).reshape(shape), f"no {key} is like {', '.join(patterns)}")
        )
    rows = at.main if term.layer_row == ANY else at.there
    cols = at.main if term.layer_col == ANY else at.there
    left = at.other_layer & rows[:, :, None, None] & cols[None, None]
    steps.append((defined, "what is left has no scores"))
    for holds, lacking in steps:
        left = left & holds
        if not left.any():
            raise NotAskable(lacking)
    return left


def weights(mask: Mask) -> NDArray[np.float64]:
    """Weigh the marked cells: each two models the same, and within them each two layers.

    Returns
    -------
    numpy.ndarray
        The mask's shape, summing to one.
    """
    cells = mask.sum((1, 3), keepdims=True)
    pairs = np.count_nonzero(cells)
    found: NDArray[np.float64] = mask / np.maximum(cells, 1) / pairs
    return found


def contrast_weights(
    plus: Sequence[Term],
    minus: Sequence[Term],
    match: str | None,
    at: CellGrid,
    defined: Mask,
) -> list[NDArray[np.float64]]:
    """Weigh the cells of every term of a contrast, plus terms first.

    Parameters
    ----------
    plus, minus, at, defined
        As in `selected`.
    match
        A key of `STRATA`: all terms are taken in each of its strata where all have cells, and the
        strata count alike. None: as they are.

    Returns
    -------
    list of numpy.ndarray
        One a term, each summing to one.

    Raises
    ------
    Lacking
        A term has no cell, or no stratum has cells of all.
    """
    terms = (*plus, *minus)
    masks = [selected(term, at, defined) for term in terms]
    if match is None:
        return [weights(mask) for mask in masks]
    strata = []
    for word in STRATA[match]:
        within = [mask & RELATIONS[word].holds(at) for mask in masks]
        if all(mask.any() for mask in within):
            strata.append([weights(mask) for mask in within])
    if not strata:
        raise NotAskable(f"nothing on its two sides is alike in {match}")
    return [np.mean(each, axis=0) for each in zip(*strata, strict=True)]

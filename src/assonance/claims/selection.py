"""Select the cells of a comparison that a claim is about, and weight them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product

import numpy as np
from numpy.typing import NDArray

from assonance.comparison.records import ModelRecord
from assonance.comparison.relations import STATE_BASE, Relations, fine_tuned, trained

Mask = NDArray[np.bool_]

# Whether something holds for a row model and a column model.
Predicate = Callable[[ModelRecord, ModelRecord], bool]

ANY = ("*",)


class NotAskable(Exception):  # noqa: N818 - describes the comparison, not a fault
    """A comparison lacks the cells for a term; the message says what is missing, as a clause."""


@dataclass(frozen=True)
class Term:
    """The mean of one measure over the cells that meet all conditions.

    A layer is never compared with itself. Layers are the inputs and outputs of blocks
    (``encoder.*``), or all layers of a model without such labels, unless `layer_row` or
    `layer_col` names others.

    Attributes
    ----------
    measure
        Name of a measure of two layers.
    where
        Names of `CONDITIONS`, all of which must hold.
    objective
        Training objective of both models, or None for any.
    model_row, layer_row, model_col, layer_col
        Name patterns, at least one of which must match; ``*`` matches any characters.
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
        """The conditions on one line."""
        named = [
            f"{key} {' or '.join(patterns)}"
            for key in ("model_row", "layer_row", "model_col", "layer_col")
            if (patterns := getattr(self, key)) != ANY
        ]
        return ", ".join([*self.where, *([self.objective] if self.objective else []), *named])


class CellGrid:
    """The models and layers of a comparison, and masks over its cells.

    Masks have the axes model_row, layer_row, model_col and layer_col, with length 1 along an axis
    on which the mask does not depend.

    Parameters
    ----------
    models
        Models in the order of the axes.
    labels
        Labels of all layers in the order of the axes.
    """

    def __init__(self, models: Sequence[ModelRecord], labels: Sequence[str]) -> None:
        self.relations = Relations(models)
        self.models = self.relations.models
        self.labels = tuple(labels)
        shape = len(models), len(labels)
        # Layers of blocks, and all layers that a model has.
        self.blocks = np.zeros(shape, dtype=bool)
        self.present = np.zeros(shape, dtype=bool)
        # Place of each layer among those of its kind, from 0 at the input, and the last place.
        self.place = np.zeros(shape, dtype=int)
        self.last = np.zeros(shape, dtype=int)
        for i, model in enumerate(models):
            kinds = [label.partition(".")[0] for label in model.layers]
            for k, (label, kind) in enumerate(zip(model.layers, kinds, strict=True)):
                at = i, self.labels.index(label)
                self.present[at] = True
                self.blocks[at] = kind == "encoder" or "encoder" not in kinds
                self.place[at] = kinds[:k].count(kind)
                self.last[at] = kinds.count(kind) - 1

    def models_where(self, holds: Predicate) -> Mask:
        """Mark the pairs of models for which a predicate holds."""
        models = self.models.values()
        mask = np.array([[holds(row, col) for col in models] for row in models], dtype=bool)
        return mask[:, None, :, None]

    def recipes_where(self, holds: Predicate) -> Mask:
        """Mark the pairs of models for which a predicate holds.

        A random twin stands for the models of which it is the twin.
        """

        def represented(model: ModelRecord) -> list[ModelRecord]:
            return [self.models[name] for name in model.twin_of or (model.name,)]

        return self.models_where(
            lambda row, col: any(
                holds(*both) for both in product(represented(row), represented(col))
            )
        )

    def both_layers(self, marked: Mask) -> Mask:
        """Mark the cells whose two layers are marked in an array of shape (models, labels)."""
        both: Mask = marked[:, :, None, None] & marked[None, None]
        return both

    @property
    def different_layers(self) -> Mask:
        """All cells except those of a layer with itself."""
        models, labels = self.present.shape
        return ~np.eye(models * labels, dtype=bool).reshape(models, labels, models, labels)

    @property
    def same_depth(self) -> Mask:
        """Cells whose column layer is the nearest of its model in relative depth.

        Relative depth is 0 at the first layer and 1 at the last. Two equally near layers are both
        marked.
        """
        # |place/last − place'/last'|, multiplied by last·last' so that ties are exact.
        last = np.maximum(self.last, 1)
        distance = np.abs(
            self.place[:, :, None, None] * last[None, None]
            - self.place[None, None] * last[:, :, None, None]
        )
        nearest = np.where(self.blocks[None, None], distance, np.iinfo(distance.dtype).max).min(3)
        same: Mask = distance == nearest[..., None]
        return same


@dataclass(frozen=True)
class Condition:
    """A condition on cells; ``claims.yaml`` explains each.

    Attributes
    ----------
    mask
        Marks the cells of a grid where it holds.
    missing
        Says, as a clause, what a comparison lacks if no cell meets the condition.
    """

    mask: Callable[[CellGrid], Mask]
    missing: Callable[[CellGrid], str]


def _condition(mask: Callable[[CellGrid], Mask], missing: str) -> Condition:
    return Condition(mask, lambda grid: missing)


def _known(row: ModelRecord, col: ModelRecord) -> bool:
    return "unknown" not in (row.objective, col.objective)


def _no_base(grid: CellGrid) -> str:
    """Say why no fine-tuned model can be compared with its base."""
    unknown = grid.relations.unknown_bases()
    if unknown:
        return f"{'; '.join(unknown)} ({STATE_BASE})"
    return "no fine-tuned model was compared with the model that it was fine-tuned from"


# Conditions that select pairs of models: a term has one of them, or names its models.
BETWEEN: Mapping[str, Condition] = {
    "across": _condition(
        lambda grid: grid.models_where(grid.relations.unrelated),
        "no two models that were trained independently were compared",
    ),
    "within": _condition(
        lambda grid: grid.models_where(lambda row, col: row.name == col.name and trained(row)),
        "no trained model has two layers here",
    ),
    "random weights": _condition(
        lambda grid: grid.models_where(grid.relations.against_random),
        "no model was compared with the random twin of an independently trained one",
    ),
    "fine-tuned": Condition(lambda grid: grid.models_where(grid.relations.is_base), _no_base),
    "other seed": _condition(
        lambda grid: grid.models_where(grid.relations.other_seed),
        "no model was compared with a second seed",
    ),
}

CONDITIONS: Mapping[str, Condition] = {
    **BETWEEN,
    "pretrained": _condition(
        lambda grid: grid.recipes_where(lambda row, col: not (fine_tuned(row) or fine_tuned(col))),
        "no two of the models are pretrained only",
    ),
    "same objective": _condition(
        lambda grid: grid.recipes_where(
            lambda row, col: _known(row, col) and row.objective == col.objective
        ),
        "no two of the models have the same training objective",
    ),
    "other objective": _condition(
        lambda grid: grid.recipes_where(
            lambda row, col: _known(row, col) and row.objective != col.objective
        ),
        "all models have the same training objective",
    ),
    "same size": _condition(
        lambda grid: grid.recipes_where(lambda row, col: row.size == col.size),
        "no two of the models have the same size",
    ),
    "other size": _condition(
        lambda grid: grid.recipes_where(lambda row, col: row.size != col.size),
        "all models have the same size",
    ),
    "same layer": _condition(
        lambda grid: np.eye(len(grid.labels), dtype=bool)[None, :, None, :],
        "the two models have no layer label in common",
    ),
    "same depth": _condition(
        lambda grid: grid.same_depth,
        "no layers are at the same relative depth",
    ),
    "other depth": _condition(
        lambda grid: ~grid.same_depth,
        "all layers are at the same relative depth",
    ),
    "early": _condition(
        lambda grid: grid.both_layers(3 * grid.place <= grid.last),
        "no layers are in the first third of both models",
    ),
    "late": _condition(
        lambda grid: grid.both_layers(3 * grid.place >= 2 * grid.last),
        "no layers are in the last third of both models",
    ),
}

# What the two sides of a claim can be matched in: the conditions that split cells into strata.
STRATA: Mapping[str, tuple[str, str]] = {
    "objective": ("same objective", "other objective"),
    "size": ("same size", "other size"),
    "depth": ("same depth", "other depth"),
}


def selected(term: Term, grid: CellGrid, defined: Mask) -> Mask:
    """Mark the cells over which a term is averaged.

    Parameters
    ----------
    term, grid
        The term, and the grid of the comparison.
    defined
        Cells that have scores.

    Returns
    -------
    numpy.ndarray
        Bool, shape (models, labels, models, labels), with at least one cell marked.

    Raises
    ------
    NotAskable
        No cell is left; the first condition that leaves none says what is missing.
    """
    steps = [(CONDITIONS[word].mask(grid), CONDITIONS[word].missing(grid)) for word in term.where]
    if term.objective is not None:
        objectives = {term.objective}
        steps.append(
            (
                grid.recipes_where(lambda row, col: {row.objective, col.objective} == objectives),
                f"no two such models have the objective {term.objective!r}",
            )
        )
    sides = (
        ("model_row", tuple(grid.models), (-1, 1, 1, 1)),
        ("layer_row", grid.labels, (1, -1, 1, 1)),
        ("model_col", tuple(grid.models), (1, 1, -1, 1)),
        ("layer_col", grid.labels, (1, 1, 1, -1)),
    )
    for key, names, shape in sides:
        patterns = getattr(term, key)
        match = [any(fnmatchcase(name, pattern) for pattern in patterns) for name in names]
        steps.append(
            (np.array(match, dtype=bool).reshape(shape), f"no {key} matches {', '.join(patterns)}")
        )
    rows = grid.blocks if term.layer_row == ANY else grid.present
    cols = grid.blocks if term.layer_col == ANY else grid.present
    cells = grid.different_layers & rows[:, :, None, None] & cols[None, None]
    steps.append((defined, "the remaining cells have no scores"))
    for mask, missing in steps:
        cells = cells & mask
        if not cells.any():
            raise NotAskable(missing)
    return cells


def equal_weights(mask: Mask) -> NDArray[np.float64]:
    """Weight the marked cells: pairs of models equally, and pairs of layers equally within them.

    Returns
    -------
    numpy.ndarray
        Shape of the mask; sums to 1.
    """
    cells = mask.sum((1, 3), keepdims=True)
    pairs = np.count_nonzero(cells)
    weights: NDArray[np.float64] = mask / np.maximum(cells, 1) / pairs
    return weights


def contrast_weights(
    plus: Sequence[Term],
    minus: Sequence[Term],
    match: str | None,
    grid: CellGrid,
    defined: Mask,
) -> list[NDArray[np.float64]]:
    """Weight the cells of every term of a contrast, plus terms first.

    Parameters
    ----------
    plus, minus
        The terms of both sides.
    match
        A key of `STRATA`, or None. Matched terms are averaged within each stratum that has cells
        of all terms, and the strata are weighted equally.
    grid, defined
        As in `selected`.

    Returns
    -------
    list of numpy.ndarray
        One array a term, each summing to 1.

    Raises
    ------
    NotAskable
        A term has no cell, or no stratum has cells of all terms.
    """
    terms = (*plus, *minus)
    masks = [selected(term, grid, defined) for term in terms]
    if match is None:
        return [equal_weights(mask) for mask in masks]
    strata = []
    for word in STRATA[match]:
        within = [mask & CONDITIONS[word].mask(grid) for mask in masks]
        if all(mask.any() for mask in within):
            strata.append([equal_weights(mask) for mask in within])
    if not strata:
        raise NotAskable(f"no cells of its two sides match in {match}")
    return [np.mean(each, axis=0) for each in zip(*strata, strict=True)]

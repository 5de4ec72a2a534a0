"""State how models are related: random twins, second seeds, and which was fine-tuned from which."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assonance.comparison.records import ModelRecord
from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError, printable
from assonance.models.rotated import PREFIX as ROTATED_MODEL

# Family, parameters and layers.
Architecture = tuple[str, int, tuple[str, ...]]

STATE_BASE = "state which with --tuned-from TUNED=BASE, or tuned_from= in Python"


@dataclass(frozen=True)
class FineTuning:
    """A model before and after fine-tuning, by their names in a comparison.

    Attributes
    ----------
    pretrained, fine_tuned
        Before and after; models of one architecture.
    second_seed
        The pretrained model trained from another seed, or None if none was compared. The
        similarity of the two seeds is the ceiling for the change.
    """

    pretrained: str
    fine_tuned: str
    second_seed: str | None = None


class Relations:
    """Relations between the models of a comparison.

    The base of a fine-tuned model is decided in this order:

    1. The model that the user stated (`ModelRecord.tuned_from`).
    2. The model that the fine-tuned one's own files name (`ModelCard.base`), as those of a LoRA
       adapter do. If it was not compared, none is.
    3. The only candidate. Candidates are trained, not fine-tuned, and have the same family, number
       of parameters, layers and objective. A second seed (`ModelRecord.seed_of`) was compared as a
       ceiling for the first, and is a candidate only if the first is none.
    4. With several candidates the base is unknown. The model then forms no pair, and counts neither
       as unrelated to a candidate nor as of one origin with it.

    Parameters
    ----------
    models
        All models of the comparison, controls included.

    Attributes
    ----------
    models : dict
        The models by name.
    """

    def __init__(self, models: Sequence[ModelRecord]) -> None:
        self.models = {each.name: each for each in models}
        self._bases = {each.name: _possible_bases(each, models) for each in models}

    def base(self, name: str) -> str | None:
        """Return the model that a model was fine-tuned from, or None if there is none or several.

        See `possible_bases`.
        """
        bases = self._bases[name]
        return bases[0] if len(bases) == 1 else None

    def possible_bases(self, name: str) -> tuple[str, ...]:
        """Return the models that a model may have been fine-tuned from; none if it was not."""
        return self._bases[name]

    def fine_tunings(self) -> tuple[FineTuning, ...]:
        """Return every fine-tuned model whose base is known, with the base and its second seed."""
        return tuple(
            FineTuning(base, name, self.second_seed(base))
            for name in self.models
            if (base := self.base(name)) is not None
        )

    def unknown_bases(self) -> list[str]:
        """Describe, one clause a model, the fine-tuned models with several possible bases."""
        return [
            f"{printable(name)} may have been fine-tuned from {_either(bases)}"
            for name, bases in self._bases.items()
            if len(bases) > 1
        ]

    def unlike_inputs(self) -> list[str]:
        """Describe, one sentence a pair, fine-tuned models with another input than their base."""
        pairs = [
            (self.models[each.pretrained], self.models[each.fine_tuned])
            for each in self.fine_tunings()
        ]
        return [
            f"{printable(after.name)} takes another input ({after.input}) than "
            f"{printable(before.name)}, from which it was fine-tuned ({before.input}); this alone "
            "changes scores"
            for before, after in pairs
            if before.input and after.input and before.input != after.input
        ]

    def unrelated(self, row: ModelRecord, col: ModelRecord) -> bool:
        """Return whether both models were trained and certainly have no common origin."""
        both = trained(row) and trained(col) and row.name != col.name
        return both and self._origins(row.name).isdisjoint(self._origins(col.name))

    def same_origin(self, row: ModelRecord, col: ModelRecord) -> bool:
        """Return whether two different trained models certainly have one origin."""
        both = trained(row) and trained(col) and row.name != col.name
        origins = self._origins(row.name) | self._origins(col.name)
        return both and len(origins) == 1

    def against_random(self, row: ModelRecord, col: ModelRecord) -> bool:
        """Return whether the column is the random twin of a model unrelated to the row."""
        return any(self.unrelated(row, self.models[name]) for name in col.twin_of)

    def is_base(self, row: ModelRecord, col: ModelRecord) -> bool:
        """Return whether the column model was fine-tuned from the row model."""
        return self.base(col.name) == row.name

    def other_seed(self, row: ModelRecord, col: ModelRecord) -> bool:
        """Return whether two trained models differ only in their training seed."""
        seeds = {each.seed_of or each.name for each in (row, col)}
        return row.name != col.name and trained(row) and trained(col) and len(seeds) == 1

    def second_seed(self, name: str) -> str | None:
        """Return a model that differs from this one in its seed alone, or None.

        It is not fine-tuned and has the same layers, so both can be compared layer by layer. Each
        of two seeds is a second seed of the other.
        """
        model = self.models[name]
        return next(
            (
                each.name
                for each in self.models.values()
                if self.other_seed(model, each)
                and not fine_tuned(each)
                and _architecture(each) == _architecture(model)
            ),
            None,
        )

    def _origins(self, name: str) -> frozenset[str]:
        """Return the models that a model may go back to by fine-tuning and second seeds."""
        pending, seen, origins = [name], set(), set()
        while pending:
            current = pending.pop()
            if current in seen:
                continue
            seen.add(current)
            seed_of = self.models[current].seed_of if current in self.models else None
            before = self._bases.get(current) or ((seed_of,) if seed_of else ())
            pending += before
            if not before:
                base = self.models[current].base if current in self.models else None
                origins.add(current if base is None else os.path.realpath(base))
        return frozenset(origins)


def trained(model: ModelRecord) -> bool:
    """Return whether a model was trained and keeps its own axes; rotated models are controls."""
    return not model.twin_of and learned(model.objective, model.source)


def learned(objective: str, source: str) -> bool:
    """Return whether a model of this objective and source was trained, and is not rotated."""
    return objective != "none" and not source.startswith(ROTATED_MODEL)


def fine_tuned(model: ModelRecord) -> bool:
    """Return whether a model was fine-tuned: its checkpoint has a head, or the user stated it."""
    return model.fine_tuned or model.tuned_from is not None


def check(comparison: Comparison, pair: FineTuning) -> None:
    """Refuse a pair that is not in a comparison or cannot be compared layer by layer.

    Raises
    ------
    AssonanceError
        A model is not in the comparison, or the models differ in architecture.
    """
    known = {each.name: each for each in comparison.provenance.models}
    named = [name for name in (pair.pretrained, pair.fine_tuned, pair.second_seed) if name]
    for name in named:
        if name not in known:
            raise AssonanceError(f"{printable(name)}: no such model here")
    of_one_architecture({name: _architecture(known[name]) for name in named})


def check_statements(models: Sequence[ModelRecord]) -> None:
    """Refuse a stated base that no fine-tuned model can have.

    Raises
    ------
    AssonanceError
        One of the two models was not trained, or they differ in architecture.
    """
    known = {each.name: each for each in models}
    for each in models:
        if each.tuned_from is None:
            continue
        pair = known[each.tuned_from], each
        for model in pair:
            if not trained(model):
                raise AssonanceError(
                    f"tuned from: {printable(model.name)} was not trained; "
                    "name a fine-tuned model and the model it was fine-tuned from"
                )
        of_one_architecture({model.name: _architecture(model) for model in pair})


def of_one_architecture(architectures: Mapping[str, Architecture]) -> None:
    """Refuse models whose architecture differs from the first one's.

    Parameters
    ----------
    architectures
        By the models' names, the pretrained one first.

    Raises
    ------
    AssonanceError
        A model has another architecture.
    """
    first = next(iter(architectures))
    for name, architecture in architectures.items():
        if architecture != architectures[first]:
            raise AssonanceError(
                f"{printable(name)} is of another architecture than {printable(first)}: "
                "change is followed layer by layer; give checkpoints of one architecture"
            )


def _architecture(model: ModelRecord) -> Architecture:
    return model.family, model.n_parameters, tuple(model.layers)


def _possible_bases(model: ModelRecord, models: Sequence[ModelRecord]) -> tuple[str, ...]:
    """Return the stated base of a model, or the candidates: none if it was not fine-tuned."""
    if not trained(model) or not fine_tuned(model):
        return ()
    if model.tuned_from is not None:
        return (model.tuned_from,)
    if model.base is not None:
        place = os.path.realpath(model.base)
        named = [each.name for each in models if os.path.realpath(each.source) == place]
        return tuple(named[:1])
    candidates = {
        each.name: each
        for each in models
        if trained(each)
        and not fine_tuned(each)
        and each.objective == model.objective
        and _architecture(each) == _architecture(model)
    }
    return tuple(name for name, each in candidates.items() if each.seed_of not in candidates)


def _either(names: Sequence[str]) -> str:
    shown = [printable(name) for name in names]
    return f"{', '.join(shown[:-1])} or {shown[-1]}"

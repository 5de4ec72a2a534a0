"""Find how models are related: random twins, second seeds, fine-tuned from pretrained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assonance.comparison.records import ModelRecord
from assonance.comparison.result import Comparison
from assonance.errors import AssonanceError, printable
from assonance.models.rotated import PREFIX as ROTATED_MODEL


class Relations:
    """The models of a comparison, and which go back to which.

    Parameters
    ----------
    models
        All of them, controls too.

    Attributes
    ----------
    models : dict
        By name.
    """

    def __init__(self, models: Sequence[ModelRecord]) -> None:
        self.models = {each.name: each for each in models}
        self._pretrained = _pretrained(models)

    def root(self, model: ModelRecord) -> str:
        """Name the model that a fine-tuned one, or another seed, goes back to."""
        name = self._pretrained.get(model.name, model.name)
        return self.models[name].seed_of or name

    def apart(self, row: ModelRecord, col: ModelRecord) -> bool:
        """Tell whether both were trained, and neither goes back to the other."""
        return trained(row) and trained(col) and self.root(row) != self.root(col)

    def of_one_origin(self, row: ModelRecord, col: ModelRecord) -> bool:
        """Tell whether the two were trained, and go back to the same one."""
        both = trained(row) and trained(col) and row.name != col.name
        return both and self.root(row) == self.root(col)

    def against_random(self, row: ModelRecord, col: ModelRecord) -> bool:
        """Tell whether the column is the twin of a model that was trained apart from the row."""
        return any(self.apart(row, self.models[name]) for name in col.twin_of)

    def tuned(self, row: ModelRecord, col: ModelRecord) -> bool:
        """Tell whether the column is the row, fine-tuned."""
        return self._pretrained.get(col.name) == row.name

    def other_seed(self, row: ModelRecord, col: ModelRecord) -> bool:
        """Tell whether the two differ in the seed of their training alone."""
        seeds = {each.seed_of or each.name for each in (row, col)}
        return row.name != col.name and trained(row) and trained(col) and len(seeds) == 1


def trained(model: ModelRecord) -> bool:
    """Tell whether it learned something, and in its own axes: a rotated model is a control."""
    controls = bool(model.twin_of) or model.source.startswith(ROTATED_MODEL)
    return not controls and model.objective != "none"


def _pretrained(models: Sequence[ModelRecord]) -> Mapping[str, str]:
    """Find the model that each fine-tuned one was made of: the only one of its architecture."""
    found = {}
    for tuned in models:
        like = [
            each.name
            for each in models
            if trained(each)
            and not each.fine_tuned
            and each.seed_of is None
            and (each.family, each.size) == (tuned.family, tuned.size)
            and tuple(each.layers) == tuple(tuned.layers)
        ]
        if tuned.fine_tuned and not tuned.twin_of and len(like) == 1:
            found[tuned.name] = like[0]
    return found


# Family, parameters and layers.
Architecture = tuple[str, int, tuple[str, ...]]


@dataclass(frozen=True)
class FineTuning:
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


def check(comparison: Comparison, pair: FineTuning) -> None:
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
            raise AssonanceError(f"{printable(name)}: no such model here")
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
                f"{printable(name)} is of another architecture than {printable(first)}: "
                "change is followed layer by layer; give checkpoints of one architecture"
            )


def _architecture(model: ModelRecord) -> Architecture:
    return model.family, model.n_parameters, tuple(model.layers)

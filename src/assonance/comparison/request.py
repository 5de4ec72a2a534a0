"""Hold the options of a comparison: all but the models and the speech."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from assonance.activations.shared_rows import Pooling
from assonance.comparison.cluster.choice import HERE, Cluster
from assonance.corpus import Reading
from assonance.errors import AssonanceError
from assonance.measures.names import names_in, refuse_unknown
from assonance.measures.roles import STANDARD
from assonance.models.loading import Loading
from assonance.settings import SETTINGS, OnError, Settings, Stored
from assonance.utils.memory import MEMORY

# Measures are functions of torch: a request is made and checked before it is imported.
if TYPE_CHECKING:
    from assonance.measures import Measure


@dataclass(frozen=True)
class Request:
    """Options of a comparison, with the defaults of `assonance.compare`.

    Attributes
    ----------
    measures
        Names of measures.
    settings
        Settings of the measures.
    twins
        Whether to add random twins and the baseline.
    whole_twins
        Whether to store all layers of random twins, and not those alone that are compared as
        floors. No score depends on it.
    reading, pooling, loading
        Options for the corpus, for the rows of the measures, and for checkpoints. The statistics
        are computed on the device of the models.
    memory
        Memory limit of the statistics: text such as ``"4GB"``, a number in GiB, or ``"auto"``; see
        `assonance.utils.memory.parse_bytes`.
    on_error
        Whether to skip an utterance that cannot be used, or to stop.
    seeds
        From a second seed to the first model.
    tuned_from
        From a fine-tuned model to the model it was fine-tuned from.
    uncertainty
        Whether to compute intervals, shift nulls and halves.
    store
        Number format of the activations on disk.
    cluster
        Which workers compute the comparison; nothing of the result depends on it.

    Raises
    ------
    AssonanceError
        If no measure has one of the names, or an option has a value that it cannot have.
    """

    measures: tuple[str, ...] = STANDARD
    settings: Settings = SETTINGS["default"]
    twins: bool = True
    whole_twins: bool = False
    reading: Reading = field(default_factory=Reading)
    pooling: Pooling = field(default_factory=Pooling)
    loading: Loading = field(default_factory=Loading)
    memory: str | float = MEMORY
    on_error: OnError = "skip"
    seeds: Mapping[str, str] = field(default_factory=dict)
    tuned_from: Mapping[str, str] = field(default_factory=dict)
    uncertainty: bool = True
    store: Stored = "float32"
    cluster: Cluster = HERE

    def __post_init__(self) -> None:
        if self.on_error not in get_args(OnError):
            raise AssonanceError(
                f"on_error must be one of {', '.join(get_args(OnError))}; got {self.on_error!r}"
            )
        refuse_unknown(names_in(self.measures))

    def find_measures(self) -> "tuple[Measure, ...]":
        """Return the measures, each once."""
        from assonance.measures import find

        found = find(self.measures, ("neuron", "layer", "head"))
        return tuple({each.name: each for each in found}.values())

"""Share the memory of a run between the weights of its models and what these compute."""

from collections.abc import Iterable
from pathlib import Path

from assonance.models import SpeechModel, can_rest
from assonance.models.roster import Roster
from assonance.scoring.attention_pass import AttentionPass
from assonance.utils.cores import worker_pool
from assonance.utils.memory import LIBRARIES, trim_full_heap

_FLOAT32 = 4
# Bytes that an encoder takes while it reads a second of speech: a few copies of the features of its
# first convolution, 512 at 3.2 kHz.
_SECOND = 16e6
# Share of the memory that models may take while they do not run. With two thirds, thousands of
# heads took more than the rest.
_LARGE = 1 / 2


def weights_size(models: Iterable[SpeechModel]) -> int:
    """Return the bytes of the weights of models."""
    return _FLOAT32 * sum(each.info.n_parameters for each in models)


def are_large(roster: Roster, memory: float) -> bool:
    """Return whether models take so much of the memory that they rest even between utterances."""
    weights = weights_size(each.model for each in roster.values())
    return LIBRARIES + weights > _LARGE * memory


def let_large_rest(roster: Roster, memory: float, folder: Path) -> None:
    """Let models rest from the start if they are large; see `are_large` and `let_rest`."""
    if are_large(roster, memory):
        let_rest(roster, folder)


def let_rest(roster: Roster, folder: Path) -> None:
    """Take the weights of encoders out of memory, except while a model runs.

    Parameters
    ----------
    roster
        The models.
    folder
        Where their weights are kept meanwhile. It is made if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    resting = [entry.model for entry in roster.values() if can_rest(entry.model)]
    with worker_pool() as pool_map:
        for _ in pool_map(lambda model: model.rest(folder), resting):
            pass
    trim_full_heap()


def maps_at_once(attention: AttentionPass, roster: Roster, memory: float) -> int:
    """Return of how many utterances models compute attention maps at once; one at least.

    Parameters
    ----------
    attention
        The pass over attention maps.
    roster
        The models.
    memory
        Bytes that the process may take.
    """
    weights = [weights_size([each.model]) for each in roster.values()]
    source = attention.source
    one = [
        size + attention.table_bytes + _SECOND * source.durations[index] / source.pieces[index]
        for index, size in attention.fitting(memory).items()
    ]
    resting = are_large(roster, memory)
    free = memory - LIBRARIES - (0 if resting else sum(weights))
    each = max(one, default=1.0) + (max(weights) if resting else 0)
    return max(1, int(free / each))

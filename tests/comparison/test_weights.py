"""Models and attention maps share the memory of a run."""

import pytest

from assonance.comparison.forecast.counts import count_comparison
from assonance.comparison.prepared import prepare
from assonance.comparison.request import Request
from assonance.comparison.weights import are_large, let_rest, maps_at_once, weights_size
from assonance.models.roster import RosterEntry
from assonance.utils.memory import LIBRARIES
from assonance.utils.progress import Silent

SILENT = Silent()


@pytest.fixture(scope="module")
def counts(pair, speech):
    prepared = prepare(pair, speech, Request(measures=("attn_frobenius",)), SILENT)
    return count_comparison(prepared)


def test_models_are_large_where_they_take_more_than_half_of_the_memory(counts):
    roster = counts.extracted.roster
    taken = LIBRARIES + weights_size(each.model for each in roster.values())
    assert not are_large(roster, 2 * taken)
    assert are_large(roster, 2 * taken - 1)


def test_as_many_utterances_are_read_at_once_as_fit_beside_the_weights(counts):
    roster, attention = counts.extracted.roster, counts.attention
    weights = weights_size(each.model for each in roster.values())
    largest = max(weights_size([each.model]) for each in roster.values())
    maps, longest = max(attention.map_bytes), max(attention.source.durations)
    for memory in (0.5e9, 1e9, 2e9, 8e9):
        beside = LIBRARIES + (0 if are_large(roster, memory) else weights)
        each = maps + (largest if are_large(roster, memory) else 0)
        number = maps_at_once(attention, roster, memory)
        assert number == 1 or beside + number * each <= memory
        # Features of a second of speech take some copies of 512 channels at 3200 Hz, in float32.
        assert beside + (number + 1) * (each + 4 * longest * 4 * 512 * 3200) > memory


def test_an_utterance_at_a_time_is_read_where_nothing_fits(counts):
    assert maps_at_once(counts.attention, counts.extracted.roster, 1.0) == 1


def test_only_models_that_can_are_let_rest(tmp_path):
    class Resting:
        folder = None

        def rest(self, folder):
            self.folder = folder

    resting, other = Resting(), object()
    roster = {"a": RosterEntry(resting), "b": RosterEntry(other)}
    let_rest(roster, tmp_path / "run" / "activations")
    assert resting.folder == tmp_path / "run" / "activations"
    assert resting.folder.is_dir()

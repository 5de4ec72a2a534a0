"""Collect the numbers that each view of the page draws; `browser` has the scripts."""

from collections.abc import Sequence
from typing import Any

from assonance.comparison.moments import Sound
from assonance.comparison.relations import FineTuning
from assonance.report.matches import Matches
from assonance.report.packing import Packer
from assonance.report.views.changes import changes
from assonance.report.views.headline import headline
from assonance.report.views.heads import heads
from assonance.report.views.layers import colours, layers, models, start
from assonance.report.views.neurons import has_neurons, neurons
from assonance.report.views.sound import sound
from assonance.report.views.trust import trust

__all__ = ["has_neurons", "pack", "trust"]


def pack(matches: Matches, pairs: Sequence[FineTuning], heard: Sound | None = None) -> str:
    """Return all numbers of the page as text; see `Packer.pack`."""
    comparison = matches.comparison
    packer = Packer()
    record: dict[str, Any] = {
        "colours": colours(),
        "models": models(comparison),
        "measures": layers(matches, packer),
        "start": start(matches),
        "headline": headline(matches),
        "neurons": neurons(comparison, packer),
        "heads": heads(matches, packer),
        "changes": changes(comparison, pairs, packer),
        "trust": trust(comparison),
        "sound": None if heard is None else sound(comparison, heard, packer),
    }
    return packer.pack(record)

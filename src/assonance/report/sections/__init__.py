"""Assemble the sections of the report."""

from collections.abc import Sequence

from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.report.sections.changes import fine_tuning
from assonance.report.sections.heads import heads
from assonance.report.sections.layers import alike
from assonance.report.sections.matches import depths
from assonance.report.sections.neurons import same_neurons
from assonance.report.sections.section import Section
from assonance.report.sections.trust import trust


def sections(comparison: Comparison, pairs: Sequence[FineTuning]) -> list[Section]:
    """Make every section that the measures allow."""
    made = [
        alike(comparison),
        depths(comparison),
        fine_tuning(comparison, pairs),
        same_neurons(comparison),
        heads(comparison),
        trust(comparison),
    ]
    return [section for section in made if section is not None]

"""Assemble the sections of the report."""

from collections.abc import Sequence

from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.report.sections.changes import changes_section
from assonance.report.sections.heads import heads_section
from assonance.report.sections.layers import layers_section
from assonance.report.sections.matches import matches_section
from assonance.report.sections.neurons import neurons_section
from assonance.report.sections.section import Section
from assonance.report.sections.trust import trust_section


def sections(comparison: Comparison, pairs: Sequence[FineTuning]) -> list[Section]:
    """Make the sections whose measures were computed."""
    made = [
        layers_section(comparison),
        matches_section(comparison),
        changes_section(comparison, pairs),
        neurons_section(comparison),
        heads_section(comparison),
        trust_section(comparison),
    ]
    return [section for section in made if section is not None]

"""Summarise a run: what its models share, or what fine-tuning changed."""

from collections.abc import Sequence

from assonance.comparison.relations import FineTuning
from assonance.comparison.result import Comparison
from assonance.report import change_summary
from assonance.report.summary import sentences


def pairs_of(comparison: Comparison, *, diff: bool) -> tuple[FineTuning, ...] | None:
    """Return the pretrained and fine-tuned model of a `diff` run, or None for any other run."""
    return (FineTuning(*comparison.models),) if diff else None


def summary(
    comparison: Comparison,
    pairs: Sequence[FineTuning] | None = None,
    lead: str | None = None,
) -> list[str]:
    """Summarise a comparison in sentences, or what changed if it is of fine-tuned pairs."""
    if pairs is None:
        return sentences(comparison, lead)
    return [line for pair in pairs for line in change_summary.sentences(comparison, pair)]

"""The measures, a small module a family; importing this registers them all."""

from assonance.measures import attention, cca, cka, neighbours, neurons, regression, shape
from assonance.measures.head_kinds import Descriptor, describe_heads
from assonance.measures.registry import (
    MEASURES,
    SETTINGS,
    LayerScore,
    Measure,
    NeuronScores,
    Settings,
    find,
    find_settings,
)

__all__ = [
    "MEASURES",
    "SETTINGS",
    "Descriptor",
    "LayerScore",
    "Measure",
    "NeuronScores",
    "Settings",
    "attention",
    "cca",
    "cka",
    "describe_heads",
    "find",
    "find_settings",
    "neighbours",
    "neurons",
    "regression",
    "shape",
]

"""The measures, a small module a family; importing this registers them all."""

from assonance.measures import attention, cca, cka, neighbours, neurons, regression, shape
from assonance.measures.head_descriptors import Descriptor, describe_heads
from assonance.measures.registry import MEASURES, LayerScore, Measure, NeuronScores, find
from assonance.settings import SETTINGS, Settings, find_settings

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

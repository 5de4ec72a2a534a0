"""The measures, a small module a family; the first name imported from here registers them all.

`names` and `roles` hold names alone and are imported without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_FAMILIES = ("attention", "cca", "cka", "neighbours", "neurons", "regression", "shape")
_HOMES = {
    "Descriptor": "measures.head_descriptors",
    "describe_heads": "measures.head_descriptors",
    **dict.fromkeys(
        ("MEASURES", "LayerScore", "Measure", "NeuronScores", "find"), "measures.registry"
    ),
    **dict.fromkeys(("SETTINGS", "Settings", "find_settings"), "settings"),
}


def __getattr__(name: str) -> Any:
    """Import a name on first use, after all families are registered."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for family in _FAMILIES:
        import_module(f"{__name__}.{family}")
    value = getattr(import_module(f"assonance.{_HOMES[name]}"), name)
    globals()[name] = value
    return value

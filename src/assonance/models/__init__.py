"""Speech models: the protocol they follow, and the function that loads one by name."""

from typing import TYPE_CHECKING, Any

from assonance.models.loading import load_model
from assonance.models.speech_model import (
    Attend,
    BatchedModel,
    LayerOutputs,
    ModelCard,
    PrecomputedModel,
    RestingModel,
    RoundedModel,
    SpeechModel,
    can_rest,
    is_precomputed,
    is_rounded,
    runs_batches,
)

if TYPE_CHECKING:
    from assonance.models.precomputed import Precomputed
    from assonance.models.torch_module import TorchModel

__all__ = [
    "Attend",
    "BatchedModel",
    "LayerOutputs",
    "ModelCard",
    "Precomputed",
    "PrecomputedModel",
    "RestingModel",
    "RoundedModel",
    "SpeechModel",
    "TorchModel",
    "can_rest",
    "is_precomputed",
    "is_rounded",
    "load_model",
    "runs_batches",
]


def __getattr__(name: str) -> Any:
    """Import classes that need torch on first use."""
    if name == "TorchModel":
        from assonance.models.torch_module import TorchModel

        return TorchModel
    if name == "Precomputed":
        from assonance.models.precomputed import Precomputed

        return Precomputed
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

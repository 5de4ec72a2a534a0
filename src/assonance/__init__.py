"""Compare what speech models represent: neurons, layers and attention heads."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from assonance.__about__ import __version__

if TYPE_CHECKING:
    from assonance.arrays import head_similarity_matrix, similarity, similarity_matrix
    from assonance.comparison.compare import compare
    from assonance.comparison.configuration import Configuration
    from assonance.comparison.result import Comparison
    from assonance.corpus import Corpus
    from assonance.errors import AssonanceError, AssonanceWarning
    from assonance.models import Precomputed, TorchModel
    from assonance.models.loading import load_model

# The module of each public name, imported on first use: `assonance --help` must not wait for
# torch.
_HOMES = {
    "AssonanceError": "errors",
    "AssonanceWarning": "errors",
    "Comparison": "comparison.result",
    "Configuration": "comparison.configuration",
    "Corpus": "corpus",
    "Precomputed": "models",
    "TorchModel": "models",
    "compare": "comparison.compare",
    "head_similarity_matrix": "arrays",
    "load_model": "models",
    "similarity": "arrays",
    "similarity_matrix": "arrays",
}

__all__ = [
    "AssonanceError",
    "AssonanceWarning",
    "Comparison",
    "Configuration",
    "Corpus",
    "Precomputed",
    "TorchModel",
    "__version__",
    "compare",
    "head_similarity_matrix",
    "load_model",
    "similarity",
    "similarity_matrix",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'assonance' has no attribute {name!r}")
    value = getattr(import_module(f"assonance.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return sorted([*globals(), *__all__])

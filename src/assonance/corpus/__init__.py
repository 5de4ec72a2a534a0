"""Read speech corpora, in any of several formats, as utterances in a fixed order."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assonance.corpus.corpus import Corpus
    from assonance.corpus.utterance import LeftOut, Utterance

__all__ = ["Corpus", "LeftOut", "Utterance"]


def __getattr__(name: str) -> Any:
    """Import the classes on first use: the command line names formats without reading audio."""
    if name == "Corpus":
        from assonance.corpus.corpus import Corpus

        return Corpus
    if name in ("LeftOut", "Utterance"):
        from assonance.corpus import utterance

        return getattr(utterance, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Read speech corpora, in any of several formats, as utterances in a fixed order."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assonance.corpus.corpus import Corpus, Reading
    from assonance.corpus.utterance import LeftOut, Utterance

__all__ = ["Corpus", "LeftOut", "Reading", "Utterance"]


def __getattr__(name: str) -> Any:
    """Import the classes on first use: the command line names formats without reading audio."""
    if name in ("Corpus", "Reading"):
        from assonance.corpus import corpus

        return getattr(corpus, name)
    if name in ("LeftOut", "Utterance"):
        from assonance.corpus import utterance

        return getattr(utterance, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Phone and word alignments for Python callers; see `assonance.corpus.alignments`."""

from assonance.corpus.alignments import Alignments, Span

__all__ = ["Alignments", "Span"]

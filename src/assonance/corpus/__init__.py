"""Speech to read: every way in which people keep it, as utterances in a fixed order."""

from assonance.corpus.corpus import Corpus
from assonance.corpus.utterance import LeftOut, Utterance

__all__ = ["Corpus", "LeftOut", "Utterance"]

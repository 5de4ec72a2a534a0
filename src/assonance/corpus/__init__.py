"""Read speech in all common corpus formats, as utterances in a fixed order."""

from assonance.corpus.corpus import Corpus, Reading
from assonance.corpus.utterance import LeftOut, Utterance

__all__ = ["Corpus", "LeftOut", "Reading", "Utterance"]

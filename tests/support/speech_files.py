"""Speech on disk for tests that read it."""

from pathlib import Path

import soundfile
from signals import voice

from assonance.corpus import Corpus


def write(path: Path, seconds: float = 0.1, rate: int = 16000, seed: int = 1, **how: str) -> Path:
    """Write something like speech; the suffix, or what soundfile is told, says how."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, voice(seconds, seed=seed, rate=rate), rate, **how)
    return path


def ids(corpus: Corpus) -> list[str]:
    """Ids in order."""
    return [utterance.id for utterance in corpus]


def reasons(corpus: Corpus) -> dict[str, str]:
    """Why each id was left out."""
    return {each.id: each.reason for each in corpus.left_out}

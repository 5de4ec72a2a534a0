"""Batches of joined prompts, as pure functions of a seed and a step."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from recipes.mini_ssl.spelling import spell
from recipes.speech.build import read_manifest
from recipes.speech.errors import RecipeError
from recipes.speech.split import split

RATE = 16_000
WINDOW, HOP = 400, 320  # samples an encoder frame sees, and from one frame to the next


@dataclass(frozen=True)
class Prompts:
    """Recordings held in memory, with what the manifest says of them."""

    rows: list[dict[str, str]]
    waves: list[np.ndarray]

    def by_language(self) -> list[list[np.ndarray]]:
        """Return the recordings of each language, languages in alphabetical order."""
        languages = sorted({row["language"] for row in self.rows})
        return [
            [w for row, w in zip(self.rows, self.waves, strict=True) if row["language"] == language]
            for language in languages
        ]

    def transcribed(self, language: str) -> tuple[list[np.ndarray], list[str]]:
        """Return recordings of a language whose words are known by letter, and these words."""
        spelled = [
            (wave, words)
            for row, wave in zip(self.rows, self.waves, strict=True)
            if row["language"] == language and (words := spell(row["text"]))
        ]
        if not spelled:
            raise RecipeError(
                f"no prompt of language {language!r} has a transcript: fine-tuning needs a corpus "
                "whose manifest fills the column text"
            )
        return [wave for wave, _ in spelled], [words for _, words in spelled]

    @property
    def seconds(self) -> float:
        """Total duration."""
        return sum(len(wave) for wave in self.waves) / RATE


def load_prompts(manifest: Path, *, held_out: bool) -> Prompts:
    """Read the held-out prompts of a corpus, or its training prompts.

    Samples stay 16-bit integers: the corpus fits in a quarter of a gigabyte.
    """
    training, unseen = split(read_manifest(manifest))
    rows = unseen if held_out else training
    waves = []
    for row in rows:
        path = manifest.parent / row["path"]
        try:
            wave, rate = soundfile.read(path, dtype="int16")
        except soundfile.LibsndfileError as error:
            raise RecipeError(f"{path} cannot be read ({error}): build the corpus again") from error
        if rate != RATE or wave.ndim != 1:
            raise RecipeError(f"{path} is not mono at {RATE} Hz: build the corpus again")
        waves.append(wave)
    if not waves:
        kind = "held-out" if held_out else "training"
        raise RecipeError(f"{manifest} lists no {kind} prompts: build the corpus again")
    return Prompts(rows, waves)


def normalise(waves: np.ndarray) -> np.ndarray:
    """Bring each row to zero mean and unit variance, as the exported feature extractor does."""
    waves = waves.astype(np.float32)
    centred = waves - waves.mean(-1, keepdims=True)
    return centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-7)


def cut_clips(
    voices: list[list[np.ndarray]], seed: int, step: int, clips: int, samples: int
) -> np.ndarray:
    """Clips cut from prompts joined in random order; each clip keeps to one language.

    A function of its arguments alone, so a resumed run sees the batches it would have seen.

    Returns
    -------
    Normalised samples, one row a clip.
    """
    rng = np.random.default_rng([seed, step])
    out = np.empty((clips, samples), np.int16)
    for row in out:
        waves = voices[rng.integers(len(voices))]
        start = waves[rng.integers(len(waves))]
        pieces = [start[rng.integers(len(start)) :]]
        filled = len(pieces[0])
        while filled < samples:
            pieces.append(waves[rng.integers(len(waves))])
            filled += len(pieces[-1])
        row[:] = np.concatenate(pieces)[:samples]
    return normalise(out.astype(np.float32) / 2**15)


def join_prompts(
    waves: list[np.ndarray], texts: list[str], seed: int, step: int, clips: int, samples: int
) -> tuple[list[np.ndarray], list[str]]:
    """Clips of whole prompts joined in random order, as many as fit, and their words.

    A function of its arguments alone, as `cut_clips` is.

    Returns
    -------
    Normalised samples of each clip, of lengths of their own, and the words of each.
    """
    fitting = [index for index, wave in enumerate(waves) if len(wave) <= samples]
    if not fitting:
        raise RecipeError(f"no prompt is as short as {samples / RATE:g} s: raise seconds")
    rng = np.random.default_rng([seed, step])
    joined = []
    for _ in range(clips):
        chosen: list[int] = []
        for index in rng.choice(fitting, len(fitting), replace=False):
            if sum(len(waves[i]) for i in [*chosen, index]) > samples:
                break
            chosen.append(index)
        joined.append(chosen)
    clips_joined = [np.concatenate([waves[i] for i in chosen]) / 2**15 for chosen in joined]
    return list(map(normalise, clips_joined)), [
        " ".join(texts[i] for i in chosen) for chosen in joined
    ]


def frames_of(samples: int) -> int:
    """Count the encoder frames in a clip of a length."""
    return (samples - WINDOW) // HOP + 1


def span_mask(
    seed: int, step: int, clips: int, frames: int, start: float, length: int
) -> np.ndarray:
    """Boolean mask of spans starting at a share of the frames; spans may overlap.

    Every clip has the same number of spans, so none is left without a masked frame.
    """
    rng = np.random.default_rng([seed, step, 1])
    mask = np.zeros((clips, frames), bool)
    spans = max(1, round(start * frames))
    for row in mask:
        for first in rng.choice(frames - length + 1, spans, replace=False):
            row[first : first + length] = True
    return mask

"""Batches of joined prompts, as pure functions of a seed and a step."""

from collections.abc import Sequence
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
QUARTERS = 4  # batches that prompts are drawn for at once


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


def draw_prompts(
    lengths: Sequence[int], seed: int, step: int, clips: int, longest: int
) -> list[int]:
    """Draw prompts of about one length, so that little of a batch is padding.

    Of four times as many drawn at random, put in the order of their lengths, one quarter is taken.
    A function of its arguments alone, as `cut_clips` is.

    Parameters
    ----------
    lengths
        Samples of each prompt.
    seed, step
        What decides the draw.
    clips
        How many are drawn; fewer where there are fewer.
    longest
        The most samples that one may have.

    Returns
    -------
    Their indices, from the shortest to the longest.
    """
    fitting = [index for index, length in enumerate(lengths) if length <= longest]
    if not fitting:
        raise RecipeError(f"no prompt is as short as {longest / RATE:g} s: raise seconds")
    rng = np.random.default_rng([seed, step])
    drawn = rng.choice(fitting, min(QUARTERS * clips, len(fitting)), replace=False)
    ordered = sorted(drawn.tolist(), key=lambda index: lengths[index])
    quarters = np.array_split(ordered, -(-len(ordered) // clips))
    return quarters[rng.integers(len(quarters))].tolist()


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

"""Batches and masks of a recipe, by step."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from recipes.mini_ssl.config import Recipe
from recipes.mini_ssl.data import (
    RATE,
    Prompts,
    cut_clips,
    draw_prompts,
    frames_of,
    normalise,
    span_mask,
)
from recipes.mini_ssl.spelling import encode


class Clips:
    """For pretraining: clips of one length cut from joined prompts, and masks."""

    def __init__(self, recipe: Recipe, prompts: Prompts, seed: int) -> None:
        self.recipe, self.voices, self.seed = recipe, prompts.by_language(), seed

    def waves(self, step: int) -> Tensor:
        """Clips of a step."""
        samples = round(self.recipe.seconds * RATE)
        return torch.from_numpy(cut_clips(self.voices, self.seed, step, self.recipe.clips, samples))

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """Clips and mask of a step."""
        waves = self.waves(step)
        return waves, mask_of(self.recipe, self.seed, step, waves)


class Readings:
    """For fine-tuning: whole prompts, each by itself, padded to one length, and their characters.

    Short ones are learned first: which character is where is hard to find in long clips.
    """

    def __init__(self, recipe: Recipe, prompts: Prompts, seed: int) -> None:
        self.recipe, self.seed = recipe, seed
        self.spoken, self.texts = prompts.transcribed(recipe.task["language"])
        self.lengths = [len(wave) for wave in self.spoken]

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """Clips, mask, samples in each clip, and characters of each, of a step."""
        recipe = self.recipe
        chosen = draw_prompts(
            self.lengths,
            self.seed,
            step,
            recipe.clips,
            round(recipe.seconds * RATE),
        )
        padded, lengths = pad([normalise(self.spoken[index] / 2**15) for index in chosen])
        mask = mask_of(recipe, self.seed, step, padded)
        return padded, mask, lengths, [torch.tensor(encode(self.texts[i])) for i in chosen]


def mask_of(recipe: Recipe, seed: int, step: int, waves: Tensor) -> Tensor:
    """Mask of a step's clips."""
    clips, samples = waves.shape
    mask = span_mask(seed, step, clips, frames_of(samples), recipe.mask_start, recipe.mask_length)
    return torch.from_numpy(mask)


def pad(waves: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Clips with silence after the shorter ones, and the samples of each before it."""
    lengths = torch.tensor([len(wave) for wave in waves])
    padded = torch.zeros(len(waves), int(lengths.max()))
    for row, wave in zip(padded, waves, strict=True):
        row[: len(wave)] = torch.from_numpy(wave)
    return padded, lengths

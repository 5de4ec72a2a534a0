"""Batches and masks of a recipe, by step."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from recipes.mini_ssl.config import Recipe
from recipes.mini_ssl.data import RATE, Prompts, cut_clips, frames_of, join_prompts, span_mask
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
        return waves, mask_of(self.recipe, self.seed, step, frames_of(waves.shape[-1]))


class Readings:
    """For fine-tuning: whole prompts joined, padded to one length, and their characters."""

    def __init__(self, recipe: Recipe, prompts: Prompts, seed: int) -> None:
        self.recipe, self.seed = recipe, seed
        self.spoken, self.texts = prompts.transcribed(recipe.task["language"])

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """Clips, mask, samples in each clip, and characters of each, of a step."""
        recipe = self.recipe
        waves, texts = join_prompts(
            self.spoken,
            self.texts,
            self.seed,
            step,
            recipe.clips,
            round(recipe.seconds * RATE),
        )
        padded, lengths = pad(waves)
        mask = mask_of(recipe, self.seed, step, frames_of(padded.shape[-1]))
        return padded, mask, lengths, [torch.tensor(encode(text)) for text in texts]


def mask_of(recipe: Recipe, seed: int, step: int, frames: int) -> Tensor:
    """Mask of a step."""
    mask = span_mask(seed, step, recipe.clips, frames, recipe.mask_start, recipe.mask_length)
    return torch.from_numpy(mask)


def pad(waves: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Clips with silence after the shorter ones, and the samples of each before it."""
    lengths = torch.tensor([len(wave) for wave in waves])
    padded = torch.zeros(len(waves), int(lengths.max()))
    for row, wave in zip(padded, waves, strict=True):
        row[: len(wave)] = torch.from_numpy(wave)
    return padded, lengths

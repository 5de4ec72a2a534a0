"""Targets of masked prediction: the nearest centre of each frame, in one space or another."""

from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank

from recipes.mini_ssl.data import HOP, RATE, WINDOW
from recipes.mini_ssl.encoders import load_encoder
from recipes.mini_ssl.front_end import FrontEnd

FFT = 512
FLOOR = 1e-2  # about 40 dB under speech at unit variance: what is quieter counts as silence


class Clusters(nn.Module):
    """Cluster index of each encoder frame.

    The centres are buffers, so a checkpoint carries its own targets.
    """

    def __init__(self, clusters: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("centres", torch.zeros(clusters, width))

    @abstractmethod
    def features(self, waves: Tensor) -> Tensor:
        """Return what is clustered, on the encoder's frame grid: clips × frames × width."""

    @torch.no_grad()
    def fit(self, clips: Iterable[Tensor], seed: int) -> None:
        """Place the centres by k-means on standardised frames."""
        frames = torch.cat([self.features(c).flatten(0, 1) for c in clips])
        self.mean.copy_(frames.mean(0))
        self.scale.copy_(frames.std(0))
        points = ((frames - self.mean) / self.scale).numpy()
        found = KMeans(len(self.centres), n_init=1, random_state=seed).fit(points)
        self.centres.copy_(torch.from_numpy(found.cluster_centers_.astype(np.float32)))

    @torch.no_grad()
    def forward(self, waves: Tensor) -> Tensor:
        """Cluster indices: clips × frames."""
        points = (self.features(waves) - self.mean) / self.scale
        # the squared norm of a point is the same for all centres
        return (self.centres.square().sum(-1) - 2 * points @ self.centres.T).argmin(-1)


class LogMelClusters(Clusters):
    """HuBERT's first targets: log-mel energies of the very samples that a frame sees."""

    def __init__(self, clusters: int, bands: int) -> None:
        super().__init__(clusters, bands)
        bank = mel_filter_bank(FFT // 2 + 1, bands, 60.0, 7600.0, RATE, mel_scale="htk")
        self.register_buffer("bank", torch.from_numpy(bank).float(), persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)

    def features(self, waves: Tensor) -> Tensor:
        """Log-mel energies."""
        frames = waves.unfold(-1, WINDOW, HOP) * self.window
        power = torch.fft.rfft(frames, FFT).abs().square()
        return (power @ self.bank + FLOOR).log()


class LayerClusters(Clusters):
    """HuBERT's second targets: the states of one layer of a trained encoder, its teacher."""

    def __init__(self, clusters: int, teacher: Path, layer: int) -> None:
        encoder = load_encoder(teacher)
        super().__init__(clusters, encoder.config.hidden_size)
        encoder.feature_extractor = FrontEnd(encoder.feature_extractor)
        encoder.encoder.layers = encoder.encoder.layers[:layer]
        self.teacher = [encoder.eval()]  # in a list: no part of what is trained and saved

    def features(self, waves: Tensor) -> Tensor:
        """States of the layer, of whole clips."""
        return self.teacher[0](waves).last_hidden_state

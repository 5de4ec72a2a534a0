"""Targets of masked prediction: the nearest centre of each log-mel frame."""

from collections.abc import Iterable

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank

from recipes.mini_ssl.data import HOP, RATE, WINDOW

FFT = 512
FLOOR = 1e-2  # about 40 dB under speech at unit variance: what is quieter counts as silence


class LogMelClusters(nn.Module):
    """Cluster index of each encoder frame, from the very samples that the frame sees.

    The centres are buffers, so a checkpoint carries its own targets.
    """

    def __init__(self, clusters: int, bands: int) -> None:
        super().__init__()
        bank = mel_filter_bank(FFT // 2 + 1, bands, 60.0, 7600.0, RATE, mel_scale="htk")
        self.register_buffer("bank", torch.from_numpy(bank).float(), persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("scale", torch.ones(bands))
        self.register_buffer("centres", torch.zeros(clusters, bands))

    def features(self, waves: Tensor) -> Tensor:
        """Log-mel energies on the encoder's frame grid: clips × frames × bands."""
        frames = waves.unfold(-1, WINDOW, HOP) * self.window
        power = torch.fft.rfft(frames, FFT).abs().square()
        return (power @ self.bank + FLOOR).log()

    @torch.no_grad()
    def fit(self, clips: Iterable[Tensor], seed: int) -> None:
        """Place the centres by k-means on standardised log-mel frames."""
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

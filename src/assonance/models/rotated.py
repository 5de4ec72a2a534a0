"""Rotated models: the same space in axes that mean nothing."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from assonance.models.speech_model import Attend, LayerOutputs, ModelCard, SpeechModel

PREFIX = "rotated:"


class RotatedModel:
    """A model whose layers are multiplied by random orthogonal matrices, one a layer.

    The frames X of a layer become X·Q, Q drawn uniformly (Haar) by the seed and the layer's label:
    not standardised and not centred. Distances, angles and the spectrum stay what they were, and
    so does every measure that is invariant to rotations; single neurons become mixtures of all.
    Attention maps stay as they are.

    Parameters
    ----------
    model
        What to rotate.
    seed
        Draws the matrices.
    """

    def __init__(self, model: SpeechModel, seed: int) -> None:
        self._model = model
        self._seed = seed
        self.name = f"{PREFIX}{model.name}@{seed}"
        self.layers = model.layers
        self.widths = model.widths
        self.heads = model.heads
        self.sampling_rate = model.sampling_rate
        self.meanings: Mapping[str, str] = {
            label: f"{text.rstrip('.')}, in random axes." for label, text in model.meanings.items()
        }
        self.info: ModelCard = replace(model.info, source=f"{PREFIX}{model.info.source}@{seed}")
        self._rotations = {label: self._rotation(label) for label in self.layers}

    @property
    def fingerprint(self) -> str:
        """Hash of the model's own fingerprint and the seed."""
        return hashlib.sha256(
            f"{PREFIX}{self._model.fingerprint}@{self._seed}".encode()
        ).hexdigest()

    def n_frames(self, n_samples: int) -> int:
        """Count the frames made of so many samples; 0 where they are too few."""
        return self._model.n_frames(n_samples)

    def frame_times(self, n_samples: int) -> NDArray[np.float64]:
        """Give the centre of each frame made of so many samples, in seconds."""
        return self._model.frame_times(n_samples)

    def run(self, samples: NDArray[np.float32], *, attend: Attend | None = None) -> LayerOutputs:
        """Run the model on one utterance and rotate its layers; see `SpeechModel.run`."""
        outputs = self._model.run(samples, attend=attend)
        return LayerOutputs(
            {
                label: (values @ self._rotations[label]).astype(np.float32)
                for label, values in outputs.activations.items()
            }
        )

    def twin(self, seed: int) -> None:
        """Give none: random weights have no axes to lose."""

    def _rotation(self, label: str) -> NDArray[np.float64]:
        """Draw an orthogonal matrix: Q of Gaussian noise, signs set by R (Mezzadri 2007)."""
        words = np.frombuffer(hashlib.sha256(label.encode()).digest(), np.uint32)
        rng = np.random.default_rng([self._seed, *words.tolist()])
        q, r = np.linalg.qr(rng.standard_normal((self.widths[label],) * 2))
        rotation: NDArray[np.float64] = q * np.sign(np.diag(r))
        return rotation

"""Rotated models: the same representation space in random axes, as a control for neurons."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from assonance.models.speech_model import Attend, LayerOutputs, ModelCard, SpeechModel

PREFIX = "rotated:"


class RotatedModel:
    """A model whose layers are each multiplied by a random orthogonal matrix.

    The frames X of a layer become XQ, without centring or standardisation. Q is drawn uniformly
    (Haar) from the seed and the layer's label. Distances, angles and the spectrum do not change,
    nor does any measure that is invariant to rotation; each neuron becomes a mixture of all.
    Attention maps do not change.

    Parameters
    ----------
    model
        Model to rotate.
    seed
        Random seed of the matrices.
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
        """Hash of the original model's fingerprint and the seed."""
        return hashlib.sha256(
            f"{PREFIX}{self._model.fingerprint}@{self._seed}".encode()
        ).hexdigest()

    def n_frames(self, n_samples: int) -> int:
        """Return the number of frames for `n_samples` samples; 0 if they are too few."""
        return self._model.n_frames(n_samples)

    def frame_times(self, n_samples: int) -> NDArray[np.float64]:
        """Return the centre of each frame for `n_samples` samples, in seconds."""
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
        """Return None: rotating random weights gives random weights."""

    def _rotation(self, label: str) -> NDArray[np.float64]:
        """Draw a Haar orthogonal matrix: Q of a Gaussian matrix, signs set by R (Mezzadri 2007)."""
        words = np.frombuffer(hashlib.sha256(label.encode()).digest(), np.uint32)
        rng = np.random.default_rng([self._seed, *words.tolist()])
        q, r = np.linalg.qr(rng.standard_normal((self.widths[label],) * 2))
        rotation: NDArray[np.float64] = q * np.sign(np.diag(r))
        return rotation

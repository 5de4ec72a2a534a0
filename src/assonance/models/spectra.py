"""Acoustic baselines without training: log-mel spectrum and MFCC."""

import hashlib
from collections.abc import Callable

import numpy as np
import scipy.signal
from numpy.typing import NDArray
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from assonance.errors import UnusableAudio
from assonance.models.frame_grid import FrameGrid
from assonance.models.speech_model import Attend, LayerOutputs, ModelCard

_RATE, _WINDOW, _HOP, _FFT = 16000, 400, 320, 512
_BANDS, _CEPSTRA = 80, 13
_FLOOR = 1e-10  # of power, so that digital silence has a finite logarithm


class Spectrum:
    """A spectral front end as a `SpeechModel` with one layer.

    Windows of 25 ms every 20 ms, without padding: each frame depends on the same samples as in
    wav2vec 2.0 and its relatives.

    Parameters
    ----------
    name
        Name of the model and of its layer.
    meaning
        Description of the layer.
    width
        Number of neurons.
    compute
        Computes frames, shape (T, width), from log-mel energies, shape (T, 80).
    """

    def __init__(
        self,
        name: str,
        meaning: str,
        width: int,
        compute: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    ) -> None:
        self.name = name
        self.layers = (name,)
        self.meanings = {name: meaning}
        self.widths = {name: width}
        self.heads: dict[str, int] = {}
        self.sampling_rate = _RATE
        self.info = ModelCard(
            family=name,
            objective="none",
            size=f"{width} numbers a frame",
            n_parameters=0,
            fine_tuned=False,
            source=name,
        )
        self._compute = compute
        self._grid = FrameGrid(_HOP, _WINDOW, (_WINDOW - 1) / 2)
        self._filters = mel_filter_bank(
            _FFT // 2 + 1, _BANDS, 0, _RATE / 2, _RATE, norm=None, mel_scale="htk"
        )
        self._window = window_function(_WINDOW, "hann")

    def __repr__(self) -> str:
        return f"<{self.name}: {self.info.size}>"

    @property
    def fingerprint(self) -> str:
        """Hash of the settings."""
        settings = self.name, self.meanings, _RATE, _WINDOW, _HOP, _FFT, _FLOOR
        return hashlib.sha256(repr(settings).encode()).hexdigest()

    def n_frames(self, n_samples: int) -> int:
        """Return the number of frames for `n_samples` samples; 0 if they are too few."""
        return self._grid.count(n_samples)

    def frame_times(self, n_samples: int) -> NDArray[np.float64]:
        """Return the centre of each frame for `n_samples` samples, in seconds."""
        return self._grid.times(n_samples, _RATE)

    def run(self, samples: NDArray[np.float32], *, attend: Attend | None = None) -> LayerOutputs:
        """Compute the frames of one utterance; see `SpeechModel.run`."""
        if not self.n_frames(len(samples)):
            raise UnusableAudio(
                f"too short: {len(samples)} samples at {_RATE} Hz; {self.name} needs {_WINDOW} "
                "for a frame"
            )
        energies = spectrogram(
            samples.astype(np.float64),
            self._window,
            frame_length=_WINDOW,
            hop_length=_HOP,
            fft_length=_FFT,
            power=2.0,
            center=False,
            mel_filters=self._filters,
            mel_floor=_FLOOR,
            log_mel="log",
            dtype=np.dtype(np.float64),
        ).T
        frames = self._compute(energies).astype(np.float32)
        if not np.isfinite(frames).all():
            raise UnusableAudio(f"{self.name} gives NaN or infinite values")
        return LayerOutputs({self.name: frames})

    def twin(self, seed: int) -> None:
        """Return None: there are no weights."""


def mel() -> Spectrum:
    """Return the log-mel spectrum as a model: the acoustic baseline.

    Returns
    -------
    Spectrum
        80 bands from 0 to 8000 Hz on the HTK scale; natural logarithm of power.
    """
    meaning = f"Logarithms of the power in {_BANDS} mel bands, 25 ms windows every 20 ms."
    return Spectrum("mel", meaning, _BANDS, lambda energies: energies)


def mfcc() -> Spectrum:
    """Return mel-frequency cepstral coefficients as a model.

    Returns
    -------
    Spectrum
        The first 13 coefficients (orthonormal DCT-II of `mel`), their slopes over five frames, and
        the slopes of the slopes: 39 neurons.
    """
    meaning = (
        f"{_CEPSTRA} mel-frequency cepstral coefficients, 25 ms windows every 20 ms, their slopes "
        "over five frames, and the slopes of these."
    )

    def compute(energies: NDArray[np.float64]) -> NDArray[np.float64]:
        cepstra = scipy.fft.dct(energies, norm="ortho", axis=1)[:, :_CEPSTRA]
        slopes = _slopes(cepstra)
        return np.hstack([cepstra, slopes, _slopes(slopes)])

    return Spectrum("mfcc", meaning, 3 * _CEPSTRA, compute)


def _slopes(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the slope over five frames around each; the edge frames are repeated."""
    padded = np.pad(frames, ((2, 2), (0, 0)), mode="edge")
    slopes: NDArray[np.float64] = scipy.signal.savgol_filter(padded, 5, 1, deriv=1, axis=0)
    return slopes[2:-2]


BASELINES: dict[str, Callable[[], Spectrum]] = {"mel": mel, "mfcc": mfcc}

"""What tests feed to small models: something like speech, through the usual front end."""

import numpy as np

# The convolutions of wav2vec2 and HuBERT.
KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)


def voice(seconds: float, seed: int, rate: int = 16000) -> np.ndarray:
    """Something like speech: noise that swells four times a second."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return (0.1 * noise * (1 + np.sin(2 * np.pi * 4 * time))).astype(np.float32)

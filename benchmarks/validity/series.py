"""Series with a known truth: layers of frames that depend on their neighbours."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Layers = Mapping[str, Array]


def lengths(rng: np.random.Generator, utterances: int, mean: int = 100) -> NDArray[np.int64]:
    """Draw unequal lengths of utterances, from half the mean to half as much again."""
    return rng.integers(mean // 2, mean * 3 // 2 + 1, utterances)


def groups(frames: NDArray[np.int64]) -> list[int]:
    """Tell the utterance of each frame by number."""
    numbers: list[int] = np.repeat(np.arange(len(frames)), frames).tolist()
    return numbers


def ar1(
    rng: np.random.Generator,
    frames: NDArray[np.int64],
    width: int,
    rho: float,
    *,
    heavy: bool = False,
) -> Array:
    """Draw first-order autoregressive series of variance 1, each utterance anew.

    With `heavy`, innovations are Student's t with four degrees of freedom.

    Returns
    -------
    ndarray
        Shape (Σ frames, width).
    """
    size = (int(frames.sum()), width)
    noise = rng.standard_t(4, size) / np.sqrt(2) if heavy else rng.normal(size=size)
    series = np.empty_like(noise)
    starts = np.cumsum([0, *frames[:-1]])
    fresh = np.sqrt(1 - rho**2)
    series[starts] = noise[starts]
    for step in range(1, int(frames.max())):
        at = starts[frames > step] + step
        series[at] = rho * series[at - 1] + fresh * noise[at]
    return series


def sharing(
    rng: np.random.Generator, frames: NDArray[np.int64], width: int, shared: int, rho: float
) -> tuple[Array, Array]:
    """Draw two layers whose first `shared` neurons are the same and whose others are private.

    Every neuron is a series of variance 1, independent of all other neurons: all truths are plain.
    """
    common = ar1(rng, frames, shared, rho)
    private = [ar1(rng, frames, width - shared, rho) for _ in range(2)]
    return np.hstack([common, private[0]]), np.hstack([common, private[1]])


def rotation(rng: np.random.Generator, width: int) -> Array:
    """Draw an orthogonal matrix uniformly (Mezzadri 2007)."""
    q, r = np.linalg.qr(rng.normal(size=(width, width)))
    turned: Array = q * np.sign(r.diagonal())
    return turned

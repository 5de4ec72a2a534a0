"""Check that speech models conform to the protocol, by running them."""

import numpy as np
from numpy.typing import NDArray

from assonance.models import LayerOutputs, SpeechModel, runs_batches

SECONDS = 0.9
_TOLERANCE = 2e-5  # difference allowed in batches, relative to a layer's standard deviation


def check_model(model: SpeechModel) -> None:
    """Run all checks of a model: layers, frames, repeatability, attention and batches.

    Parameters
    ----------
    model
        Model to check. It runs some twenty times on about a second of noise.

    Raises
    ------
    AssertionError
        A check fails.

    Examples
    --------
    >>> import assonance
    >>> from assonance.testing import check_model
    >>> check_model(assonance.load_model("mel"))
    """
    for check in (check_layers, check_frames, check_repeatable, check_attention, check_batches):
        check(model)


def check_layers(model: SpeechModel) -> None:
    """Check that a run returns the declared layers, in float32, finite and not constant.

    Parameters
    ----------
    model
        Model to check.

    Raises
    ------
    AssertionError
        Labels, meanings and widths do not match, or a run returns other layers.

    Examples
    --------
    >>> import assonance
    >>> from assonance.testing import check_layers
    >>> check_layers(assonance.load_model("mel"))
    """
    layers = model.layers
    require(
        len(set(layers)) == len(layers) > 0, f"{model.name}: layer labels are not unique: {layers}"
    )
    require(tuple(model.widths) == layers, f"{model.name}: widths and layers have different labels")
    require(
        set(model.meanings) == set(layers),
        f"{model.name}: meanings and layers have different labels",
    )
    for label, text in model.meanings.items():
        require(bool(text.strip()), f"{model.name}: {label} has no meaning")
    require(set(model.heads) <= set(layers), f"{model.name}: heads has labels that are not layers")
    samples = voice(model, SECONDS)
    activations = model.run(samples).activations
    require(
        tuple(activations) == layers,
        f"{model.name}: returns layers {tuple(activations)}, but declares {layers}",
    )
    for label, values in activations.items():
        shape = model.n_frames(len(samples)), model.widths[label]
        require(
            values.shape == shape,
            f"{model.name}: {label} has shape {values.shape}, but {shape} is declared",
        )
        require(values.dtype == np.float32, f"{model.name}: {label} is {values.dtype}, not float32")
        require(bool(np.isfinite(values).all()), f"{model.name}: {label} is not finite")
        require(float(values.std(0).max()) > 0, f"{model.name}: {label} is the same in every frame")


def check_frames(model: SpeechModel) -> None:
    """Check the number of frames and their times.

    Clicks are added to noise, one at a time. The frames of the first layer that change are compared
    with `frame_times`: on average they must be within half a hop of the click.

    Parameters
    ----------
    model
        Model to check.

    Raises
    ------
    AssertionError
        The number of frames or their times are wrong.

    Examples
    --------
    >>> import assonance
    >>> from assonance.testing import check_frames
    >>> check_frames(assonance.load_model("mel"))
    """
    rate = model.sampling_rate
    samples = voice(model, SECONDS)
    times = model.frame_times(len(samples))
    require(
        len(times) > 5, f"{model.name}: gives {len(times)} frames for {SECONDS} s, not at least 6"
    )
    steps = np.diff(times)
    hop = float(steps.mean())
    require(
        bool((steps > 0).all()) and bool(np.allclose(steps, hop)),
        f"{model.name}: frame times are not equally spaced",
    )
    step = round(hop * rate)
    for count in range(len(samples) // 2, len(samples) // 2 + step + 1, max(1, step // 5)):
        frames = len(model.run(samples[:count]).activations[model.layers[0]])
        declared = model.n_frames(count), len(model.frame_times(count))
        require(
            declared == (frames, frames),
            f"{model.name}: gives {frames} frames for {count} samples, but declares {declared}",
        )
    layer = model.layers[0]
    before = model.run(samples).activations[layer].astype(np.float64)
    errors = []
    for place in np.linspace(0.25, 0.75, 24):
        at = int(place * len(samples))
        clicked = samples.copy()
        clicked[at] += 0.5 * np.abs(samples).max()
        after = model.run(clicked).activations[layer].astype(np.float64)
        # Normalisation over the whole clip changes all frames a little; only large changes count.
        change = ((after - before) ** 2).sum(1) ** 2
        require(change.sum() > 0, f"{model.name}: {layer} ignores a click at sample {at}")
        errors.append(float(change @ times / change.sum()) - at / rate)
    error = float(np.mean(errors))
    require(
        abs(error) <= 0.5 * hop,
        f"{model.name}: frames that change at a click are {error * 1000:+.1f} ms from their "
        f"frame_times; frames are {hop * 1000:.1f} ms apart",
    )


def check_repeatable(model: SpeechModel) -> None:
    """Check that a run depends only on its samples, to the bit: no dropout and no state.

    Parameters
    ----------
    model
        Model to check.

    Raises
    ------
    AssertionError
        Two runs differ, or the samples are changed in place.

    Examples
    --------
    >>> import assonance
    >>> from assonance.testing import check_repeatable
    >>> check_repeatable(assonance.load_model("mel"))
    """
    samples, other = voice(model, SECONDS), voice(model, 0.7 * SECONDS, seed=1)
    given = samples.copy()
    first = model.run(samples).activations
    kept = {label: values.copy() for label, values in first.items()}
    model.run(other)
    again = model.run(samples).activations
    for label in model.layers:
        require(
            np.array_equal(again[label], kept[label]), f"{model.name}: two runs differ at {label}"
        )
        require(
            np.array_equal(first[label], kept[label]),
            f"{model.name}: a later run changes {label} of an earlier result",
        )
    require(np.array_equal(samples, given), f"{model.name}: changes the samples in place")
    require(model.fingerprint == model.fingerprint, f"{model.name}: the fingerprint changes")


def check_attention(model: SpeechModel) -> None:
    """Check attention maps: one for each head, rows that sum to 1, no two heads equal.

    Parameters
    ----------
    model
        Model to check; one without attention passes.

    Raises
    ------
    AssertionError
        A map is missing or invalid.

    Examples
    --------
    >>> import assonance
    >>> from assonance.testing import check_attention
    >>> check_attention(assonance.load_model("hubert-mini"))
    """
    samples = voice(model, SECONDS)
    maps: dict[str, NDArray[np.float32]] = {}
    activations = model.run(samples, attend=maps.__setitem__).activations
    plain = model.run(samples).activations
    require(
        tuple(maps) == tuple(model.heads),
        f"{model.name}: returns attention of {tuple(maps)}, but declares {tuple(model.heads)}",
    )
    for label in model.layers:
        require(
            np.array_equal(activations[label], plain[label]),
            f"{model.name}: {label} differs when attention maps are recorded",
        )
    frames = model.n_frames(len(samples))
    for label, heads in maps.items():
        shape = model.heads[label], frames, frames
        require(
            heads.shape == shape and heads.dtype == np.float32,
            f"{model.name}: attention at {label} is {heads.dtype} of shape {heads.shape}, but "
            f"float32 of {shape} is declared",
        )
        require(
            float(heads.min()) >= 0 and bool(np.allclose(heads.sum(-1), 1, atol=1e-5)),
            f"{model.name}: rows of the attention at {label} do not sum to 1",
        )
        flat = heads.reshape(len(heads), -1)
        for one in range(len(flat)):
            for two in range(one):
                require(
                    float(np.abs(flat[one] - flat[two]).max()) > 1e-6,
                    f"{model.name}: heads {two} and {one} at {label} are equal",
                )


def check_batches(model: SpeechModel) -> None:
    """Check that utterances in a batch give the same activations as alone.

    Parameters
    ----------
    model
        Model to check; one that does not run batches passes.

    Raises
    ------
    AssertionError
        A layer differs by more than 2e-5 of its standard deviation, or has other frames.

    Examples
    --------
    >>> import assonance
    >>> from assonance.testing import check_batches
    >>> check_batches(assonance.load_model("hubert-mini"))
    """
    if not runs_batches(model) or not model.in_batches:
        return
    batch = [voice(model, SECONDS * part, seed=k) for k, part in enumerate((1, 0.45, 0.8, 0.46))]
    together = model.run_batch(batch)
    require(
        len(together) == len(batch), f"{model.name}: a batch of 4 returns {len(together)} results"
    )
    for samples, outputs in zip(batch, together, strict=True):
        alone = model.run(samples)
        for label in model.layers:
            error = _relative(outputs, alone, label)
            require(
                error <= _TOLERANCE,
                f"{model.name}: {label} of an utterance in a batch differs from the same alone by "
                f"{error:.1e} of its standard deviation",
            )


def _relative(outputs: LayerOutputs, alone: LayerOutputs, label: str) -> float:
    result, expected = outputs.activations[label], alone.activations[label]
    if result.shape != expected.shape:
        return float("inf")
    return float(np.abs(result - expected).max() / expected.std())


def voice(model: SpeechModel, seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """Return a signal like speech: noise with four bursts a second."""
    count = round(seconds * model.sampling_rate)
    swell = 1 + np.sin(8 * np.pi * np.arange(count) / model.sampling_rate)
    noise = np.random.default_rng(seed).standard_normal(count)
    return np.asarray(0.1 * noise * swell, np.float32)


def require(condition: bool, message: str) -> None:
    """Raise an `AssertionError` with the message unless the condition holds."""
    if not condition:
        raise AssertionError(message)

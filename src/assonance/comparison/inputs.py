"""Fingerprint of what the scores of a comparison are computed from."""

from collections.abc import Mapping
from importlib.metadata import version

from assonance.__about__ import __version__
from assonance.activations.extraction import Extraction
from assonance.activations.shared_rows import SharedRows
from assonance.utils.pieces import fingerprint

# Libraries whose arithmetic the scores depend on.
_ARITHMETIC = ("numba", "numpy", "scipy", "torch")


def fingerprint_of(extractions: Mapping[str, Extraction], shared: SharedRows, device: str) -> str:
    """Return a hash of the models, the speech, the rows, the device and the versions.

    Parameters
    ----------
    extractions
        Activations by model.
    shared
        The utterances and rows that all models have.
    device
        Torch device of the statistics.
    """
    ids = [each.id for each in shared.speech]
    rows = {
        model: [None if each is None else [each.frames, each.starts] for each in of_model]
        for model, of_model in (shared.rows or {}).items()
    }
    return fingerprint(
        __version__,
        [version(each) for each in _ARITHMETIC],
        device,
        {name: each.store.made_with for name, each in extractions.items()},
        [[each.store.audio(id) for id in ids] for each in extractions.values()],
        ids,
        rows,
    )

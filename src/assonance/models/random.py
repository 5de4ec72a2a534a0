"""Random twins: a checkpoint's architecture and preprocessing, with weights it never learned."""

from collections.abc import Iterable

from assonance.models.checkpoint import find_checkpoint
from assonance.models.huggingface import HuggingFaceModel, random_twin
from assonance.models.seeded import parted

PREFIX = "random:"


def load(
    spec: str, *, offline: bool, device: str, record: str | Iterable[str], precision: str
) -> HuggingFaceModel:
    """Make the twin that ``random:<checkpoint>@<seed>`` names; see `assonance.models.load_model`.

    The checkpoint's own weights are not opened, and need not be there.
    """
    original, seed = parted(spec, PREFIX, "random model", "directory or hub id")
    checkpoint = find_checkpoint(original, offline=offline)
    return random_twin(checkpoint, seed, device=device, record=record, precision=precision)

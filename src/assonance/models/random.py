"""Random twins: a checkpoint's architecture and preprocessing, with weights it never learned."""

from dataclasses import replace

import torch
import transformers

from assonance.errors import AssonanceError
from assonance.models.checkpoint import Checkpoint, explained, find_checkpoint, quiet
from assonance.models.huggingface import HuggingFaceModel, card
from assonance.outside import one_line

PREFIX = "random:"


def load(spec: str, *, offline: bool, device: str, head_outputs: bool = False) -> HuggingFaceModel:
    """Make the twin that ``random:<checkpoint>@<seed>`` names; see `assonance.models.load_model`.

    The checkpoint's own weights are not opened, and need not be there.
    """
    original, _, seed = spec.removeprefix(PREFIX).rpartition("@")
    if not original or not (seed.isascii() and seed.isdigit()) or int(seed) >= 2**63:
        raise AssonanceError(
            f"{one_line(spec)}: write a random model as random:<directory or hub id>@<seed>, "
            "the seed a whole number"
        )
    checkpoint = replace(find_checkpoint(original, offline=offline), source=spec)
    encoder = _fresh_encoder(checkpoint, int(seed))
    return HuggingFaceModel(
        encoder,
        checkpoint,
        name=f"{PREFIX}{checkpoint.name}@{int(seed)}",
        info=card(checkpoint, encoder, objective="none", fine_tuned=False),
        device=device,
        head_outputs=head_outputs,
    )


def _fresh_encoder(checkpoint: Checkpoint, seed: int) -> torch.nn.Module:
    """Draw weights as transformers initialises them; the global random state stays as it was."""
    with quiet(), explained(checkpoint.folder, "config.json"), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        encoder: torch.nn.Module = transformers.AutoModel.from_config(  # type: ignore[no-untyped-call]
            checkpoint.config, attn_implementation="eager", dtype=torch.float32
        )
    return encoder.eval()

"""Check that speech models conform to the protocol, by running them.

`check_model` takes any model with the members of `SpeechModel`: one from a checkpoint, a
`TorchModel`, or one of your own. `check_checkpoint` takes a folder, and checks how it is loaded and
what is refused. Both raise `AssertionError` with one line that describes the failure.
"""

from assonance.testing.checkpoints import check_checkpoint
from assonance.testing.models import (
    check_attention,
    check_batches,
    check_frames,
    check_layers,
    check_model,
    check_repeatable,
)

__all__ = [
    "check_attention",
    "check_batches",
    "check_checkpoint",
    "check_frames",
    "check_layers",
    "check_model",
    "check_repeatable",
]

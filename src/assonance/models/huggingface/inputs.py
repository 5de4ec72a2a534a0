"""How utterances become an encoder's input, one by one or several at a time."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from assonance.models.huggingface.checkpoint import Checkpoint
from assonance.models.huggingface.recording import Recorder

# Of a feature extractor, what says where it came from, or is of batches that it makes itself.
_BOOKKEEPING = {
    *("feature_extractor_type", "processor_class", "return_attention_mask"),
    *("padding_side", "padding_value", "_processor_class"),
}


_WAVEFORM = ("sampling_rate", "do_normalize")


class Inputs:
    """Feeds an encoder.

    Nothing is ever normalised over padding: each utterance is made ready alone. A batch is padded
    where a mask makes up for it exactly: behind the convolutions, whose group norm would see the
    padding, and before the blocks; or, where there are no convolutions, as features.

    Parameters
    ----------
    checkpoint
        Says how.
    encoder
        To feed.
    device
        Where it is.
    """

    def __init__(
        self, checkpoint: Checkpoint, encoder: torch.nn.Module, device: torch.device
    ) -> None:
        self.extractor = checkpoint.extractor
        self.encoder = encoder
        self.device = device
        self.batching = checkpoint.family.batching(encoder.config)
        fixed = checkpoint.family.batching(encoder.config) == "fixed"
        self.longest = self.extractor.n_samples if fixed else math.inf

    def settings(self) -> dict[str, Any]:
        """Say what of the preprocessing decides the activations."""
        given = self.extractor.to_dict()
        if "Wav2Vec2" in type(self.extractor).__name__:
            return {name: given[name] for name in _WAVEFORM}
        return {name: value for name, value in given.items() if name not in _BOOKKEEPING}

    def feed(self, batch: Sequence[NDArray[np.float32]], recorder: Recorder) -> None:
        """Run the encoder on utterances; what comes of it goes through the recorder's hooks."""
        ready = [self._ready(samples) for samples in batch]
        if len(batch) == 1:
            self.encoder(**ready[0], output_attentions=False, output_hidden_states=False)
        elif self.batching == "transformer":
            self._behind_the_front_end([each["input_values"] for each in ready], recorder)
        else:
            self.encoder(**_padded(ready), output_attentions=False, output_hidden_states=False)

    def _ready(self, samples: NDArray[np.float32]) -> dict[str, Tensor]:
        """Make one utterance ready: what the encoder takes, by name, a batch of one."""
        made = self.extractor(samples, sampling_rate=self.sampling_rate, return_tensors="pt")
        names = ["input_values" if "input_values" in made else "input_features"]
        if self.batching == "features":
            names.append("attention_mask")
        return {name: made[name].to(self.device) for name in names}

    @property
    def sampling_rate(self) -> int:
        """Samples a second."""
        return int(self.extractor.sampling_rate)

    def _behind_the_front_end(self, values: Sequence[Tensor], recorder: Recorder) -> None:
        """Convolve one by one, then run the blocks on what is padded and masked."""
        encoder: Any = self.encoder
        features = []
        for place, each in enumerate(values):
            with recorder.one_of(place):
                projected = encoder.feature_projection(encoder.feature_extractor(each).mT)
            features.append((projected[0] if isinstance(projected, tuple) else projected)[0])
        encoder.encoder(
            pad_sequence(features, batch_first=True),
            attention_mask=_mask([len(each) for each in features], self.device),
        )


def _padded(ready: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Put utterances into one batch, zeros after the shorter ones."""
    return {
        name: pad_sequence([each[name][0] for each in ready], batch_first=True) for name in ready[0]
    }


def _mask(lengths: Sequence[int], device: torch.device) -> Tensor:
    """Say which frames are real; shape (B, T)."""
    places = torch.arange(max(lengths), device=device)
    return places < torch.tensor(lengths, device=device)[:, None]

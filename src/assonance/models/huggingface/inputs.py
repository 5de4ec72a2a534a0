"""Feed utterances to an encoder, singly or in batches."""

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

# Settings of a feature extractor that do not affect activations: its origin, its own batching.
_BOOKKEEPING = {
    *("feature_extractor_type", "processor_class", "return_attention_mask"),
    *("padding_side", "padding_value", "_processor_class"),
}

_WAVEFORM = ("sampling_rate", "do_normalize")


class Inputs:
    """Preprocessing and batching of an encoder's input.

    Each utterance is preprocessed alone, so padding never enters a normalisation. A batch is padded
    only where masking is exact: after the convolutions, whose group norm would include the padding,
    or, for encoders without convolutions, as features.

    Parameters
    ----------
    checkpoint
        Defines preprocessing and batching.
    encoder
        Encoder to feed.
    device
        Device of the encoder.
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
        """Return the settings of the preprocessing that affect activations."""
        settings = self.extractor.to_dict()
        if "Wav2Vec2" in type(self.extractor).__name__:
            return {name: settings[name] for name in _WAVEFORM}
        return {name: value for name, value in settings.items() if name not in _BOOKKEEPING}

    def feed(self, batch: Sequence[NDArray[np.float32]], recorder: Recorder) -> None:
        """Run the encoder on utterances. The recorder's hooks receive the activations."""
        ready = [self._preprocess(samples) for samples in batch]
        if len(batch) == 1:
            self.encoder(**ready[0], output_attentions=False, output_hidden_states=False)
        elif self.batching == "transformer":
            self._run_blocks([each["input_values"] for each in ready], recorder)
        else:
            self.encoder(**_padded(ready), output_attentions=False, output_hidden_states=False)

    def _preprocess(self, samples: NDArray[np.float32]) -> dict[str, Tensor]:
        """Preprocess one utterance: the encoder's arguments by name, as a batch of one."""
        features = self.extractor(samples, sampling_rate=self.sampling_rate, return_tensors="pt")
        names = ["input_values" if "input_values" in features else "input_features"]
        if self.batching == "features":
            names.append("attention_mask")
        return {name: features[name].to(self.device) for name in names}

    @property
    def sampling_rate(self) -> int:
        """Sampling rate of the encoder, in Hz."""
        return int(self.extractor.sampling_rate)

    def _run_blocks(self, values: Sequence[Tensor], recorder: Recorder) -> None:
        """Run the front end on each utterance alone, then the blocks on a masked batch."""
        encoder: Any = self.encoder
        features = []
        for place, each in enumerate(values):
            with recorder.only(place):
                projected = encoder.feature_projection(encoder.feature_extractor(each).mT)
            features.append((projected[0] if isinstance(projected, tuple) else projected)[0])
        encoder.encoder(
            pad_sequence(features, batch_first=True),
            attention_mask=_mask([len(each) for each in features], self.device),
        )


def _padded(ready: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Stack utterances in one batch, padded with zeros at the end."""
    return {
        name: pad_sequence([each[name][0] for each in ready], batch_first=True) for name in ready[0]
    }


def _mask(lengths: Sequence[int], device: torch.device) -> Tensor:
    """Return a mask of the frames that are not padding; shape (B, T)."""
    places = torch.arange(max(lengths), device=device)
    return places < torch.tensor(lengths, device=device)[:, None]

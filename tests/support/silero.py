"""Silero's voice activity detector, from the weights in its wheel: nothing like a transformer.

Chunks of 32 ms, each with 4 ms of what came before, go through convolutions that know no other
chunk; an LSTM goes from chunk to chunk.
"""

from importlib.metadata import files

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from assonance import TorchModel

CHUNK, CONTEXT, REFLECTED = 512, 64, 64


class SileroVAD(nn.Module):
    """The network for 16 kHz; under the names of its weights."""

    def __init__(self):
        super().__init__()
        self.stft_conv = nn.Conv1d(1, 258, 256, 128, bias=False)
        self.conv1 = nn.Conv1d(129, 128, 3, 1, 1)
        self.conv2 = nn.Conv1d(128, 64, 3, 2, 1)
        self.conv3 = nn.Conv1d(64, 64, 3, 2, 1)
        self.conv4 = nn.Conv1d(64, 128, 3, 1, 1)
        self.lstm_cell = nn.LSTMCell(128, 128)
        self.final_conv = nn.Conv1d(128, 1, 1)

    def forward(self, samples: Tensor) -> Tensor:
        """Give the probability of a voice in each whole chunk; shape (chunks,)."""
        chunks = nn.functional.pad(samples, (CONTEXT, 0)).unfold(0, CONTEXT + CHUNK, CHUNK)
        spectrum = self.stft_conv(nn.functional.pad(chunks[:, None], (0, REFLECTED), "reflect"))
        features = (spectrum[:, :129] ** 2 + spectrum[:, 129:] ** 2).sqrt()
        for convolution in (self.conv1, self.conv2, self.conv3, self.conv4):
            features = convolution(features).relu()
        state, voices = None, []
        for chunk in features[:, :, 0]:
            state = self.lstm_cell(chunk[None], state)
            voices.append(self.final_conv(state[0].relu()[:, :, None]).sigmoid())
        return torch.cat(voices).flatten()


def network() -> SileroVAD:
    """Load the weights that the wheel brings, without importing it."""
    (weights,) = [
        each.locate()
        for each in files("silero-vad") or ()
        if each.name == "silero_vad_16k.safetensors"
    ]
    loaded = SileroVAD()
    loaded.load_state_dict(load_file(weights))
    return loaded.eval()


def model() -> TorchModel:
    """Give its last convolution and its memory as layers."""
    return TorchModel(
        network(),
        {"conv4": "conv4", "lstm": "lstm_cell"},
        hop=CHUNK,
        receptive=CONTEXT + CHUNK,
        padding=(CONTEXT, 0),
        preprocess=torch.from_numpy,
        arrange=lambda output: output.flatten(1),
        name="silero-vad",
    )

"""Attention maps of several models, computed as the pass over attention reads them."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assonance.corpus import Utterance
from assonance.models import SpeechModel
from assonance.statistics import on_grid


class AttentionMaps:
    """Attention maps of the same utterances by the heads of several models.

    Maps are too large to keep, so each read runs every model over the utterance. The maps of
    models with finer frames are brought onto the frames of the coarsest model. A long utterance is
    cut into the fewest pieces of equal length that are no longer than `longest`.

    Parameters
    ----------
    models
        Models by name, in order; those without heads are skipped.
    utterances
        Utterances that every model can use.
    longest
        Length in seconds above which an utterance is cut; None to cut none.
    layer_name
        From the name of a model and the label of its layer to the layer's name.

    Attributes
    ----------
    heads : dict
        Layer name to its number of heads, in order.
    names, durations : list
        Id and seconds of each utterance.
    frames : list of int
        Upper bound of the frames of each utterance's pieces.
    """

    def __init__(
        self,
        models: Mapping[str, SpeechModel],
        utterances: Sequence[Utterance],
        *,
        longest: float | None,
        layer_name: Callable[[str, str], str],
    ) -> None:
        self._models = {name: model for name, model in models.items() if model.heads}
        self._utterances = utterances
        self._longest = longest
        self._layer_name = layer_name
        self.heads = {
            layer_name(name, label): count
            for name, model in self._models.items()
            for label, count in model.heads.items()
        }
        self.names = [each.id for each in utterances]
        self.durations = [each.duration for each in utterances]
        self.frames = [self._most_frames(duration) for duration in self.durations]
        # What was read, for the caveats. Adding to a set is safe from several threads.
        self._cut: set[int] = set()
        self._coarsened: set[str] = set()

    def read(self, utterance: int) -> Iterator[Sequence[Tensor]]:
        """Yield the maps of each layer of all models, piece by piece; (H, T, T), float32."""
        speech = self._utterances[utterance]
        count = _pieces(speech.duration, self._longest)
        if count > 1:
            self._cut.add(utterance)
        rates = {model.sampling_rate for model in self._models.values()}
        audio = {rate: np.array_split(speech.read(rate), count) for rate in rates}
        for piece in range(count):
            yield self._maps({rate: pieces[piece] for rate, pieces in audio.items()})

    def caveats(self) -> list[str]:
        """Return caveats about the maps read so far: utterances cut, and frames made coarser."""
        caveats = []
        if self._cut:
            caveats.append(
                f"{len(self._cut)} of {len(self.names)} utterances, the first "
                f"{self.names[min(self._cut)]!r}, are longer than {self._longest:g} s and are "
                "cut into equal pieces for the attention measures"
            )
        if self._coarsened:
            finer = ", ".join(name for name in self._models if name in self._coarsened)
            caveats.append(
                f"the attention of {finer} is compared on the coarser frames of the other models: "
                "its queries are averaged and its keys summed"
            )
        return caveats

    def _most_frames(self, duration: float) -> int:
        """Return an upper bound of the frames of an utterance's pieces, over all models."""
        seconds = duration / _pieces(duration, self._longest)
        return max(
            (
                model.n_frames(math.ceil(seconds * model.sampling_rate) + 1)
                for model in self._models.values()
            ),
            default=0,
        )

    def _maps(self, audio: Mapping[int, NDArray[np.float32]]) -> Sequence[Tensor]:
        """Run all models over a piece, given by sampling rate; return the maps of each layer."""
        frames = {
            name: model.n_frames(len(audio[model.sampling_rate]))
            for name, model in self._models.items()
        }
        coarsest = min(frames.values())
        self._coarsened.update(name for name, count in frames.items() if count != coarsest)
        layers: dict[str, Tensor] = {}
        for name, model in self._models.items():

            def attend(label: str, maps: NDArray[np.float32], name: str = name) -> None:
                layers[self._layer_name(name, label)] = on_grid(torch.from_numpy(maps), coarsest)

            model.run(audio[model.sampling_rate], attend=attend)
        return [layers[name] for name in self.heads]


def _pieces(duration: float, longest: float | None) -> int:
    """Return the number of equal pieces of a duration that are no longer than the longest."""
    return 1 if longest is None else max(1, math.ceil(duration / longest))

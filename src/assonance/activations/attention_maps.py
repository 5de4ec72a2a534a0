"""Attention maps of several models, computed as the pass over attention reads them."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assonance.activations.batching import default_seconds
from assonance.corpus import Utterance
from assonance.models import LayerOutputs, SpeechModel, is_rounded
from assonance.statistics import on_grid

# Receives the name of a model, an utterance and what the model computed of it.
Heard = Callable[[str, Utterance, LayerOutputs], None]


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
    heard
        Receives what models compute of utterances that are whole here: neither cut nor read with
        context elsewhere.

    Attributes
    ----------
    heads : dict
        Layer name to its number of heads, in order.
    names, durations : list
        Id and seconds of each utterance.
    pieces : list of int
        Number of pieces that each utterance is cut into.
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
        heard: Heard | None = None,
    ) -> None:
        self._models = {name: model for name, model in models.items() if model.heads}
        self._utterances = utterances
        self._longest = longest
        self._layer_name = layer_name
        self._heard = heard
        self.heads = {
            layer_name(name, label): count
            for name, model in self._models.items()
            for label, count in model.heads.items()
        }
        self.names = [each.id for each in utterances]
        self.durations = [each.duration for each in utterances]
        self.pieces = [_pieces(duration, longest) for duration in self.durations]
        self.frames = [self._most_frames(duration) for duration in self.durations]
        # By the number of each utterance that was read, the models whose frames were made coarser.
        self._coarsened: dict[int, frozenset[str]] = {}

    def read(self, utterance: int) -> Iterator[Sequence[Tensor]]:
        """Yield the maps of each layer of all models, piece by piece; (H, T, T), float32."""
        speech = self._utterances[utterance]
        count = self.pieces[utterance]
        rates = {model.sampling_rate for model in self._models.values()}
        audio = {rate: np.array_split(speech.read(rate), count) for rate in rates}
        self._coarsened[utterance] = frozenset()
        whole = speech if self._heard and is_whole(speech, self._longest) else None
        for piece in range(count):
            parts = {rate: pieces[piece] for rate, pieces in audio.items()}
            maps, coarsened = self._maps(parts, whole)
            self._coarsened[utterance] |= coarsened
            yield maps

    def noted(self, utterance: int) -> list[str]:
        """Return the models whose frames were made coarser in an utterance that was read."""
        return sorted(self._coarsened[utterance])

    def recall(self, utterance: int, noted: Sequence[str]) -> None:
        """Take over what was noted of an utterance that another process read, or an earlier run."""
        self._coarsened[utterance] = frozenset(noted)

    def caveats(self) -> list[str]:
        """Return caveats about the maps read so far: utterances cut, and frames made coarser."""
        caveats = []
        cut = [utterance for utterance in sorted(self._coarsened) if self.pieces[utterance] > 1]
        if cut:
            caveats.append(
                f"{len(cut)} of {len(self.names)} utterances, the first "
                f"{self.names[cut[0]]!r}, are longer than {self._longest:g} s and are "
                "cut into equal pieces for the attention measures"
            )
        coarsened = frozenset().union(*self._coarsened.values())
        if coarsened:
            finer = ", ".join(name for name in self._models if name in coarsened)
            caveats.append(
                f"the attention of {finer} is compared on the frames of the other models, which "
                "are fewer: its queries are averaged and its keys summed"
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

    def _maps(
        self, audio: Mapping[int, NDArray[np.float32]], whole: Utterance | None
    ) -> tuple[Sequence[Tensor], frozenset[str]]:
        """Run all models over a piece, given by sampling rate, or over a whole utterance.

        Return the maps of each layer, and the models whose frames were made coarser.
        """
        frames = {
            name: model.n_frames(len(audio[model.sampling_rate]))
            for name, model in self._models.items()
        }
        coarsest = min(frames.values())
        layers: dict[str, Tensor] = {}
        for name, model in self._models.items():

            def attend(label: str, maps: NDArray[np.float32], name: str = name) -> None:
                layers[self._layer_name(name, label)] = on_grid(torch.from_numpy(maps), coarsest)

            outputs = model.run(audio[model.sampling_rate], attend=attend)
            if self._heard and whole is not None:
                self._heard(name, whole, outputs)
        coarsened = frozenset(name for name, count in frames.items() if count != coarsest)
        return [layers[name] for name in self.heads], coarsened


def reads_with_maps(model: SpeechModel) -> bool:
    """Return whether a run that computes attention maps gives the activations to store, too.

    Maps are computed in float32, of one utterance at a time.
    """
    return bool(model.heads) and not is_rounded(model) and not default_seconds(model)


def is_whole(utterance: Utterance, longest: float | None) -> bool:
    """Return whether models read an utterance here as they do for its activations."""
    context = utterance.before or utterance.after
    return not context and _pieces(utterance.duration, longest) == 1


def _pieces(duration: float, longest: float | None) -> int:
    """Return the number of equal pieces of a duration that are no longer than the longest."""
    return 1 if longest is None else max(1, math.ceil(duration / longest))

"""Describe the families of speech encoders in transformers: how each is run and recorded.

`encoder.py` runs every family from its description. To add a family with the same structure (a
front end, then blocks of attention and feed-forward parts), add a description to `FAMILIES`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor

from assonance.models.frame_grid import FrameGrid
from assonance.models.huggingface.wavlm import separate_heads

# How a batch gives the same activations as single utterances:
# "transformer": the front end runs on each utterance alone, the blocks on a padded, masked batch;
# "features": the whole encoder runs on padded, masked features;
# "fixed": every input has the same length.
Batching = Literal["transformer", "features", "fixed"]
_WAVEFORM = "Wav2Vec2FeatureExtractor"


def _always(value: Any) -> Callable[[Any], Any]:
    return lambda config: value


_YES, _NONE = _always(True), _always(None)


@dataclass(frozen=True)
class Family:
    """How a family of transformers is run and recorded.

    Paths are those of submodules. Functions of one argument take the configuration.

    Attributes
    ----------
    objective
        Objective of pretraining; see `ModelCard`.
    start
        Describes the input of the first block.
    grid
        Returns the frame grid, from the configuration and the feature extractor.
    extractor
        Class of its feature extractor.
    classes
        Name of the mapping in transformers from configurations to classes of models.
    encoder
        Path of the encoder in the loaded model; empty if it is the model itself.
    blocks
        Path of the list of blocks in the encoder.
    attention
        Path of the self-attention in a block, which returns outputs and weights.
    mixing
        Path in a block of the linear map that mixes the outputs of the heads.
    neurons
        By label, path in a block of the linear map whose input is the hidden neurons of a
        feed-forward part.
    heads
        Name of the number of heads in the configuration.
    normed
        Whether a block ends with a layer norm.
    final_norm
        Path of the norm after the last block, or None.
    features
        Path of the module whose output is that of the convolutions, or None.
    from_features
        Converts that output, shape (B, C, T), to the recorded layer, shape (B, T, C), from the
        output and the configuration.
    features_are
        Describes the recorded layer.
    batching
        How batches are exact, or None if they are not.
    prepare
        Changes the loaded encoder in place before it is run, for example to compute attention per
        head.
    """

    objective: str
    start: Callable[[Any], str]
    grid: Callable[[Any, Any], FrameGrid]
    extractor: str = _WAVEFORM
    classes: str = "MODEL_MAPPING"
    encoder: str = ""
    blocks: str = "encoder.layers"
    attention: str = "attention"
    mixing: str = "attention.out_proj"
    neurons: dict[str, str] = field(default_factory=lambda: {"ffn": "feed_forward.output_dense"})
    heads: str = "num_attention_heads"
    normed: Callable[[Any], bool] = _YES
    final_norm: Callable[[Any], str | None] = _NONE
    features: str | None = "feature_extractor"
    from_features: Callable[[Tensor, Any], Tensor] = lambda features, config: features.mT
    features_are: str = "before any norm that follows"
    batching: Callable[[Any], Batching | None] = _NONE
    prepare: Callable[[torch.nn.Module], None] = lambda encoder: None


def _convolutions(config: Any, extractor: Any) -> FrameGrid:
    return FrameGrid.of_convolutions(config.conv_kernel, config.conv_stride)


def _squeezed(config: Any, extractor: Any) -> FrameGrid:
    return _convolutions(config, extractor).stacked(config.squeeze_factor)


def _stacked(config: Any, extractor: Any) -> FrameGrid:
    """Filterbank windows of 25 ms every 10 ms, several stacked in a frame."""
    return FrameGrid(160, 400, 199.5).stacked(extractor.stride)


def _whisper(config: Any, extractor: Any) -> FrameGrid:
    """Windows centred on their sample; frames with their centre in the padding are dropped."""
    return FrameGrid(2 * extractor.hop_length, 1, 0)


def _thirds(config: Any, extractor: Any) -> FrameGrid:
    return FrameGrid.of_convolutions((127, 7, 3), (64, 3, 2))


def _subsampled(config: Any, extractor: Any) -> FrameGrid:
    """Windows centred on their sample, then padded convolutions that reduce the rate."""
    encoder = getattr(config, "encoder_config", config)
    return FrameGrid(extractor.hop_length * encoder.subsampling_factor, extractor.hop_length, 0)


def _quartered(config: Any, extractor: Any) -> FrameGrid:
    """Filterbank windows, then padded convolutions that each halve the rate."""
    return FrameGrid(160 * 2**config.num_conv_layers, 400, 199.5)


def _pre_norm(config: Any) -> bool:
    return bool(config.do_stable_layer_norm)


def _after_the_front_end(config: Any) -> Batching | None:
    return None if getattr(config, "conv_pos_batch_norm", False) else "transformer"


def _start(config: Any) -> str:
    state = "not normalised" if _pre_norm(config) else "after layer norm"
    return f"the projected convolutional features with positions added, {state}"


_WAV2VEC2 = Family(
    objective="contrastive",
    start=_start,
    grid=_convolutions,
    normed=lambda config: not _pre_norm(config),
    final_norm=lambda config: "encoder.layer_norm" if _pre_norm(config) else None,
    batching=_after_the_front_end,
)

_SEW = Family(
    objective="contrastive",
    start=_always(
        "the projected convolutional features, averaged down to the blocks' frame rate, with "
        "positions added, after layer norm"
    ),
    grid=_squeezed,
    from_features=lambda features, config: (
        torch.nn.functional.avg_pool1d(features, config.squeeze_factor).mT
    ),
    features_are="averaged down to the blocks' frame rate",
)

_CONFORMER = Family(
    objective="contrastive",
    start=_always("the projected convolutional features, no positions added"),
    grid=_convolutions,
    attention="self_attn",
    mixing="self_attn.linear_out",
    neurons={"ffn1": "ffn1.output_dense", "ffn2": "ffn2.output_dense"},
    final_norm=_always("encoder.layer_norm"),
)

_STACKED = replace(
    _CONFORMER,
    objective="contrastive and predictive",
    start=_always("the projected filterbank features, no positions added"),
    grid=_stacked,
    extractor="SeamlessM4TFeatureExtractor",
    final_norm=_NONE,
    features=None,
    batching=_always("features"),
)

_WHISPER = Family(
    objective="supervised",
    start=_always("the convolved log-mel spectrogram with positions added"),
    grid=_whisper,
    extractor="WhisperFeatureExtractor",
    encoder="encoder",
    blocks="layers",
    attention="self_attn",
    mixing="self_attn.out_proj",
    neurons={"ffn": "fc2"},
    heads="encoder_attention_heads",
    normed=_always(False),
    final_norm=_always("layer_norm"),
    features="conv2",
    from_features=lambda features, config: torch.nn.functional.gelu(features).mT,
    features_are="after its activation",
    batching=_always("fixed"),
)

_PARAKEET = Family(
    objective="supervised",
    start=_always("the convolved and projected log-mel spectrogram"),
    grid=_subsampled,
    extractor="ParakeetFeatureExtractor",
    blocks="layers",
    attention="self_attn",
    mixing="self_attn.o_proj",
    neurons={"ffn1": "feed_forward1.linear2", "ffn2": "feed_forward2.linear2"},
    features=None,
    batching=_always("features"),
)
# By `model_type`.
FAMILIES = {
    "wav2vec2": _WAV2VEC2,
    "hubert": replace(_WAV2VEC2, objective="predictive"),
    "wavlm": replace(_WAV2VEC2, objective="predictive", prepare=separate_heads),
    "data2vec-audio": Family(
        objective="predictive",
        start=_always(
            "the projected convolutional features with positions added, after layer norm"
        ),
        grid=_convolutions,
    ),
    "unispeech": _WAV2VEC2,
    "unispeech-sat": replace(_WAV2VEC2, objective="predictive"),
    "sew": _SEW,
    "sew-d": replace(
        _SEW,
        start=_always(
            "the projected convolutional features, averaged down to the blocks' frame rate, with "
            "positions added, not normalised"
        ),
        blocks="encoder.encoder.layer",
        attention="attention.self",
        mixing="attention.output.dense",
        neurons={"ffn": "output.dense"},
    ),
    "wav2vec2-conformer": _CONFORMER,
    "wav2vec2-bert": _STACKED,
    "whisper": _WHISPER,
    "moonshine": replace(
        _WHISPER,
        start=_always("the convolutional features, no positions added"),
        grid=_thirds,
        extractor=_WAVEFORM,
        mixing="self_attn.o_proj",
        neurons={"ffn": "mlp.fc2"},
        heads="encoder_num_attention_heads",
        features="conv3",
        batching=_NONE,
    ),
    "parakeet_encoder": _PARAKEET,
    "parakeet_ctc": replace(_PARAKEET, encoder="encoder"),
    "seamless_m4t": replace(
        _STACKED,
        encoder="speech_encoder",
        heads="speech_encoder_attention_heads",
        final_norm=_always("encoder.layer_norm"),
    ),
    "speech_to_text": replace(
        _WHISPER,
        start=_always("the convolved filterbank features with positions added"),
        grid=_quartered,
        extractor="Speech2TextFeatureExtractor",
        features=None,
        batching=_NONE,
    ),
    "speecht5": replace(
        _WAV2VEC2,
        objective="predictive",
        start=_always(
            "the projected convolutional features with positions added, after layer norm"
        ),
        extractor="SpeechT5FeatureExtractor",
        classes="MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING",
        encoder="speecht5.encoder",
        blocks="wrapped_encoder.layers",
        heads="encoder_attention_heads",
        normed=_YES,
        final_norm=_NONE,
        features="prenet.feature_encoder",
        batching=_NONE,
    ),
}

"""Small random models of every family, saved as people save them."""

from pathlib import Path

import torch
import transformers
from signals import KERNELS, STRIDES

# Weights large enough for attention to be far from even.
_SIZE = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "initializer_range": 0.3,
}
_CONVOLUTIONS = {
    "conv_dim": [16] * 7,
    "conv_kernel": list(KERNELS),
    "conv_stride": list(STRIDES),
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
_QUANTIZER = {"codevector_dim": 16, "proj_codevector_dim": 16, "num_codevectors_per_group": 8}
_WAV2VEC2 = _SIZE | _CONVOLUTIONS | _QUANTIZER | {"vocab_size": 20}
_TWO_SIDED = {
    **{"d_model": 32, "vocab_size": 40, "init_std": 0.2, "initializer_range": 0.2},
    **{"encoder_layers": 3, "encoder_attention_heads": 4, "encoder_ffn_dim": 48},
    **{"decoder_layers": 1, "decoder_attention_heads": 4, "decoder_ffn_dim": 48},
    **{"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1},
}
_T2U = {
    **{"t2u_encoder_layers": 1, "t2u_encoder_attention_heads": 4, "t2u_encoder_ffn_dim": 48},
    **{"t2u_decoder_layers": 1, "t2u_decoder_attention_heads": 4, "t2u_decoder_ffn_dim": 48},
    **{"t2u_vocab_size": 40, "unit_hifi_gan_vocab_size": 40, "char_vocab_size": 40},
    **{"unit_embed_dim": 8, "lang_embed_dim": 8, "spkr_embed_dim": 8, "vocoder_num_langs": 2},
    **{"vocoder_num_spkrs": 2, "upsample_initial_channel": 8, "upsample_rates": [2]},
    **{"upsample_kernel_sizes": [4], "resblock_kernel_sizes": [3]},
    **{"resblock_dilation_sizes": [[1, 3]]},
}
_PARAKEET = _SIZE | {"subsampling_conv_channels": 8, "num_mel_bins": 80}
STYLES = {
    "base": {},
    "large": {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True},
    "layer": {"feat_extract_norm": "layer", "conv_bias": True},
}
# Classes begin with; what makes the configuration; feature extractor and what makes it.
FAMILIES = {
    "wav2vec2": ("Wav2Vec2", _WAV2VEC2, "Wav2Vec2", {"do_normalize": True}),
    "hubert": ("Hubert", _WAV2VEC2, "Wav2Vec2", {"do_normalize": True}),
    "wavlm": ("WavLM", _WAV2VEC2, "Wav2Vec2", {"do_normalize": True}),
    "data2vec-audio": ("Data2VecAudio", _WAV2VEC2, "Wav2Vec2", {"do_normalize": True}),
    "unispeech": ("UniSpeech", _WAV2VEC2, "Wav2Vec2", {"do_normalize": True}),
    "unispeech-sat": ("UniSpeechSat", _WAV2VEC2, "Wav2Vec2", {"do_normalize": True}),
    "sew": ("SEW", _WAV2VEC2, "Wav2Vec2", {"do_normalize": True}),
    "sew-d": (
        "SEWD",
        _WAV2VEC2 | {"max_position_embeddings": 64, "position_buckets": 16},
        "Wav2Vec2",
        {"do_normalize": True},
    ),
    "wav2vec2-conformer": ("Wav2Vec2Conformer", _WAV2VEC2, "Wav2Vec2", {"do_normalize": True}),
    "wav2vec2-bert": ("Wav2Vec2Bert", _SIZE | {"vocab_size": 20}, "SeamlessM4T", {}),
    "whisper": (
        "Whisper",
        _TWO_SIDED | {"max_source_positions": 100, "num_mel_bins": 80},
        "Whisper",
        {"chunk_length": 2},
    ),
    "moonshine": (
        "Moonshine",
        {
            **{"hidden_size": 32, "intermediate_size": 48, "vocab_size": 40, "pad_token_id": 0},
            **{"encoder_num_hidden_layers": 3, "encoder_num_attention_heads": 4},
            **{"decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 4},
            **{"encoder_num_key_value_heads": 4, "initializer_range": 0.3},
        },
        "Wav2Vec2",
        {"do_normalize": False},
    ),
    "parakeet_encoder": ("ParakeetEncoder", _PARAKEET, "Parakeet", {}),
    "parakeet_ctc": (
        "ParakeetCTC",
        {"encoder_config": _PARAKEET, "vocab_size": 20, "pad_token_id": 0},
        "Parakeet",
        {},
    ),
    "seamless_m4t": (
        "SeamlessM4T",
        {
            **(_TWO_SIDED | _T2U | {"hidden_size": 32}),
            **{"speech_encoder_layers": 3, "speech_encoder_attention_heads": 4},
            "speech_encoder_intermediate_size": 48,
        },
        "SeamlessM4T",
        {},
    ),
    "speech_to_text": ("Speech2Text", _TWO_SIDED | {"conv_channels": 16}, "Speech2Text", {}),
    "speecht5": (
        "SpeechT5",
        _TWO_SIDED | _CONVOLUTIONS | {"hidden_size": 32},
        "SpeechT5",
        {"return_attention_mask": True},
    ),
}


def save(
    folder: Path,
    family: str = "wav2vec2",
    style: str = "base",
    head: str = "Model",
    seed: int = 0,
    **changes: object,
) -> Path:
    """Save a small random model: its family, style, head and whatever else is to be changed."""
    begins, shape, extractor, preprocessing = FAMILIES[family]
    config = getattr(transformers, f"{begins}Config")(**(shape | STYLES[style] | changes))
    class_name = {
        ("parakeet_encoder", "Model"): "ParakeetEncoder",
        ("parakeet_ctc", "Model"): "ParakeetForCTC",
        ("speecht5", "Model"): "SpeechT5ForSpeechToText",
    }.get((family, head), f"{begins}{head}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = getattr(transformers, class_name)(config).eval()
    model.save_pretrained(folder)
    make = getattr(transformers, f"{extractor}FeatureExtractor")
    if extractor == "Wav2Vec2":
        preprocessing = {**preprocessing, "return_attention_mask": style == "large"}
    make(**preprocessing).save_pretrained(folder)
    return folder

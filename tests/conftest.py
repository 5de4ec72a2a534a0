"""Small models and a little speech that tests share."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from hypothesis import settings
from signals import KERNELS, STRIDES, voice

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")

_CLASSES = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert", "wavlm": "WavLM"}
_SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "conv_kernel": list(KERNELS),
    "conv_stride": list(STRIDES),
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "initializer_range": 0.3,  # large enough for attention to be far from even
    "codevector_dim": 16,
    "proj_codevector_dim": 16,
    "num_codevectors_per_group": 8,
}
_STYLES = {
    "base": {},
    "large": {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True},
}


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make, once, a directory with a small random model: its family, style and head.

    Whatever else its configuration should say is given by name.
    """
    import torch
    import transformers

    torch.set_num_threads(1)  # threads cost models this small more than they save
    transformers.utils.logging.disable_progress_bar()

    @functools.cache
    def make(
        family: str = "wav2vec2",
        style: str = "base",
        head: str = "Model",
        seed: int = 0,
        **changes: object,
    ) -> Path:
        folder = tmp_path_factory.mktemp("checkpoints") / f"{family}-{style}-{head}-{seed}"
        prefix = _CLASSES[family]
        shape = _SHAPE | _STYLES[style] | changes
        config = getattr(transformers, f"{prefix}Config")(**shape)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = getattr(transformers, f"{prefix}{head}")(config)
        model.save_pretrained(folder)
        transformers.Wav2Vec2FeatureExtractor(
            do_normalize=True, return_attention_mask=style == "large"
        ).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six short sound recordings at 16 kHz."""
    folder = tmp_path_factory.mktemp("speech")
    for number in range(6):
        audio = voice(0.3 + 0.1 * number, seed=number)
        soundfile.write(folder / f"prompt{number}.wav", audio, 16000)
    return folder

"""Encoders of transformers run by the library itself, for comparison."""

import json
import shutil

import pytest
import torch
import transformers
from checkpoints import FAMILIES

every_family = pytest.mark.parametrize(
    "family", [each for each in FAMILIES if each != "seamless_m4t"]
)


def library(folder):
    """The encoder of the class that a checkpoint was saved from, and its inputs."""
    (architecture,) = json.loads((folder / "config.json").read_text())["architectures"]
    whole = getattr(transformers, architecture).from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32
    )
    family = json.loads((folder / "config.json").read_text())["model_type"]
    base = getattr(whole, whole.base_model_prefix, whole)
    if family == "speecht5":
        encoder = whole.speecht5.encoder
    elif family == "seamless_m4t":
        encoder = whole.speech_encoder
    elif family in ("whisper", "moonshine", "speech_to_text", "parakeet_ctc"):
        encoder = getattr(base, "encoder", base)
    else:
        encoder = base
    encoder.config.tie_last_hidden_states = False  # the last block's own output
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    return encoder, extractor


def reference(folder, samples):
    """Hidden states and attentions as transformers gives them, padding cut off."""
    encoder, extractor = library(folder)
    made = extractor(samples, sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        return encoder, encoder(
            **arguments(made, extractor), output_hidden_states=True, output_attentions=True
        )


def arguments(made, extractor):
    """What the encoder takes: a mask where features are made with one that has a part."""
    names = {"input_values", "input_features"}
    if type(extractor).__name__ in ("SeamlessM4TFeatureExtractor", "ParakeetFeatureExtractor"):
        names.add("attention_mask")
    return {name: each for name, each in made.items() if name in names}


def copy(folder, to, **preprocessing):
    """Copy a checkpoint with some of its preprocessing changed."""
    shutil.copytree(folder, to)
    path = to / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **preprocessing}))
    return to

"""Rename the weights of other libraries' checkpoints as transformers names them.

fairseq, torchaudio and s3prl store the same encoders under their own names. The tables below
give the name in transformers, without the prefix of a model (``wav2vec2.``, ``hubert.``). The ends
of names, such as ``weight`` or ``weight_g``, are the same everywhere.
"""

import re
from collections.abc import Iterable
from typing import Literal

from assonance.errors import AssonanceError, join_names, printable

Layout = Literal["transformers", "torchaudio", "fairseq"]
Table = dict[str, str]

FINE_TUNED = "w2v_encoder.w2v_model."  # before the encoder's names in a CTC model of fairseq

# From the start of a name (a pattern) to the start of the name in transformers.
_BLOCK = r"encoder\.layers\.(\d+)\."
_FAIRSEQ: Table = {
    r"mask_emb$": "masked_spec_embed",
    r"feature_extractor\.conv_layers\.(\d+)\.0\.": r"feature_extractor.conv_layers.\1.conv.",
    r"feature_extractor\.conv_layers\.(\d+)\.2\.(1\.)?": (
        r"feature_extractor.conv_layers.\1.layer_norm."
    ),
    r"layer_norm\.": "feature_projection.layer_norm.",
    r"post_extract_proj\.": "feature_projection.projection.",
    r"encoder\.layer_norm\.": "encoder.layer_norm.",
    _BLOCK + r"self_attn\.([qkv]|out)_proj\.": r"encoder.layers.\1.attention.\2_proj.",
    _BLOCK + r"self_attn\.grep_linear\.": r"encoder.layers.\1.attention.gru_rel_pos_linear.",
    _BLOCK + r"self_attn\.grep_a$": r"encoder.layers.\1.attention.gru_rel_pos_const",
    _BLOCK + r"self_attn\.relative_attention_bias\.": (
        r"encoder.layers.\1.attention.rel_attn_embed."
    ),
    _BLOCK + r"self_attn_layer_norm\.": r"encoder.layers.\1.layer_norm.",
    _BLOCK + r"fc1\.": r"encoder.layers.\1.feed_forward.intermediate_dense.",
    _BLOCK + r"fc2\.": r"encoder.layers.\1.feed_forward.output_dense.",
    _BLOCK + r"final_layer_norm\.": r"encoder.layers.\1.final_layer_norm.",
}
# The convolution of positions comes in three forms, each with its own numbering.
_ONE_CONVOLUTION: Table = {r"encoder\.pos_conv\.0\.": "encoder.pos_conv_embed.conv."}
_BATCH_NORM: Table = {
    r"encoder\.pos_conv\.0\.": "encoder.pos_conv_embed.batch_norm.",
    r"encoder\.pos_conv\.1\.": "encoder.pos_conv_embed.conv.",
}
_MANY_CONVOLUTIONS: Table = {
    r"encoder\.pos_conv\.(\d+)\.0\.": r"encoder.pos_conv_embed.layers.\1.conv.",
}
_TORCHAUDIO: Table = {
    r"feature_extractor\.": "feature_extractor.",
    r"encoder\.feature_projection\.": "feature_projection.",
    r"encoder\.transformer\.": "encoder.",
    r"aux\.": "lm_head.",
}

_FAIRSEQ_PREFIXES = ("", FINE_TUNED)
_TORCHAUDIO_PREFIXES = ("", "model.", "wav2vec2.", "model.wav2vec2.")
_TRANSFORMERS_PREFIXES = (
    *("", "wav2vec2.", "hubert.", "wavlm.", "data2vec_audio.", "wav2vec2_conformer."),
    *("unispeech.", "unispeech_sat.", "sew.", "sew_d."),
)
# Parts of an encoder: a weight of these that no table names would be lost.
_ENCODER = ("feature_extractor.", "layer_norm.", "post_extract_proj.", "encoder.")


def huggingface_names(weights: Iterable[str]) -> tuple[Layout, dict[str, str]] | None:
    """Return the layout of a checkpoint's names, and the name in transformers of each weight.

    Parameters
    ----------
    weights
        Names of the weights, as in the file.

    Returns
    -------
    tuple or None
        The library whose names these are, and a map from the file's names to those of
        transformers: all weights of the encoder and, if there is one, the CTC head. Names of
        transformers are kept as they are. None for any other names.

    Raises
    ------
    AssonanceError
        The encoder has weights that no supported architecture has. The message does not name the
        file.
    """
    known = set(weights)
    prefix = _prefix_of(known, "encoder.layers.0.self_attn.k_proj.weight", _FAIRSEQ_PREFIXES)
    if prefix is not None:
        names = _renamed(known, prefix, _FAIRSEQ | _positions(known, prefix))
        if prefix == FINE_TUNED:
            names |= _renamed(known, "w2v_encoder.", {r"proj\.": "lm_head."}, parts=())
        return "fairseq", names
    prefix = _prefix_of(known, "encoder.feature_projection.projection.weight", _TORCHAUDIO_PREFIXES)
    if prefix is not None:
        _refuse_joint_projections(known)
        return "torchaudio", _renamed(known, prefix, _TORCHAUDIO)
    if _prefix_of(known, "feature_extractor.conv_layers.0.conv.weight", _TRANSFORMERS_PREFIXES) is (
        None
    ):
        return None
    return "transformers", {name: name for name in known}


def _prefix_of(names: set[str], name: str, prefixes: Iterable[str]) -> str | None:
    """Return the prefix under which a name occurs."""
    return next((prefix for prefix in prefixes if prefix + name in names), None)


def _positions(names: set[str], prefix: str) -> Table:
    """Return the table for the convolution of positions."""
    if f"{prefix}encoder.pos_conv.0.0.weight" in names:
        return _MANY_CONVOLUTIONS
    if f"{prefix}encoder.pos_conv.0.running_mean" in names:
        return _BATCH_NORM
    return _ONE_CONVOLUTION


def _renamed(
    names: set[str], prefix: str, table: Table, parts: tuple[str, ...] = _ENCODER
) -> dict[str, str]:
    """Return the new names by a table; a name of these parts that it lacks is an error."""
    renamed = {}
    lost = []
    for name in sorted(names):
        if not name.startswith(prefix):
            continue
        short = name.removeprefix(prefix)
        match = next(filter(None, (re.match(pattern, short) for pattern in table)), None)
        if match is not None:
            start = match.expand(table[match.re.pattern])
            renamed[name] = start + short[match.end() :]
        elif short.startswith(parts):
            lost.append(printable(name))
    if lost:
        raise AssonanceError(
            f"holds weights of an encoder that is not supported ({join_names(lost, 3)}); give a "
            "checkpoint of wav2vec 2.0, HuBERT, WavLM or data2vec"
        )
    return renamed


def _refuse_joint_projections(names: set[str]) -> None:
    """Refuse WavLM of torchaudio, whose queries, keys and values share one matrix."""
    joint = sorted(name for name in names if name.endswith(".attention.in_proj_weight"))
    if joint:
        raise AssonanceError(
            f"holds WavLM in the form of torchaudio, where one matrix ({printable(joint[0])}) "
            "projects queries, keys and values; give WavLM's own file or its id on the hub"
        )

"""Describe encoders in the forms of other libraries as transformers configures them.

Most of an architecture follows from the shapes of the weights. Where the file has settings too,
both must agree. What does not follow (strides, heads, where layers are normalised) comes from the
settings alone, and nothing is assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assonance.errors import AssonanceError
from assonance.models.checkpoints.names import FINE_TUNED, huggingface_names
from assonance.models.checkpoints.settings import MissingSetting, Settings, find_settings, shown

Shapes = Mapping[str, tuple[int, ...]]

# fairseq's name of a model, and that of transformers.
_FAMILIES = {
    "wav2vec2": "wav2vec2",
    "hubert": "hubert",
    "wavlm": "wavlm",
    "data2vec_audio": "data2vec-audio",
}
_CLASSES = {
    "wav2vec2": ("Wav2Vec2ForPreTraining", "Wav2Vec2ForCTC"),
    "hubert": ("HubertModel", "HubertForCTC"),
    "wavlm": ("WavLMModel", "WavLMForCTC"),
    "data2vec-audio": ("Data2VecAudioModel", "Data2VecAudioForCTC"),
}
_ACTIVATIONS = {"gelu": "gelu", "relu": "relu", "tanh": "tanh", "swish": "swish"}
_CONVOLUTION = "feature_extractor.conv_layers.{}.conv.weight"
_NORM = "feature_extractor.conv_layers.{}.layer_norm.weight"
_POSITIONS = "encoder.pos_conv_embed"
_WEIGHTS_OF_POSITIONS = ("weight_v", "weight", "parametrizations.weight.original1")


@dataclass(frozen=True)
class Foreign:
    """A file of weights as transformers would describe it.

    Attributes
    ----------
    origin
        Library in whose form the file is: "fairseq", "torchaudio", "s3prl" or "transformers".
    config
        Content of its ``config.json``; None if the file does not settle it.
    preprocessing
        Content of its ``preprocessor_config.json``; None if the file does not settle it.
    names
        From the file's names of weights to those of transformers, without a model's prefix; of
        the encoder and the CTC head alone. All names, unchanged, if the origin is "transformers".
    normalizes
        Whether waveforms are normalised, where the file states it without a sampling rate.
    lacks
        The setting that the file lacks, such as ``cfg.model.layer_norm_first``, if that is why
        there is no `config`; None if the file has no settings at all.
    """

    origin: str
    config: dict[str, Any] | None
    preprocessing: dict[str, Any] | None
    names: dict[str, str]
    normalizes: bool | None = None
    lacks: str | None = None


def recognise(shapes: Shapes, settings: Mapping[str, Any]) -> Foreign | None:
    """Recognise a file of weights by its names, and describe it by its settings and shapes.

    Parameters
    ----------
    shapes
        Shape of each weight in the file.
    settings
        What the file holds beside its weights; see `find_settings`.

    Returns
    -------
    Foreign or None
        None if the names are those of no known library.

    Raises
    ------
    AssonanceError
        The encoder is not supported, or its settings are invalid or disagree with its weights.
        The message does not name the file: callers put its name and a colon before it.
    """
    found = huggingface_names(shapes)
    if found is None:
        return None
    origin, names = found
    if origin != "fairseq":
        return Foreign(origin, None, None, names)
    weights = {new: shapes[old] for old, new in names.items()}
    library = "s3prl" if "model_cfg" in settings else "fairseq"
    try:
        stored = find_settings(settings)
        if stored is None:
            return Foreign(library, None, None, names)
    except MissingSetting as missing:
        return Foreign(library, None, None, names, lacks=str(missing))
    preprocessing, normalizes = _preprocessing(stored, weights), stored.normalize()
    try:
        config = _config(stored, shapes, weights)
    except MissingSetting as missing:
        return Foreign(library, None, preprocessing, names, normalizes, str(missing))
    return Foreign(library, config, preprocessing, names, normalizes)


def _config(settings: Settings, shapes: Shapes, weights: Shapes) -> dict[str, Any]:
    """Return the configuration; `weights` are the shapes under the names of transformers."""
    in_ctc = any(name.startswith(FINE_TUNED) for name in shapes)
    if in_ctc and not settings.fine_tuned:
        raise MissingSetting(f"{settings.place}.w2v_args")
    family = _family(settings, shapes, weights)
    hidden = _shape(weights, "encoder.layer_norm.weight", 1)[0]
    blocks = {name.split(".")[2] for name in weights if name.startswith("encoder.layers.")}
    dense = _shape(weights, "encoder.layers.0.feed_forward.intermediate_dense.weight", 2)[0]
    config = {
        "model_type": family,
        "architectures": [_CLASSES[family][settings.fine_tuned]],
        "hidden_size": settings.held("encoder_embed_dim", hidden),
        "num_hidden_layers": settings.held("encoder_layers", len(blocks)),
        "intermediate_size": settings.held("encoder_ffn_embed_dim", dense),
        "num_attention_heads": _heads(settings, weights, hidden),
        "hidden_act": settings.choice("activation_fn", _ACTIVATIONS),
        "layer_norm_eps": 1e-5,
        "do_stable_layer_norm": settings.flag("layer_norm_first"),
        **_convolutions(settings, weights),
        **_positions(settings, weights, hidden),
    }
    if family == "wavlm":
        embedding = _shape(weights, "encoder.layers.0.attention.rel_attn_embed.weight", 2)
        config["num_buckets"] = settings.held("num_buckets", embedding[0])
        config["max_bucket_distance"] = settings.whole("max_distance")
    if "lm_head.weight" in weights:
        config["vocab_size"] = _shape(weights, "lm_head.weight", 2)[0]
    _refuse_unlike(config, weights)
    return config


def _family(settings: Settings, shapes: Shapes, weights: Shapes) -> str:
    """Return the family by the settings' name and by weights that only one family has."""
    stated = settings.model.get("_name") or settings.model.get("arch")
    if stated and (not isinstance(stated, str) or stated not in _FAMILIES):
        raise AssonanceError(
            f"models of the kind {shown(stated)} are not supported; "
            f"supported are {', '.join(_FAMILIES)}"
        )
    signs = {
        "wavlm": "encoder.layers.0.attention.gru_rel_pos_const" in weights,
        "data2vec_audio": f"{_POSITIONS}.layers.0.conv.weight" in weights,
        "hubert": "label_embs_concat" in shapes,
        "wav2vec2": "project_q.weight" in shapes,
    }
    shows = next((sign for sign, there in signs.items() if there), None)
    name = stated or shows
    if name is None:
        raise MissingSetting(f"{settings.place}._name")
    if shows and name != shows:
        raise AssonanceError(
            f"its settings name the model {stated}, its weights are those of {shows}; "
            "get a complete copy"
        )
    return _FAMILIES[name]


def _heads(settings: Settings, weights: Shapes, hidden: int) -> int:
    """Return the number of attention heads, which only WavLM's weights show."""
    name = "encoder.layers.0.attention.gru_rel_pos_const"
    heads: int
    if name in weights:
        heads = settings.held("encoder_attention_heads", _shape(weights, name, 4)[1])
    else:
        heads = settings.whole("encoder_attention_heads")
    if hidden % heads:
        raise AssonanceError(
            f"its settings give {heads} attention heads, which do not divide its {hidden} "
            "neurons; get a complete copy"
        )
    return heads


def _convolutions(settings: Settings, weights: Shapes) -> dict[str, Any]:
    """Return the configuration of the convolutions over the waveform."""
    stated = settings.convolutions()
    count = _count(weights, "feature_extractor.")
    if len(stated) != count:
        raise AssonanceError(
            f"the number of layers in {settings.place}.conv_feature_layers is {len(stated)}, "
            f"in its weights {count}; get a complete copy"
        )
    for layer, (width, kernel, _) in enumerate(stated):
        shape = _shape(weights, _CONVOLUTION.format(layer), 3)
        if (width, kernel) != (shape[0], shape[2]):
            raise AssonanceError(
                f"its settings give layer {layer} of {settings.place}.conv_feature_layers width "
                f"{width} and kernel {kernel}, its weights {shape[0]} and {shape[2]}; "
                "get a complete copy"
            )
    widths, kernels, strides = (list(column) for column in zip(*stated, strict=True))
    bias = _CONVOLUTION.format(0).replace("weight", "bias") in weights
    return {
        "conv_dim": widths,
        "conv_kernel": kernels,
        "conv_stride": strides,
        "conv_bias": settings.held("conv_bias", bias),
        "feat_extract_activation": "gelu",
        "feat_extract_norm": _norm(settings, weights, count),
    }


def _norm(settings: Settings, weights: Shapes, layers: int) -> str:
    """Return whether all convolutions are followed by a norm ("layer"), or the first ("group")."""
    _shape(weights, _NORM.format(0), 1)
    everywhere = _NORM.format(layers - 1) in weights
    settings.held("extractor_mode", "layer_norm" if everywhere else "default")
    return "layer" if everywhere else "group"


def _positions(settings: Settings, weights: Shapes, hidden: int) -> dict[str, Any]:
    """Return the configuration of the convolutions over positions."""
    many = f"{_POSITIONS}.layers.0.conv.weight"
    batch_norm = f"{_POSITIONS}.batch_norm.weight" in weights
    if many in weights:
        shape = _shape(weights, many, 3)
        depth = _count(weights, f"{_POSITIONS}.layers.")
        settings.held("pos_conv_depth", depth)
        kernel = max(3, settings.whole("conv_pos") // depth)
        if kernel != shape[2]:
            raise AssonanceError(
                f"its settings give a kernel of {kernel} over positions, its weights {shape[2]}; "
                "get a complete copy"
            )
        config = {"num_conv_pos_embeddings": depth, "conv_pos_kernel_size": kernel}
    else:
        names = [f"{_POSITIONS}.conv.{end}" for end in _WEIGHTS_OF_POSITIONS]
        shape = _shape(weights, next(filter(weights.__contains__, names), names[0]), 3)
        config = {"num_conv_pos_embeddings": settings.held("conv_pos", shape[2])}
        settings.held("conv_pos_batch_norm", batch_norm)
    if batch_norm:
        config["conv_pos_batch_norm"] = True
    groups = settings.held("conv_pos_groups", hidden // max(1, shape[1]))
    return {**config, "num_conv_pos_embedding_groups": groups}


def _refuse_unlike(config: Mapping[str, Any], weights: Shapes) -> None:
    """Refuse what the family of transformers cannot be configured to."""
    family = config["model_type"]
    unlike = {
        "no projection between its convolutions and its blocks": (
            "feature_projection.projection.weight" not in weights
        ),
        "a batch norm before its positions": (
            family != "hubert" and config.get("conv_pos_batch_norm", False)
        ),
        "its norms in other places": family == "data2vec-audio"
        and (config["do_stable_layer_norm"] or config["feat_extract_norm"] == "group"),
    }
    for what, is_so in unlike.items():
        if is_so:
            raise AssonanceError(
                f"has {what}, unlike {family} of transformers; give another checkpoint"
            )


def _preprocessing(settings: Settings, weights: Shapes) -> dict[str, Any] | None:
    """Return the preprocessing, or None if normalisation or sampling rate are not settled."""
    normalize, rate = settings.normalize(), settings.sampling_rate()
    if normalize is None or rate is None:
        return None
    return {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "do_normalize": normalize,
        "sampling_rate": rate,
        "feature_size": 1,
        "padding_value": 0,
        # Encoders with a group norm were trained without masks.
        "return_attention_mask": _NORM.format(1) in weights,
    }


def _count(weights: Shapes, place: str) -> int:
    """Return the number of convolutions in a part of the encoder."""
    return sum(name.startswith(place) and name.endswith(".conv.weight") for name in weights)


def _shape(weights: Shapes, name: str, dimensions: int | None = None) -> tuple[int, ...]:
    """Return the shape of a weight that must be there, with so many dimensions."""
    if name not in weights:
        raise AssonanceError(f"lacks the weight {name}; get a complete copy")
    shape = weights[name]
    if dimensions is not None and len(shape) != dimensions:
        raise AssonanceError(
            f"holds {name} in {len(shape)} dimensions, not {dimensions}; get a complete copy"
        )
    return shape

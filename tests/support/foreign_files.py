"""Small models as fairseq, torchaudio, s3prl and the authors of WavLM save theirs.

Each `write_…` takes a model of transformers and gives its weights the names of the other library,
by walking over its modules. `change` may alter the content before it is saved.
"""

import argparse
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
import transformers
from checkpoints import FAMILIES, STYLES

Change = Callable[[dict[str, Any]], object]
KINDS = {
    "wav2vec2": "wav2vec2",
    "hubert": "hubert",
    "wavlm": "wavlm",
    "data2vec-audio": "data2vec_audio",
}
STAND_INS = {
    name: type(name, (), {"__module__": place})
    for name, place in {
        "Dictionary": "fairseq.data.dictionary",
        "AverageMeter": "fairseq.meters",
        "TimeMeter": "fairseq.meters",
        "StopwatchMeter": "fairseq.meters",
    }.items()
}


def small_model(
    family: str, style: str = "base", head: str = "Model", seed: int = 0, **changes: object
) -> Any:
    """Make a small random model."""
    begins, shape, _, _ = FAMILIES[family]
    config = getattr(transformers, f"{begins}Config")(**(shape | STYLES[style] | changes))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return getattr(transformers, f"{begins}{head}")(config).eval()


def write_fairseq(
    path: Path,
    model: Any,
    *,
    form: str = "cfg",
    normalize: bool = True,
    legacy: bool = False,
    half: bool = False,
    change: Change | None = None,
) -> Path:
    """Save a model as fairseq does, with the state of its training beside it.

    Parameters
    ----------
    path
        File to write.
    model
        Encoder, its pretraining or its CTC model.
    form
        "cfg" (plain dicts, as XLSR-53), "namespace" (the model's settings as a namespace within,
        as HuBERT) or "args" (one namespace of all settings, as the first wav2vec 2.0).
    normalize
        Whether its settings say that waveforms are normalised.
    legacy
        Whether to write torch's form before the zip files.
    half
        Whether to store weights in half precision.
    change
        Alters the content.
    """
    kind = KINDS[model.config.model_type]
    task = {"_name": "audio_pretraining", "data": "/data", "sample_rate": 16000}
    task["normalize"] = normalize
    settings: dict[str, Any] = {"_name": kind, **encoder_settings(model)}
    if tuned := hasattr(model, "lm_head"):
        inner = {"model": settings, "task": dict(task), "common": {"seed": 1}}
        outer = "hubert_ctc" if kind == "hubert" else "wav2vec_ctc"
        settings = {"_name": outer, "w2v_path": "/base.pt", "mask_prob": 0.5, "w2v_args": inner}
        if form == "args":
            settings["w2v_args"] = _one_namespace(inner["model"], task)
    content = _training_state(kind)
    if form == "args":
        content["args"] = _one_namespace(settings, task)
    else:
        inside = argparse.Namespace(**settings) if form == "namespace" else settings
        content["cfg"] = {"_name": None, "common": {"seed": 1}, "model": inside, "task": task}
    weights = _tuned_weights(model) if tuned else fairseq_weights(model) | _heads(kind)
    content["model"] = OrderedDict(
        (name, weight.half() if half else weight) for name, weight in weights.items()
    )
    return _save(path, content, legacy, change)


def write_wavlm(
    path: Path,
    model: Any,
    *,
    normalize: bool = True,
    legacy: bool = False,
    change: Change | None = None,
) -> Path:
    """Save a model as the published files of WavLM are: settings without sections."""
    settings = {**encoder_settings(model), "normalize": normalize, "mask_length": 10}
    content = {"cfg": settings, "model": OrderedDict(fairseq_weights(model))}
    return _save(path, content, legacy, change)


def write_s3prl(
    path: Path,
    model: Any,
    *,
    normalize: bool = True,
    legacy: bool = False,
    change: Change | None = None,
) -> Path:
    """Save a model as s3prl saves one that it converted from fairseq."""
    kind = KINDS[model.config.model_type]
    content = {
        "task_cfg": {"_name": "pretraining", "normalize": normalize, "sample_rate": 16000},
        "model_cfg": {"_name": kind, **encoder_settings(model)},
        "model_weight": OrderedDict(fairseq_weights(model) | _heads(kind)),
    }
    if kind == "hubert":
        content["dictionaries_symbols"] = [["<s>", "<pad>", "0", "1"]]
    return _save(path, content, legacy, change)


def write_torchaudio(
    path: Path,
    model: Any,
    *,
    prefix: str = "",
    legacy: bool = False,
    change: Change | None = None,
) -> Path:
    """Save the state dict that torchaudio has for a model, without any settings."""
    encoder = model.base_model
    held = _within("feature_extractor", encoder.feature_extractor)
    held |= _within("encoder.feature_projection", encoder.feature_projection)
    held |= _within("encoder.transformer", encoder.encoder)
    if hasattr(model, "lm_head"):
        held |= _within("aux", model.lm_head)
    content = OrderedDict((prefix + name, weight) for name, weight in held.items())
    return _save(path, content, legacy, change)


def fairseq_weights(model: Any) -> dict[str, torch.Tensor]:
    """Return the weights of an encoder under fairseq's names."""
    encoder = model.base_model
    held = {"mask_emb": encoder.masked_spec_embed.detach().clone()}
    for number, layer in enumerate(encoder.feature_extractor.conv_layers):
        place = f"feature_extractor.conv_layers.{number}"
        held |= _within(f"{place}.0", layer.conv)
        norm = getattr(layer, "layer_norm", None)
        if isinstance(norm, torch.nn.GroupNorm):
            held |= _within(f"{place}.2", norm)
        elif norm is not None:
            held |= _within(f"{place}.2.1", norm)
    held |= _within("layer_norm", encoder.feature_projection.layer_norm)
    held |= _within("post_extract_proj", encoder.feature_projection.projection)
    positions = encoder.encoder.pos_conv_embed
    if hasattr(positions, "layers"):
        for number, layer in enumerate(positions.layers):
            held |= _within(f"encoder.pos_conv.{number}.0", layer.conv)
    elif getattr(positions, "batch_norm", None) is not None:
        held |= _within("encoder.pos_conv.0", positions.batch_norm)
        held |= _within("encoder.pos_conv.1", positions.conv)
    else:
        held |= _within("encoder.pos_conv.0", positions.conv)
    held |= _within("encoder.layer_norm", encoder.encoder.layer_norm)
    for number, block in enumerate(encoder.encoder.layers):
        held |= _block_weights(f"encoder.layers.{number}", block)
    return held


def encoder_settings(model: Any) -> dict[str, Any]:
    """Return the settings with which fairseq would have built an encoder."""
    config = model.config
    norms = [
        hasattr(layer, "layer_norm") for layer in model.base_model.feature_extractor.conv_layers
    ]
    settings = {
        "extractor_mode": "layer_norm" if all(norms) else "default",
        "encoder_layers": config.num_hidden_layers,
        "encoder_embed_dim": config.hidden_size,
        "encoder_ffn_embed_dim": config.intermediate_size,
        "encoder_attention_heads": config.num_attention_heads,
        "activation_fn": config.hidden_act,
        "dropout": 0.1,
        "layer_norm_first": getattr(config, "do_stable_layer_norm", False),
        "conv_feature_layers": expression(config),
        "conv_bias": config.conv_bias,
        "logit_temp": 0.1,
        "final_dim": 256,
        "conv_pos": config.num_conv_pos_embeddings,
        "conv_pos_groups": config.num_conv_pos_embedding_groups,
        "latent_temp": [2.0, 0.5, 0.999995],
    }
    if config.model_type == "wavlm":
        settings |= {"relative_position_embedding": True, "gru_rel_pos": True}
        settings |= {"num_buckets": config.num_buckets, "max_distance": config.max_bucket_distance}
    if config.model_type == "data2vec-audio":
        settings["pos_conv_depth"] = config.num_conv_pos_embeddings
        settings["conv_pos"] = config.num_conv_pos_embeddings * config.conv_pos_kernel_size
    if getattr(config, "conv_pos_batch_norm", False):
        settings["conv_pos_batch_norm"] = True
    return settings


def expression(config: Any) -> str:
    """Write the convolutions as people write them in fairseq, equal neighbours once."""
    layers = zip(config.conv_dim, config.conv_kernel, config.conv_stride, strict=True)
    return " + ".join(f"[{layer}] * {len(list(equal))}" for layer, equal in groupby(layers))


@contextmanager
def fairseq_classes() -> Iterator[None]:
    """Let pickle find the classes of fairseq that its files name, by stand-ins."""
    modules = {place: types.ModuleType(place) for place in ("fairseq", "fairseq.data")}
    for each in STAND_INS.values():
        module = modules.setdefault(each.__module__, types.ModuleType(each.__module__))
        setattr(module, each.__name__, each)
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module


def _block_weights(place: str, block: Any) -> dict[str, torch.Tensor]:
    """Return the weights of one block under fairseq's names."""
    attention = block.attention
    held = {}
    for letter in ("q", "k", "v", "out"):
        held |= _within(f"{place}.self_attn.{letter}_proj", getattr(attention, f"{letter}_proj"))
    if hasattr(attention, "gru_rel_pos_const"):
        held[f"{place}.self_attn.grep_a"] = attention.gru_rel_pos_const.detach().clone()
        held |= _within(f"{place}.self_attn.grep_linear", attention.gru_rel_pos_linear)
    if hasattr(attention, "rel_attn_embed"):
        held |= _within(f"{place}.self_attn.relative_attention_bias", attention.rel_attn_embed)
    held |= _within(f"{place}.self_attn_layer_norm", block.layer_norm)
    held |= _within(f"{place}.fc1", block.feed_forward.intermediate_dense)
    held |= _within(f"{place}.fc2", block.feed_forward.output_dense)
    held |= _within(f"{place}.final_layer_norm", block.final_layer_norm)
    return held


def _within(place: str, module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights of a module under its place, with weight norm as torch named it once."""
    held = {}
    for name, weight in module.state_dict().items():
        name = name.replace("parametrizations.weight.original0", "weight_g")
        name = name.replace("parametrizations.weight.original1", "weight_v")
        held[f"{place}.{name}"] = weight.detach().clone()
    return held


def _tuned_weights(model: Any) -> dict[str, torch.Tensor]:
    """Return the weights of a CTC model under fairseq's names."""
    held = {f"w2v_encoder.w2v_model.{name}": each for name, each in fairseq_weights(model).items()}
    return held | _within("w2v_encoder.proj", model.lm_head)


def _heads(kind: str) -> dict[str, torch.Tensor]:
    """Return weights that only pretraining needs."""
    held = {"final_proj.weight": torch.ones(16, 32), "final_proj.bias": torch.ones(16)}
    if kind == "hubert":
        held["label_embs_concat"] = torch.ones(8, 16)
    if kind == "wav2vec2":
        held |= {"quantizer.vars": torch.ones(1, 16, 8), "project_q.weight": torch.ones(16, 16)}
    return held


def _training_state(kind: str) -> dict[str, Any]:
    """Return what fairseq keeps beside the weights, with its own classes."""
    dictionary = STAND_INS["Dictionary"]()
    meters = {name: each() for name, each in STAND_INS.items() if name != "Dictionary"}
    vars(dictionary).update(symbols=["<s>", "<pad>", "0"], count=[1, 1, 5], indices={"0": 2})
    for meter in meters.values():
        vars(meter).update(sum=1.5, count=3, round=3)
    moments = {"step": 5, "exp_avg": torch.ones(4), "exp_avg_sq": torch.ones(4)}
    return {
        "args": None,
        "criterion": None,
        "optimizer_history": [{"optimizer_name": "FP16Optimizer", "num_updates": 400000}],
        "task_state": {"dictionaries": [dictionary]} if kind == "hubert" else {},
        "extra_state": {"metrics": meters, "val_loss": 2.5, "train_iterator": {"epoch": 7}},
        "last_optimizer_state": {"state": {0: moments}, "param_groups": [{"lr": 0.0005}]},
    }


def _one_namespace(settings: dict[str, Any], task: dict[str, Any]) -> argparse.Namespace:
    """Return the settings of model and task as the command line gave them, in one namespace."""
    own = {name: value for name, value in (task | settings).items() if name != "_name"}
    return argparse.Namespace(arch=settings["_name"], task=task["_name"], seed=1, **own)


def _save(path: Path, content: Any, legacy: bool, change: Change | None) -> Path:
    if change is not None:
        change(content)
    with fairseq_classes():
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path

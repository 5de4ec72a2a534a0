"""Merge LoRA adapters, as the peft package saves them, into the encoders that they adapt.

Merging needs ``assonance[peft]``.
"""

import importlib.util
import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assonance.errors import AssonanceError, error_text, printable
from assonance.models.checkpoints import tasks
from assonance.models.checkpoints.files import Files, LocalFiles, read_json
from assonance.models.checkpoints.weights import INDEXES, SINGLES, Weights, is_finite

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
PICKLED = "adapter_model.bin"
_TOP = "base_model.model."
_LORA = re.compile(r"(?P<module>.+?)\.lora_\w+(\..+)?")
# Of a module that an adapter holds whole, peft may save biases once more under these names.
_COPY = re.compile(r"\.(modules_to_save\.\w+|original_module)\.")
# Settings of an adapter that determine what is merged.
_MERGED = (
    "r",
    "lora_alpha",
    "rank_pattern",
    "alpha_pattern",
    "use_rslora",
    "use_dora",
    "lora_bias",
    "fan_in_fan_out",
)
# Settings that do not: where it came from, how it was trained, and which modules it has, which
# follows from the names of its weights.
_OTHER = {
    *("peft_type", "peft_version", "task_type", "auto_mapping", "base_model_name_or_path"),
    *("revision", "inference_mode", "init_lora_weights", "lora_dropout", "eva_config"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "bias"),
    *("modules_to_save", "ensure_weight_tying", "megatron_core", "qalora_group_size"),
    *("runtime_config",),
}
# Initialisations that leave the weights of the base as they are.
_PLAIN_STARTS = (True, False, None, "gaussian", "orthogonal", "eva")


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter of a model.

    Attributes
    ----------
    where
        How messages name it.
    base
        Path or hub id of the model that it adapts, with ``@revision`` if it names one.
    beside
        Whether its own folder also holds that model.
    task
        Task that it was trained for, see `tasks.task`, or None if the class that it adapts has no
        head for one.
    settings
        Those of `peft.LoraConfig` that determine what is merged.
    weights
        The file of its weights.
    """

    where: str
    base: str
    beside: bool
    task: str | None
    settings: Mapping[str, Any]
    weights: Weights


def is_adapter(files: Files) -> bool:
    """Return whether there are an adapter's files among those of a folder or hub model."""
    return not {CONFIG, WEIGHTS, PICKLED}.isdisjoint(files.files)


def read_adapter(files: Files, *, pickles: bool) -> Adapter:
    """Read the configuration of an adapter; its weights are not opened.

    Parameters
    ----------
    files
        The files of its folder or hub model.
    pickles
        Whether weights pickled by torch may be read.

    Returns
    -------
    Adapter
        A LoRA adapter that `merge` can merge.

    Raises
    ------
    AssonanceError
        A file is missing or malformed. The adapter names no base, is of another method than LoRA,
        uses a setting that cannot be merged, or lies beside the weights of some other model. Or
        peft is not installed.
    """
    if CONFIG not in files.files:
        raise AssonanceError(
            f"{files.where}: weights of an adapter without {CONFIG}; get a complete copy"
        )
    content = read_json(files.fetch([CONFIG]), CONFIG, files.where)
    base, revision = content.get("base_model_name_or_path"), content.get("revision")
    if not isinstance(base, str) or not base:
        raise AssonanceError(
            f"{files.where}: an adapter that does not name its base; set base_model_name_or_path "
            f"in {CONFIG} to the path or hub id of the model that it was trained on"
        )
    what = f"{files.where}: an adapter of {printable(base)}"
    settings = _settings(content, what)
    mapping = content.get("auto_mapping")
    task = (
        tasks.task(tasks.classes(mapping.get("base_model_class")))
        if isinstance(mapping, dict)
        else None
    )
    adapter = Adapter(
        files.where,
        base if not revision or os.path.exists(base) else f"{base}@{revision}",  # noqa: PTH110
        _is_beside(files, base, what),
        task if task != tasks.PRETRAINING else None,
        settings,
        _weights(files, what, pickles=pickles),
    )
    if importlib.util.find_spec("peft") is None:
        raise AssonanceError(f"{what} by LoRA: merging needs peft; pip install 'assonance[peft]'")
    return adapter


def _settings(content: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return the settings that determine what is merged, and refuse others that would."""
    method = content.get("peft_type")
    if method != "LORA":
        raise AssonanceError(
            f"{what} by {printable(str(method))}, not by LoRA; merge it into its base with peft "
            "and save the whole model"
        )
    start = content.get("init_lora_weights", True)
    unusual = [
        f"{name}={value!r}"
        for name, value in content.items()
        if value and name not in _OTHER and name not in _MERGED
    ] + ([] if start in _PLAIN_STARTS else [f"init_lora_weights={start!r}"])
    if unusual:
        raise AssonanceError(
            f"{what} by LoRA with {printable(unusual[0])[:80]}, which is not supported; merge it "
            "into its base with peft and save the whole model"
        )
    return {name: content[name] for name in _MERGED if content.get(name) is not None}


def _is_beside(files: Files, base: str, what: str) -> bool:
    """Return whether the files include the base, and refuse any other model beside an adapter."""
    whole = not {*SINGLES, *INDEXES}.isdisjoint(files.files)
    if isinstance(files, LocalFiles):
        itself = os.path.exists(base) and os.path.samefile(base, files.folder)  # noqa: PTH110, PTH121
    else:
        itself = base == files.where.partition("@")[0]
    if whole and not itself:
        raise AssonanceError(
            f"{what} beside the weights of a whole model; move either to a folder of its own, and "
            "give that"
        )
    if itself and not whole:
        raise AssonanceError(
            f"{what}, which holds no whole model; correct base_model_name_or_path in {CONFIG}"
        )
    return whole


def _weights(files: Files, what: str, *, pickles: bool) -> Weights:
    """Choose the file of an adapter's weights."""
    if WEIGHTS in files.files:
        return Weights(files, (WEIGHTS,), pickled=False)
    if PICKLED not in files.files:
        raise AssonanceError(f"{what} without {WEIGHTS}; get a complete copy")
    if not pickles:
        raise AssonanceError(f"{what} with pickled weights ({PICKLED}), which --no-pickles refuses")
    return Weights(files, (PICKLED,), pickled=True)


def merge(
    encoder: "Module",
    adapter: Adapter,
    weights: "Mapping[str, Tensor]",
    places: Sequence[str],
) -> None:
    """Merge an adapter into the encoder of its base: W + (alpha / r)·B·A for each adapted weight W.

    Weights that the adapter holds whole replace those of the encoder. Weights of heads and decoders
    are left out.

    Parameters
    ----------
    encoder
        Changed in place.
    adapter
        Result of `read_adapter`.
    weights
        Its weights by the names that peft gives them.
    places
        What may precede the encoder's names in the model that was adapted, such as ``wav2vec2.``
        and nothing. The first that precedes any name counts.

    Raises
    ------
    AssonanceError
        The weights are not finite, do not fit the encoder, or have no part in it. The encoder may
        then be changed in part.
    """
    shown, base = adapter.where, printable(adapter.base)
    stored = {name: weight.float() for name, weight in weights.items()}
    place, own = _of_encoder(encoder, stored, places)
    if not own:
        raise AssonanceError(
            f"{shown}: the adapter holds no weight of the encoder of {base}; if it adapts only "
            "what follows the encoder, give its base instead"
        )
    modules = {name: found["module"] for name in own if (found := _LORA.fullmatch(name))}
    whole = {
        name.replace(".base_layer.", "."): own[name]
        for name in own.keys() - modules.keys()
        if (plain := _COPY.sub(".", name)) == name or plain not in own
    }
    state, submodules = encoder.state_dict(), dict(encoder.named_modules())
    _check(shown, "holds NaN or infinity in", {n for n in own if not is_finite(own[n])})
    _check(
        shown,
        f"does not fit {base} in",
        {n for n in whole if n not in state or state[n].shape != whole[n].shape}
        | {name for name, module in modules.items() if module not in submodules},
    )
    for name, weight in whole.items():
        state[name].copy_(weight)
    if modules:
        unplaced = _merge_lora(
            encoder,
            adapter,
            targets=sorted({f"{place}{module}" for module in modules.values()}),
            place=place,
            lora={f"{_TOP}{place}{name}": own[name] for name in modules},
        )
        _check(shown, f"does not fit {base} in", unplaced)
    state = encoder.state_dict()
    _check(shown, "makes NaN or infinity of", {n for n in state if not is_finite(state[n])})


def _merge_lora(
    encoder: "Module",
    adapter: Adapter,
    *,
    targets: list[str],
    place: str,
    lora: "dict[str, Tensor]",
) -> set[str]:
    """Merge the low-rank weights, and return the names of those that are missing or have no place.

    Nothing is merged if there are any.
    """
    import peft
    import torch

    # Settings may name modules by their full names, so the encoder is put where it was adapted.
    holder = torch.nn.ModuleDict(dict(encoder.named_children()))
    for part in reversed(place.split(".")[:-1]):
        holder = torch.nn.ModuleDict({part: holder})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            settings = peft.LoraConfig(target_modules=targets, **adapter.settings)
            adapted = peft.get_peft_model(holder, settings, low_cpu_mem_usage=True)
            outcome: Any = peft.set_peft_model_state_dict(adapted, lora, low_cpu_mem_usage=True)
            missing = {key for key in outcome.missing_keys if ".lora_" in key}
            unplaced = missing | set(outcome.unexpected_keys)
            if not unplaced:
                adapted.merge_and_unload()
    except Exception as error:
        raise AssonanceError(
            f"{adapter.where}: the adapter cannot be merged into {printable(adapter.base)} "
            f"({printable(error_text(error)[:200])}); get a complete copy of both"
        ) from error
    return {name.removeprefix(f"{_TOP}{place}") for name in unplaced}


def _of_encoder(
    encoder: "Module", stored: "Mapping[str, Tensor]", places: Sequence[str]
) -> "tuple[str, dict[str, Tensor]]":
    """Return the place of the encoder in the adapted model, and its weights by their own names."""
    names = {name.removeprefix(_TOP): name for name in stored}
    parts = [name for name, _ in encoder.named_children()]
    for place in places:
        inside = tuple(f"{place}{part}." for part in parts)
        own = {
            name.removeprefix(place): stored[full]
            for name, full in names.items()
            if name.startswith(inside)
        }
        if own:
            return place, own
    return "", {}


def _check(shown: str, what: str, names: Iterable[str]) -> None:
    wrong = sorted(names)
    if wrong:
        raise AssonanceError(
            f"{shown}: the adapter {what} {len(wrong)} weights: "
            f"{printable(', '.join(wrong[:3]))}{', …' if len(wrong) > 3 else ''}; "
            "get a complete copy of both"
        )

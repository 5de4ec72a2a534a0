"""Find, check and load checkpoints in the Hugging Face format, without running their code."""

import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub import snapshot_download
from huggingface_hub.utils.tqdm import are_progress_bars_disabled

from assonance import demo
from assonance.errors import AssonanceError, printable
from assonance.models.frame_grid import FrameGrid
from assonance.models.huggingface.families import FAMILIES, Family

_HUB_ID = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
_NEEDED = ["config.json", "*processor_config.json", "model*.safetensors", "model.safetensors.*json"]
_PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}
# Used in training only; transformers draws it at random if a checkpoint lacks it.
_UNUSED_WEIGHT = "masked_spec_embed"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of a supported family, with its configuration and preprocessing loaded.

    Attributes
    ----------
    name
        Last part of the folder's path or of the hub id.
    source
        Name or path as given.
    folder
        Folder of the files.
    config, extractor
        Configuration and feature extractor of transformers.
    family
        How its family is run and recorded.
    grid
        Frame grid.
    """

    name: str
    source: str
    folder: Path
    config: Any
    extractor: Any
    family: Family
    grid: FrameGrid


def find_checkpoint(spec: str | Path, *, offline: bool) -> Checkpoint:
    """Find a checkpoint and check its configuration; the weights are not opened.

    Parameters
    ----------
    spec
        A local directory, a hub id with or without ``@revision``, or the name of a bundled model.
    offline
        Whether to look for a hub id only in the local cache.

    Returns
    -------
    Checkpoint
        Checkpoint of a supported family.

    Raises
    ------
    AssonanceError
        The checkpoint does not exist, its family is not supported, or a file is missing or
        malformed.
    """
    folder, name = _locate(spec, offline)
    model_type = _read_json(folder / "config.json").get("model_type")
    if model_type not in tuple(FAMILIES):  # a tuple: JSON may hold an unhashable value
        raise AssonanceError(
            f"{printable(folder)}: models of type {model_type!r} are not supported; "
            f"supported are {', '.join(FAMILIES)}"
        )
    family = FAMILIES[model_type]
    if not _has_preprocessing(folder):
        raise AssonanceError(
            f"{printable(folder)}: no preprocessor_config.json, which defines the model's input; "
            "copy it from the source of the model"
        )
    with quiet(), errors_named(folder, "configuration"):
        config = transformers.AutoConfig.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
        extractor = transformers.AutoFeatureExtractor.from_pretrained(  # type: ignore[no-untyped-call]
            folder, trust_remote_code=False, local_files_only=True
        )
    if type(extractor).__name__ != family.extractor:
        raise AssonanceError(
            f"{printable(folder)}: preprocessing by {type(extractor).__name__} is not supported "
            f"for models of type {model_type}; use {family.extractor}"
        )
    kernels, strides = (getattr(config, name, []) for name in ("conv_kernel", "conv_stride"))
    counts = [*kernels, *strides, extractor.sampling_rate]
    if not all(isinstance(count, int) and count > 0 for count in counts):
        raise AssonanceError(
            f"{printable(folder)}: kernels, strides and sampling rate must be whole and positive, "
            f"not {counts}; get a complete copy"
        )
    with errors_named(folder, "configuration"):
        grid = family.grid(config, extractor)
    return Checkpoint(name, os.fspath(spec), folder, config, extractor, family, grid)


def _locate(spec: str | Path, offline: bool) -> tuple[Path, str]:
    """Return the folder that a name or path stands for, and the model's short name."""
    source = os.fspath(spec)
    local = Path(source)
    exists = os.path.exists(source)  # noqa: PTH110 - unlike Path.exists, never raises
    hub = None if isinstance(spec, Path) or exists else _HUB_ID.fullmatch(source)
    if hub is not None:
        return _fetch(hub["id"], hub["revision"], offline), hub["id"].split("/")[1]
    if not exists and (bundled := demo.find(source)) is not None:
        return bundled, bundled.name
    if exists and local.is_dir():
        return local, Path(os.path.abspath(local)).name  # noqa: PTH100 - keep links' names
    raise AssonanceError(
        f"{printable(source)}: {'not a directory' if exists else 'no such directory'}; "
        "give a model's directory, a hub id such as facebook/wav2vec2-base-960h, or a name "
        "that `assonance models` lists"
    )


def load_encoder(checkpoint: Checkpoint) -> torch.nn.Module:
    """Load the encoder of a checkpoint, and check that every weight is valid.

    Parameters
    ----------
    checkpoint
        Result of `find_checkpoint`.

    Returns
    -------
    Module
        In float32 and evaluation mode, with eager attention.

    Raises
    ------
    AssonanceError
        Weights are missing, pickled, damaged, not finite, or do not fit the configuration.
    """
    folder = printable(checkpoint.folder)
    _check_weight_files(checkpoint)
    # The random state is kept: transformers draws missing weights, even unused ones.
    with quiet(), torch.random.fork_rng(devices=[]), errors_named(checkpoint.folder, "weights"):
        model, report = getattr(transformers, checkpoint.family.loader).from_pretrained(
            checkpoint.folder,
            config=checkpoint.config,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            attn_implementation="eager",
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are reported below
        )
        encoder = _encoder_in(model, checkpoint)
    wrong = _wrong_weights(model, encoder, checkpoint, report)
    for what, keys in wrong.items():
        if keys:
            raise AssonanceError(
                f"{folder}: the checkpoint {what} {len(keys)} weights of the encoder: "
                f"{', '.join(sorted(keys)[:3])}{', …' if len(keys) > 3 else ''}; "
                "get a complete copy"
            )
    return encoder


def _wrong_weights(
    model: torch.nn.Module, encoder: torch.nn.Module, checkpoint: Checkpoint, report: Any
) -> dict[str, set[str]]:
    """Return the names of the encoder's weights that are missing, unfitting or not finite."""
    place = f"{checkpoint.family.encoder}." if checkpoint.family.encoder else ""
    parts = tuple(f"{place}{name}." for name, _ in encoder.named_children())
    return {
        "does not hold": {
            key
            for key in report["missing_keys"]
            if key.startswith(place) and not key.endswith(_UNUSED_WEIGHT)
        },
        "holds in other shapes than config.json says": {
            key for key, *_ in report["mismatched_keys"] if key.startswith(place)
        },
        "holds beyond what config.json says": {
            key
            for key in report["unexpected_keys"]
            if key.startswith(parts)
            or key.removeprefix(f"{model.base_model_prefix}.").startswith(parts)
        },
        "holds as NaN or infinity": {
            key for key, weight in used_weights(encoder) if not weight.isfinite().all()
        },
    }


def random_encoder(checkpoint: Checkpoint, seed: int) -> torch.nn.Module:
    """Create an encoder with random weights, as transformers initialises them.

    Parameters
    ----------
    checkpoint
        Result of `find_checkpoint`. Its weights are not opened and may be missing.
    seed
        Random seed. The global random state is not changed.

    Returns
    -------
    Module
        As from `load_encoder`.

    Raises
    ------
    AssonanceError
        The configuration is invalid.
    """
    with (
        quiet(),
        errors_named(checkpoint.folder, "config.json"),
        torch.random.fork_rng(devices=[]),
    ):
        torch.default_generator.manual_seed(seed)
        model = getattr(transformers, checkpoint.family.loader).from_config(
            checkpoint.config, attn_implementation="eager", dtype=torch.float32
        )
        return _encoder_in(model, checkpoint).eval()


def _encoder_in(model: torch.nn.Module, checkpoint: Checkpoint) -> torch.nn.Module:
    """Return the encoder inside a loaded model."""
    return model.get_submodule(checkpoint.family.encoder)


def used_weights(encoder: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the names and values of weights and buffers used in evaluation, sorted by name."""
    for key, weight in sorted(encoder.state_dict().items()):
        if not key.endswith(_UNUSED_WEIGHT):
            yield key, weight


def _fetch(hub_id: str, revision: str | None, offline: bool) -> Path:
    """Return the local folder of a hub model, downloaded unless `offline`."""
    with quiet():
        try:
            folder = snapshot_download(
                hub_id, revision=revision, allow_patterns=_NEEDED, local_files_only=offline
            )
        except Exception as error:
            where = "in the local cache" if offline else "on the Hugging Face Hub"
            why = "" if offline else f" ({_first_line(error)})"
            raise AssonanceError(
                f"{hub_id}: no such directory, and not found {where}{why}; "
                "use a local directory, or check the name and the network"
            ) from error
    return Path(folder)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise AssonanceError(
            f"{printable(path.parent)}: no {path.name}; give the directory of a saved model"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise AssonanceError(
            f"{printable(path)}: cannot be read as JSON ({_first_line(error)}); get a complete copy"
        ) from error
    if not isinstance(content, dict):
        raise AssonanceError(f"{printable(path)}: not a JSON object; get a complete copy")
    return content


def _has_preprocessing(folder: Path) -> bool:
    """Return whether there are preprocessing settings, in their own file or nested."""
    if (folder / "preprocessor_config.json").is_file():
        return True
    nested = folder / "processor_config.json"
    return nested.is_file() and "feature_extractor" in _read_json(nested)


def _check_weight_files(checkpoint: Checkpoint) -> None:
    folder = checkpoint.folder
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        return
    if index.is_file():
        shards = _read_json(index).get("weight_map")
        if not isinstance(shards, dict):
            raise AssonanceError(f"{printable(index)}: has no weight_map; get a complete copy")
        missing = sorted(
            {str(name) for name in shards.values() if not (folder / str(name)).is_file()}
        )
        if missing:
            raise AssonanceError(
                f"{printable(folder)}: {printable(missing[0])}, which {index.name} names, is "
                "missing; get a complete copy"
            )
        return
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    raise AssonanceError(
        f"{printable(checkpoint.source)}: "
        + (
            f"only pickled weights ({pickles[0]}), which are never opened"
            if pickles
            else "no weights"
        )
        + "; model.safetensors is needed: convert the weights to safetensors or, for a hub model, "
        "name a revision that has them, as ID@REVISION"
    )


@contextmanager
def errors_named(folder: Path, what: str) -> Iterator[None]:
    """Convert any error of a library into one line that names the folder."""
    try:
        yield
    except Exception as error:
        raise AssonanceError(
            f"{printable(folder)}: its {what} cannot be loaded ({_first_line(error)}); "
            "get a complete copy"
        ) from error


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message, at most 200 characters of it."""
    words = printable(str(error).strip().partition("\n")[0]) or type(error).__name__
    return words if len(words) <= 200 else f"{words[:200]}…"


@contextmanager
def quiet() -> Iterator[None]:
    """Silence messages and progress bars of the libraries."""
    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    bars = not are_progress_bars_disabled()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if bars:
            transformers.utils.logging.enable_progress_bar()  # type: ignore[no-untyped-call]

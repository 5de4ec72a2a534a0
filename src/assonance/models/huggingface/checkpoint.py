"""Checkpoints in the Hugging Face format: found, checked and loaded without trusting them."""

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


# Drawn anew where a checkpoint lacks it, and used in training only.
_UNUSED_WEIGHT = "masked_spec_embed"


@dataclass(frozen=True)
class Checkpoint:
    """A folder that holds a supported model, its configuration and preprocessing read.

    Attributes
    ----------
    name
        Last part of the folder's path or of the hub id.
    source
        The specification as given.
    folder
        Where the files are.
    config, extractor
        The configuration and the feature extractor of transformers.
    family
        How its kind is run and read.
    grid
        Where its frames lie.
    """

    name: str
    source: str
    folder: Path
    config: Any
    extractor: Any
    family: Family
    grid: FrameGrid


def find_checkpoint(spec: str | Path, *, offline: bool) -> Checkpoint:
    """Find and check a checkpoint; its weights are not opened yet.

    Parameters
    ----------
    spec
        A local directory, a hub id with or without ``@revision``, or the name of a bundled model.
    offline
        Whether to look for a hub id in the local cache alone.

    Returns
    -------
    Checkpoint
        Of a supported family.

    Raises
    ------
    AssonanceError
        There is no such checkpoint, it is of another family, or a file is missing or malformed.
    """
    source = os.fspath(spec)
    local = Path(source)
    there = os.path.exists(source)  # noqa: PTH110 - unlike Path.exists, never raises
    hub = None if isinstance(spec, Path) or there else _HUB_ID.fullmatch(source)
    if hub is not None:
        folder, name = _fetch(hub["id"], hub["revision"], offline), hub["id"].split("/")[1]
    elif not there and (bundled := demo.find(source)) is not None:
        folder, name = bundled, bundled.name
    elif there and local.is_dir():
        folder, name = local, Path(os.path.abspath(local)).name  # noqa: PTH100 - keep links' names
    else:
        raise AssonanceError(
            f"{printable(source)}: {'not a directory' if there else 'no such directory'}; "
            "give a model's directory, a hub id such as facebook/wav2vec2-base-960h, or a name "
            "that `assonance models` lists"
        )
    model_type = _read_json(folder / "config.json").get("model_type")
    if model_type not in tuple(FAMILIES):  # whatever JSON may hold, hashable or not
        raise AssonanceError(
            f"{printable(folder)}: models of type {model_type!r} are not supported; "
            f"supported are {', '.join(FAMILIES)}"
        )
    family = FAMILIES[model_type]
    if not _has_preprocessing(folder):
        raise AssonanceError(
            f"{printable(folder)}: no preprocessor_config.json, which says how the model expects "
            "its samples; copy it from where the model came"
        )
    with quiet(), explained(folder, "configuration"):
        config = transformers.AutoConfig.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
        extractor = transformers.AutoFeatureExtractor.from_pretrained(  # type: ignore[no-untyped-call]
            folder, trust_remote_code=False, local_files_only=True
        )
    if type(extractor).__name__ != family.extractor:
        raise AssonanceError(
            f"{printable(folder)}: preprocessing by {type(extractor).__name__} is not supported "
            f"for models of type {model_type}; {family.extractor} is"
        )
    kernels, strides = (getattr(config, name, []) for name in ("conv_kernel", "conv_stride"))
    counts = [*kernels, *strides, extractor.sampling_rate]
    if not all(isinstance(count, int) and count > 0 for count in counts):
        raise AssonanceError(
            f"{printable(folder)}: kernels, strides and sampling rate must be whole and positive, "
            f"not {counts}; get a whole copy"
        )
    with explained(folder, "configuration"):
        grid = family.grid(config, extractor)
    return Checkpoint(name, source, folder, config, extractor, family, grid)


def load_encoder(checkpoint: Checkpoint) -> torch.nn.Module:
    """Load a checkpoint's encoder, whole or not at all.

    Parameters
    ----------
    checkpoint
        As found by `find_checkpoint`.

    Returns
    -------
    Module
        In float32, in evaluation mode, with attention weights computed openly.

    Raises
    ------
    AssonanceError
        The weights are missing, pickled, damaged, not finite, or not those of the configuration.
    """
    folder = printable(checkpoint.folder)
    _check_weights_are_there(checkpoint)
    # A weight that the checkpoint lacks is drawn at random, even one that is never used.
    with quiet(), torch.random.fork_rng(devices=[]), explained(checkpoint.folder, "weights"):
        whole, report = getattr(transformers, checkpoint.family.loader).from_pretrained(
            checkpoint.folder,
            config=checkpoint.config,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            attn_implementation="eager",
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # to name them below
        )
        encoder = _encoder_of(whole, checkpoint)
    place = f"{checkpoint.family.encoder}." if checkpoint.family.encoder else ""
    parts = tuple(f"{place}{name}." for name, _ in encoder.named_children())
    wrong = {
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
            or key.removeprefix(f"{whole.base_model_prefix}.").startswith(parts)
        },
        "holds as NaN or infinity": {
            key for key, weight in used_weights(encoder) if not weight.isfinite().all()
        },
    }
    for what, keys in wrong.items():
        if keys:
            raise AssonanceError(
                f"{folder}: the checkpoint {what} {len(keys)} weights of the encoder: "
                f"{', '.join(sorted(keys)[:3])}{', …' if len(keys) > 3 else ''}; get a whole copy"
            )
    return encoder


def fresh_encoder(checkpoint: Checkpoint, seed: int) -> torch.nn.Module:
    """Draw an encoder's weights as transformers initialises them.

    Parameters
    ----------
    checkpoint
        As found by `find_checkpoint`; its own weights are not opened, and need not be there.
    seed
        Draws them; the global random state stays as it was.

    Returns
    -------
    Module
        As `load_encoder` gives it.

    Raises
    ------
    AssonanceError
        There can be no model of this configuration.
    """
    with (
        quiet(),
        explained(checkpoint.folder, "config.json"),
        torch.random.fork_rng(devices=[]),
    ):
        torch.default_generator.manual_seed(seed)
        whole = getattr(transformers, checkpoint.family.loader).from_config(
            checkpoint.config, attn_implementation="eager", dtype=torch.float32
        )
        return _encoder_of(whole, checkpoint).eval()


def _encoder_of(whole: torch.nn.Module, checkpoint: Checkpoint) -> torch.nn.Module:
    """Part the encoder from what it was saved with."""
    return whole.get_submodule(checkpoint.family.encoder)


def used_weights(encoder: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Go through the weights and buffers that take part in evaluation, by name."""
    for key, weight in sorted(encoder.state_dict().items()):
        if not key.endswith(_UNUSED_WEIGHT):
            yield key, weight


def _fetch(hub_id: str, revision: str | None, offline: bool) -> Path:
    """Bring a hub model's files into the local cache, or find them there."""
    with quiet():
        try:
            folder = snapshot_download(
                hub_id, revision=revision, allow_patterns=_NEEDED, local_files_only=offline
            )
        except Exception as error:
            where = "in the local cache" if offline else "on the Hugging Face Hub"
            why = "" if offline else f" ({_why(error)})"
            raise AssonanceError(
                f"{hub_id}: no such directory, and not to be had {where}{why}; "
                "use a local directory or check the name and the network"
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
            f"{printable(path)}: cannot be read as JSON ({_why(error)}); get a whole copy"
        ) from error
    if not isinstance(content, dict):
        raise AssonanceError(f"{printable(path)}: not a JSON object; get a whole copy")
    return content


def _has_preprocessing(folder: Path) -> bool:
    """Say whether preprocessing is on file, in its own file or nested in a processor's."""
    if (folder / "preprocessor_config.json").is_file():
        return True
    nested = folder / "processor_config.json"
    return nested.is_file() and "feature_extractor" in _read_json(nested)


def _check_weights_are_there(checkpoint: Checkpoint) -> None:
    folder = checkpoint.folder
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        return
    if index.is_file():
        shards = _read_json(index).get("weight_map")
        if not isinstance(shards, dict):
            raise AssonanceError(f"{printable(index)}: has no weight_map; get a whole copy")
        absent = sorted(
            {str(name) for name in shards.values() if not (folder / str(name)).is_file()}
        )
        if absent:
            raise AssonanceError(
                f"{printable(folder)}: {printable(absent[0])}, which {index.name} names, is "
                "missing; get a whole copy"
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
        + "; model.safetensors is needed: convert them to safetensors, or for a hub model name a "
        "revision that has them, as ID@REVISION"
    )


@contextmanager
def explained(folder: Path, what: str) -> Iterator[None]:
    """Turn whatever a library makes of a malformed file into one line about the file."""
    try:
        yield
    except Exception as error:
        raise AssonanceError(
            f"{printable(folder)}: its {what} cannot be loaded ({_why(error)}); get a whole copy"
        ) from error


def _why(error: Exception) -> str:
    """Give the first line of an error's own words."""
    words = printable(str(error).strip().partition("\n")[0]) or type(error).__name__
    return words if len(words) <= 200 else f"{words[:200]}…"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries from writing to the terminal; errors say what there is to say."""
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

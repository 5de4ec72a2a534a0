"""Check checkpoints of supported families, and load their encoders without running their code."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.utils.tqdm import are_progress_bars_disabled

from assonance.errors import AssonanceError, printable
from assonance.models.checkpoints import tasks
from assonance.models.checkpoints.adapters import merge
from assonance.models.checkpoints.published import Opening, Published, find_published
from assonance.models.checkpoints.weights import Weights, is_finite
from assonance.models.frame_grid import FrameGrid
from assonance.models.huggingface.families import FAMILIES, Family
from assonance.utils.progress import Progress, Silent
from assonance.utils.silence import silenced

_SILENT = Silent()
# Used in training only; transformers draws it at random if a checkpoint lacks it.
_UNUSED_WEIGHT = "masked_spec_embed"
# Parts of the names that peft gives to the weights of an adapted layer.
_WRAPPED = re.compile(r"\.(base_layer|lora_[A-Z]\w*)\.")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of a supported family, with its configuration and preprocessing loaded.

    Attributes
    ----------
    published
        The checkpoint's files.
    source
        Name or path, for readers.
    config, extractor
        Configuration and feature extractor of transformers.
    family
        How its family is run and recorded.
    grid
        Frame grid.
    notes
        What readers of results must know of how it was opened.
    """

    published: Published
    source: str
    config: Any
    extractor: Any
    family: Family
    grid: FrameGrid
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Short name."""
        return self.published.name

    @property
    def where(self) -> str:
        """Folder, file or hub id, as messages name it."""
        return self.published.where

    @property
    def classes(self) -> list[str]:
        """Names of the classes of transformers that it was saved with."""
        return tasks.classes(self.config.architectures)

    @property
    def task(self) -> str | None:
        """Task that it was trained for last; see `tasks.task`."""
        if self.published.adapter is not None:
            return self.published.adapter.task
        return tasks.task(self.classes)

    @property
    def base(self) -> str | None:
        """Name or path of the model that an adapter is merged into, or None without an adapter."""
        return None if self.published.adapter is None else self.published.adapter.base

    @property
    def fine_tuned(self) -> bool:
        """Whether it was trained for a task after its pretraining."""
        return self.base is not None or tasks.is_fine_tuning(self.task, self.family.objective)


def find_checkpoint(spec: str | Path, opening: Opening) -> Checkpoint:
    """Find a checkpoint and check its configuration; the weights are not opened.

    Parameters
    ----------
    spec
        As `assonance.models.checkpoints.location.locate` takes it.
    opening
        Options.

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
    published = find_published(spec, opening)
    where = published.where
    model_type = published.config.get("model_type")
    if model_type not in tuple(FAMILIES):  # a tuple: JSON may hold an unhashable value
        raise AssonanceError(
            f"{where}: models of type {model_type!r} are not supported; "
            f"supported are {', '.join(FAMILIES)}"
        )
    family = FAMILIES[model_type]
    if published.config.get("quantization_config") is not None:
        raise AssonanceError(
            f"{where}: its weights are quantised, so its layers are not those of the model; "
            "get the original weights"
        )
    preprocessing, notes = published.preprocessing()
    kind = preprocessing.get("feature_extractor_type", family.extractor)
    if kind != family.extractor:
        raise AssonanceError(
            f"{where}: preprocessing by {kind} is not supported "
            f"for models of type {model_type}; use {family.extractor}"
        )
    with quiet(), errors_named(where, "configuration"):
        config = transformers.CONFIG_MAPPING[model_type].from_dict(dict(published.config))
        extractor = getattr(transformers, family.extractor).from_dict(dict(preprocessing))
    kernels, strides = (getattr(config, name, []) for name in ("conv_kernel", "conv_stride"))
    counts = [*kernels, *strides, extractor.sampling_rate]
    if not all(isinstance(count, int) and count > 0 for count in counts):
        raise AssonanceError(
            f"{where}: kernels, strides and sampling rate must be whole and positive, "
            f"not {counts}; get a complete copy"
        )
    with errors_named(where, "configuration"):
        grid = family.grid(config, extractor)
    notes = (*published.notes, *notes)
    found = Checkpoint(published, published.source, config, extractor, family, grid, notes)
    return replace(found, notes=(*notes, *_notes_on_task(found)))


def _notes_on_task(checkpoint: Checkpoint) -> Iterator[str]:
    """Yield a note if it is unknown whether a checkpoint was fine-tuned."""
    saved_as = ", ".join(checkpoint.classes)
    if saved_as and checkpoint.task is None and not checkpoint.fine_tuned:
        yield (
            f"{checkpoint.name}: taken as pretrained, since its class {printable(saved_as)[:80]} "
            "is not known; if it was fine-tuned, state its base with --tuned-from"
        )


def load_encoder(
    checkpoint: Checkpoint, weights: Weights, progress: Progress = _SILENT
) -> tuple[torch.nn.Module, str]:
    """Load the encoder of a checkpoint, and check that every weight is valid.

    Parameters
    ----------
    checkpoint
        Result of `find_checkpoint`.
    weights
        The files of its weights, as `Published.weights` chooses them.
    progress
        Receives the stages of downloading and converting.

    Returns
    -------
    tuple of Module and str
        The encoder in float32 and evaluation mode, with eager attention; and the origin of the
        weights, see `Weights.read`.

    Raises
    ------
    AssonanceError
        Weights are missing, damaged, not finite, or do not fit the configuration.
    """
    tensors, origin = weights.read(progress)
    _refuse_wrapped(tensors, checkpoint.where)
    names = checkpoint.published.names
    if names is not None:
        tensors = {names[name]: tensor for name, tensor in tensors.items() if name in names}
    # The random state is kept: transformers draws missing weights, even unused ones.
    with (
        quiet(),
        torch.random.fork_rng(devices=[]),
        errors_named(checkpoint.where, "weights"),
    ):
        model, report = _model_class(checkpoint).from_pretrained(
            None,
            config=checkpoint.config,
            state_dict=tensors,
            attn_implementation="eager",
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are reported below
        )
        encoder = _encoder_in(model, checkpoint)
    wrong = _wrong_weights(model, encoder, checkpoint, report, set(tensors))
    for what, keys in wrong.items():
        if keys:
            raise AssonanceError(
                f"{checkpoint.where}: the checkpoint {what} {len(keys)} weights of the encoder: "
                f"{', '.join(sorted(keys)[:3])}{', …' if len(keys) > 3 else ''}; "
                "get a complete copy"
            )
    if (adapter := checkpoint.published.adapter) is not None:
        merge(encoder, adapter, adapter.weights.read(progress)[0], _places(model, checkpoint))
        origin += f", adapted by {adapter.weights.names[0]}"
    return encoder, origin


def _refuse_wrapped(names: Iterable[str], where: str) -> None:
    """Refuse weights that were saved from inside an adapter, whose base they name in parts."""
    if any(name.startswith("base_model.model.") or _WRAPPED.search(name) for name in names):
        raise AssonanceError(
            f"{where}: weights of a model wrapped in an adapter, not merged into it; merge the "
            "adapter (merge_and_unload in peft) and save the model again"
        )


def _model_class(checkpoint: Checkpoint) -> Any:
    """Return the class of transformers that holds the encoder."""
    return getattr(transformers, checkpoint.family.classes)[type(checkpoint.config)]


def _wrong_weights(
    model: torch.nn.Module,
    encoder: torch.nn.Module,
    checkpoint: Checkpoint,
    report: Any,
    stored: set[str],
) -> dict[str, set[str]]:
    """Return the names of the encoder's weights that are missing, unfitting or not finite.

    Weights saved with a head have the prefix of the base model, such as ``wav2vec2.``. Any other
    name then belongs to the head, which may have layers named as the encoder's.
    """
    place = f"{checkpoint.family.encoder}." if checkpoint.family.encoder else ""
    prefix = f"{model.base_model_prefix}."
    prefixed = any(name.startswith(prefix) for name in stored)
    under, alone = _places(model, checkpoint)
    outer = under if prefixed else alone
    parts = tuple(f"{outer}{name}." for name, _ in encoder.named_children())
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
            key for key in report["unexpected_keys"] if key.startswith(parts)
        },
        f"holds twice, with {prefix!r} before the name and without it,": {
            name
            for name in stored
            if prefixed and name.startswith(parts) and name.removeprefix(prefix) in stored
        },
        "holds as NaN or infinity": {
            key for key, weight in used_weights(encoder) if not is_finite(weight)
        },
    }


def _places(model: torch.nn.Module, checkpoint: Checkpoint) -> tuple[str, str]:
    """Return what precedes an encoder's names in files: with the base model's prefix and without.

    An example is ``model.encoder.`` and ``encoder.``.
    """
    prefix = f"{model.base_model_prefix}."
    place = f"{checkpoint.family.encoder}." if checkpoint.family.encoder else ""
    alone = place.removeprefix(prefix)
    return prefix + alone, alone


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
        errors_named(checkpoint.where, "config.json"),
        torch.random.fork_rng(devices=[]),
    ):
        torch.default_generator.manual_seed(seed)
        model = _model_class(checkpoint)._from_config(
            checkpoint.config, attn_implementation="eager", dtype=torch.float32
        )
        return _encoder_in(model, checkpoint).eval()


def empty_encoder(checkpoint: Checkpoint) -> torch.nn.Module:
    """Create an encoder without values, which takes no memory, to read its structure.

    Raises
    ------
    AssonanceError
        The configuration is invalid.
    """
    with (
        quiet(),
        errors_named(checkpoint.where, "config.json"),
        torch.random.fork_rng(devices=[]),
        torch.device("meta"),
    ):
        return _encoder_in(_model_class(checkpoint)._from_config(checkpoint.config), checkpoint)


def _encoder_in(model: torch.nn.Module, checkpoint: Checkpoint) -> torch.nn.Module:
    """Return the encoder inside a loaded model."""
    return model.get_submodule(checkpoint.family.encoder)


def used_weights(encoder: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the names and values of weights and buffers used in evaluation, sorted by name."""
    for key, weight in sorted(encoder.state_dict().items()):
        if not key.endswith(_UNUSED_WEIGHT):
            yield key, weight


@contextmanager
def errors_named(where: str, what: str) -> Iterator[None]:
    """Convert any error of a library into one line that names the checkpoint."""
    try:
        yield
    except Exception as error:
        raise AssonanceError(
            f"{where}: its {what} cannot be loaded ({_first_line(error)}); get a complete copy"
        ) from error


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message, at most 200 characters of it."""
    words = printable(str(error).strip().partition("\n")[0]) or type(error).__name__
    return words if len(words) <= 200 else f"{words[:200]}…"


@contextmanager
def quiet() -> Iterator[None]:
    """Silence messages and progress bars of the libraries."""
    bars = not are_progress_bars_disabled()
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with silenced("transformers", "huggingface_hub"):
            yield
    finally:
        if bars:
            transformers.utils.logging.enable_progress_bar()  # type: ignore[no-untyped-call]

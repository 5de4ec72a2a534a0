"""Describe a checkpoint in words, before its weights are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assonance.errors import AssonanceError, join_names, printable
from assonance.models.checkpoints.files import place
from assonance.models.checkpoints.published import Opening
from assonance.models.checkpoints.weights import Weights, stored_shapes
from assonance.models.huggingface.checkpoint import Checkpoint, empty_encoder, find_checkpoint
from assonance.models.huggingface.encoder import describe_input, describe_size
from assonance.models.huggingface.recording import DEFAULT, find_taps
from assonance.utils.memory import format_bytes


@dataclass(frozen=True)
class Description:
    """A checkpoint in words.

    Attributes
    ----------
    name
        Folder, file or hub id.
    facts
        Value by name, in the order to be read.
    refusal
        Why its weights cannot be opened, in one line; empty if they can.
    """

    name: str
    facts: dict[str, str]
    refusal: str = ""


def describe(spec: str | Path, opening: Opening) -> Description:
    """Describe a checkpoint by its small files; no weight is downloaded or read.

    Parameters
    ----------
    spec
        As `assonance.models.checkpoints.location.locate` takes it.
    opening
        Options.

    Returns
    -------
    Description
        What it is, and whether it opens.

    Raises
    ------
    AssonanceError
        There is no such checkpoint, or its family is not supported.
    """
    checkpoint = find_checkpoint(spec, opening)
    facts = _model(checkpoint) | _speech(checkpoint)
    refusal = ""
    try:
        weights = checkpoint.published.weights()
        adapter = checkpoint.published.adapter
        parts = {"weights": weights} | ({"adapter": adapter.weights} if adapter else {})
        facts |= _weights(parts)
        for part in parts.values():
            _check(part)
    except AssonanceError as error:
        refusal = str(error).removeprefix(f"{checkpoint.where}: ")
    if notes := checkpoint.notes:
        facts["notes"] = "; ".join(notes)
    facts["opens"] = f"no: {refusal}" if refusal else "yes"
    return Description(checkpoint.where, facts, refusal)


def _model(checkpoint: Checkpoint) -> dict[str, str]:
    """Return what a model is."""
    config, family = checkpoint.config, checkpoint.family
    encoder = empty_encoder(checkpoint)
    blocks = list(encoder.get_submodule(family.blocks).children())
    layers = find_taps(family, encoder, encoder.config, DEFAULT)
    parameters = sum(each.numel() for each in encoder.parameters())
    origin = checkpoint.base or str(checkpoint.published.config.get("_name_or_path") or "")
    tuned = [f"for {checkpoint.task}"] if checkpoint.task else []
    tuned += [f"from {printable(origin)}"] if origin else []
    saved = ", ".join(checkpoint.classes)
    return {
        "form": checkpoint.published.origin,
        "family": config.model_type,
        "pretraining": f"{family.objective} objective",
        "fine-tuned": (", ".join(tuned) or "yes") if checkpoint.fine_tuned else "no",
        **({"saved as": printable(saved)} if saved else {}),
        "size": f"{describe_size(len(blocks), layers[-1].width)}, "
        f"{getattr(encoder.config, family.heads)} heads, {parameters / 1e6:.1f} M parameters",
        "layers": f"{layers[0].label} to {layers[-1].label}",
    }


def _speech(checkpoint: Checkpoint) -> dict[str, str]:
    """Return what a model takes, and its frames."""
    rate, grid = checkpoint.extractor.sampling_rate, checkpoint.grid
    frames = f"one every {1000 * grid.hop / rate:g} ms"
    if grid.needs > 1:
        frames += f", the first from {1000 * grid.needs / rate:g} ms of speech"
    return {"input": describe_input(checkpoint.extractor), "frames": frames}


def _weights(parts: Mapping[str, Weights]) -> dict[str, str]:
    """Return where weights are, and what must be done before they can be read."""
    facts = {}
    for what, weights in parts.items():
        facts[what] = f"{join_names(weights.names)}, {format_bytes(weights.size)}"
        if weights.pickled:
            facts[what] += ", pickled: read as data and converted once to safetensors"
    if missing := [file for weights in parts.values() for file in weights.missing()]:
        facts["to download"] = format_bytes(sum(file.size for file in missing))
    return facts


def _check(weights: Weights) -> None:
    """Check the list of contents of weights on this machine.

    Raises
    ------
    AssonanceError
        A file is damaged, or pickles something else than weights.
    """
    if not weights.missing():
        folder = weights.files.fetch(weights.names)
        for name in weights.names:
            stored_shapes(folder / name, place(weights.files, name))

"""Load a model from its name: a checkpoint, a bundled model, a random twin or user code."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from assonance.errors import AssonanceError, printable
from assonance.models.speech_model import SpeechModel

RANDOM = "random:"


@dataclass(frozen=True)
class Loading:
    """Options for loading a checkpoint; see `load_model`.

    The names of the fields are those of the parameters of `encoder.load`.

    Attributes
    ----------
    record
        Kinds of layers to record.
    precision
        Number format that layers are computed in.
    device
        Torch device.
    offline
        Whether to use only checkpoints that are on this machine.
    """

    record: tuple[str, ...] = ("blocks",)
    precision: str = "float32"
    device: str = "cpu"
    offline: bool = False


def as_kinds(record: str | Iterable[str]) -> tuple[str, ...]:
    """Return one or more kinds of layers as a tuple."""
    return (record,) if isinstance(record, str) else tuple(record)


def load_model(
    spec: str | Path,
    *,
    offline: bool = False,
    device: str = "cpu",
    record: str | Iterable[str] = "blocks",
    precision: str = "float32",
) -> SpeechModel:
    """Load a speech model.

    Parameters
    ----------
    spec
        One of

        - a local directory in the Hugging Face format, or a hub id such as
          ``facebook/wav2vec2-base-960h``, optionally with ``@revision``: an encoder of the
          wav2vec2, HuBERT, WavLM, data2vec, UniSpeech, SEW, Conformer, w2v-BERT, Whisper and
          related families, pretrained or fine-tuned;
        - the name of a bundled model, such as ``hubert-mini``, unless a directory has this name;
        - a directory of activations with an ``activations.yaml``; see `Precomputed`;
        - ``random:<checkpoint>@<seed>``: a random twin, which has the same architecture and
          preprocessing but random weights;
        - ``rotated:<model>@<seed>``: the same layers in random axes; see `RotatedModel`;
        - ``mel`` or ``mfcc``: log-mel frames or cepstral coefficients;
        - ``module:<package>.<function>``: the return value of a Python function without
          arguments: a `TorchModel`, or any object with the members of `SpeechModel`. The working
          directory is searched too. No other spec executes code.
    offline
        Never use the network: look for a hub id in the local cache only.
    device
        Torch device that runs the checkpoint.
    record
        Kinds of layers to record from the encoder of a checkpoint, one or more of

        - ``blocks``: ``encoder.0``, the input of the first block, and ``encoder.k``, the output of
          block k;
        - ``final``: ``encoder.final``, the output of the last block after the final norm, in
          families that have one;
        - ``ffn``: ``ffn.k``, the hidden neurons of block k's feed-forward network after the
          activation function (``ffn1.k`` and ``ffn2.k`` if there are two networks);
        - ``attention``: ``attention.k``, the output of block k's attention, before it is added
          to the residual stream;
        - ``heads``: ``heads.k``, the concatenated outputs of block k's attention heads, before
          the output projection;
        - ``cnn``: ``cnn``, the output of the last convolution.

        Attention maps are recorded with the blocks. Kinds that a family lacks are skipped.
    precision
        ``float32``, or ``bfloat16`` or ``float16`` to run the checkpoint in torch's automatic
        mixed precision: faster on an accelerator; `compare` reports the rounding error. Weights,
        results and attention maps stay in float32.

    Returns
    -------
    SpeechModel
        In float32 and in evaluation mode.

    Raises
    ------
    AssonanceError
        If the device is missing; or if the model is missing or not supported, its weights are
        pickled, damaged or incomplete, or it has no layer of the kinds to record. Pickles are
        never opened and remote code is never executed.

    Examples
    --------
    >>> import assonance
    >>> model = assonance.load_model("hubert-mini")
    >>> model.sampling_rate
    16000
    >>> model.layers[:2]
    ('encoder.0', 'encoder.1')
    """
    return load(spec, Loading(as_kinds(record), precision, device, offline))


def load(spec: str | Path, loading: Loading) -> SpeechModel:
    """Load a speech model with the given options; see `load_model`."""
    # Imported here because torch and transformers take seconds to import.
    from assonance.models import precomputed, rotated, spectra, user_code
    from assonance.models.huggingface import encoder

    if isinstance(spec, str):
        if spec in spectra.BASELINES and not Path(spec).is_dir():
            return spectra.BASELINES[spec]()
        if spec.startswith(RANDOM):
            return load_random(spec, loading)
        if spec.startswith(rotated.PREFIX):
            original, seed = split_seed(spec, rotated.PREFIX, "rotated model", "model")
            return rotated.RotatedModel(load(original, loading), seed)
        if spec.startswith(user_code.PREFIX):
            return user_code.load(spec)
    if precomputed.is_one(spec):
        return precomputed.Precomputed(spec)
    return encoder.load(spec, **vars(loading))


def load_random(spec: str, loading: Loading) -> SpeechModel:
    """Load the random twin that ``random:<checkpoint>@<seed>`` names; see `load_model`.

    The weights of the checkpoint are not read and may be missing.
    """
    from assonance.models.huggingface.checkpoint import find_checkpoint
    from assonance.models.huggingface.encoder import random_twin

    original, seed = split_seed(spec, RANDOM, "random model", "directory or hub id")
    checkpoint = find_checkpoint(original, offline=loading.offline)
    return random_twin(
        checkpoint,
        seed,
        device=loading.device,
        record=loading.record,
        precision=loading.precision,
    )


def split_seed(spec: str, prefix: str, what: str, of: str) -> tuple[str, int]:
    """Split ``<prefix><model>@<seed>`` into model and seed.

    Parameters
    ----------
    spec, prefix
        The whole name, and its prefix.
    what, of
        What the name stands for and what it is derived from, for the error message.

    Returns
    -------
    tuple of str and int
        Name of the model, and the seed.

    Raises
    ------
    AssonanceError
        If the model is missing, or the text after the last ``@`` is no whole number.
    """
    original, _, seed = spec.removeprefix(prefix).rpartition("@")
    if not original or not (seed.isascii() and seed.isdigit()) or int(seed) >= 2**63:
        raise AssonanceError(
            f"{printable(spec)}: write a {what} as {prefix}<{of}>@<seed>, the seed a whole number"
        )
    return original, int(seed)

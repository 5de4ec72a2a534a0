"""Load a model from whatever its name stands for."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from assonance.models.seeded import parted
from assonance.models.speech_model import SpeechModel

RANDOM = "random:"


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
          ``facebook/wav2vec2-base-960h``, with or without ``@revision``: an encoder of the
          wav2vec2, HuBERT, WavLM, data2vec, UniSpeech, SEW, Conformer, w2v-BERT or Whisper
          families and some more, pretrained or fine-tuned;
        - the name of a bundled model, such as ``hubert-mini``, where no directory is called so;
        - a directory of activations with an ``activations.yaml``, see `Precomputed`;
        - ``random:<checkpoint>@<seed>``: the same architecture and preprocessing, fresh weights;
        - ``rotated:<model>@<seed>``: the same layers in random axes, see `RotatedModel`;
        - ``mel`` or ``mfcc``;
        - ``module:<package>.<function>``: what this Python function, called without arguments,
          gives: a `TorchModel` or anything else with the members of `SpeechModel`. It is looked
          for in the working directory too, and is the only code that is ever run for a name.
    offline
        Never reach for the network: look for a hub id in the local cache alone.
    device
        Torch device to run checkpoints on.
    record
        What is a layer of a checkpoint's encoder, one or more of

        - ``blocks``: ``encoder.0``, the input of the first block, and ``encoder.k``, the output of
          block k;
        - ``final``: ``encoder.final``, the last block's output after the norm that follows it in
          families whose blocks do not end with one;
        - ``ffn``: ``ffn.k``, the hidden neurons of block k's feed-forward part, activated
          (``ffn1.k`` and ``ffn2.k`` where there are two);
        - ``attention``: ``attention.k``, what its attention adds;
        - ``heads``: ``heads.k``, what its attention heads give before that is mixed, one head's
          neurons after the other;
        - ``cnn``: ``cnn``, the output of the last convolution.

        Attention maps go with the blocks. A family that lacks some of it gives the rest.
    precision
        ``float32``, or ``bfloat16`` or ``float16`` to run a checkpoint's layers in torch's
        automatic mixed precision: faster on an accelerator, and `compare` says what it costs.
        Weights, results and attention maps stay in float32.

    Returns
    -------
    SpeechModel
        In float32 and evaluation mode.

    Raises
    ------
    AssonanceError
        The device is not there; or there is no such model, it is not supported, its weights are
        pickled, damaged or incomplete, or it has nothing of what is to be recorded. Pickles are
        never opened and no remote code is ever run.
    """
    # Loading is the first thing that needs torch and transformers: seconds of importing.
    from assonance.models import precomputed, rotated, spectra, user_code
    from assonance.models.huggingface import encoder

    options: dict[str, Any] = {"offline": offline, "device": device, "record": record}
    options["precision"] = precision
    if isinstance(spec, str):
        if spec in spectra.BASELINES and not Path(spec).is_dir():
            return spectra.BASELINES[spec]()
        if spec.startswith(RANDOM):
            return load_random(spec, **options)
        if spec.startswith(rotated.PREFIX):
            original, seed = parted(spec, rotated.PREFIX, "rotated model", "model")
            return rotated.RotatedModel(load_model(original, **options), seed)
        if spec.startswith(user_code.PREFIX):
            return user_code.load(spec)
    if precomputed.is_one(spec):
        return precomputed.Precomputed(spec)
    return encoder.load(spec, **options)


def load_random(
    spec: str, *, offline: bool, device: str, record: str | Iterable[str], precision: str
) -> SpeechModel:
    """Make the twin that ``random:<checkpoint>@<seed>`` names; see `load_model`.

    The checkpoint's own weights are not opened, and need not be there.
    """
    from assonance.models.huggingface.checkpoint import find_checkpoint
    from assonance.models.huggingface.encoder import random_twin

    original, seed = parted(spec, RANDOM, "random model", "directory or hub id")
    checkpoint = find_checkpoint(original, offline=offline)
    return random_twin(checkpoint, seed, device=device, record=record, precision=precision)

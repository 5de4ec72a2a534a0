"""Speech models: one protocol, and the one function that loads whatever a name stands for."""

from pathlib import Path

from assonance.models.base import Attend, LayerOutputs, ModelCard, SpeechModel

__all__ = ["Attend", "LayerOutputs", "ModelCard", "SpeechModel", "load_model"]


def load_model(
    spec: str | Path, *, offline: bool = False, device: str = "cpu", head_outputs: bool = False
) -> SpeechModel:
    """Load a speech model.

    Parameters
    ----------
    spec
        A local directory in the Hugging Face format; a hub id such as
        ``facebook/wav2vec2-base-960h``, with or without ``@revision``; the name of a bundled model,
        such as ``hubert-mini``, where no directory is called so; or
        ``random:<either>@<seed>``, the same architecture and preprocessing with fresh weights.
        wav2vec2, HuBERT and WavLM encoders are supported, pretrained or fine-tuned.
    offline
        Never reach for the network: look for a hub id in the local cache alone.
    device
        Torch device to run on.
    head_outputs
        Whether what the attention heads of each block give, before it is mixed, is a layer too:
        ``heads.k`` between ``encoder.k−1`` and ``encoder.k``, one head's neurons after the other.

    Returns
    -------
    SpeechModel
        In float32 and evaluation mode.

    Raises
    ------
    AssonanceError
        The device is not there; or there is no such model, it is not supported, its weights are
        pickled, damaged or incomplete. Pickles are never opened and no remote code is ever run.
    """
    # Loading is the first thing that needs torch and transformers: seconds of importing.
    from assonance.models import huggingface, random

    if isinstance(spec, str) and spec.startswith(random.PREFIX):
        return random.load(spec, offline=offline, device=device, head_outputs=head_outputs)
    return huggingface.load(spec, offline=offline, device=device, head_outputs=head_outputs)

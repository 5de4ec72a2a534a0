"""Load a model from its name: a checkpoint, a bundled model, a random twin or user code."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from assonance.errors import AssonanceError, check_path, printable
from assonance.models.derived_names import RANDOM, split_seed, without_prefixes
from assonance.models.rotated import PREFIX as ROTATED
from assonance.models.rotated import RotatedModel
from assonance.models.speech_model import SpeechModel
from assonance.models.user_code import PREFIX as USER_CODE
from assonance.settings import Kind, Precision, check_choice
from assonance.utils.memory import format_bytes
from assonance.utils.progress import Progress, Silent

if TYPE_CHECKING:
    from assonance.models.checkpoints.files import StoredFile
    from assonance.models.checkpoints.published import Opening
    from assonance.models.huggingface.encoder import Running

# Models that are named by a word; `spectra.BASELINES` makes them.
BUILT_IN = ("mel", "mfcc")


@dataclass(frozen=True)
class Loading:
    """Options for loading checkpoints; see `load_model`.

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
    pickles
        Whether to read weights that torch pickled.
    preprocessors
        From a model, as it is named, to the file, folder or hub id whose preprocessing replaces
        its own. Under the empty name, that for all models that bring none.
    configs
        The same for the configuration of a file of weights that has none.

    Raises
    ------
    AssonanceError
        No kind of layer or number format has one of the names.
    """

    record: tuple[str, ...] = ("blocks",)
    precision: str = "float32"
    device: str = "cpu"
    offline: bool = False
    pickles: bool = True
    preprocessors: Mapping[str, str] = field(default_factory=dict)
    configs: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind in self.record:
            check_choice("record", kind, get_args(Kind))
        check_choice("precision", self.precision, get_args(Precision))

    def opening(self, spec: str | Path) -> "Opening":
        """Return the options for opening one checkpoint."""
        from assonance.models.checkpoints.published import Opening

        own = without_prefixes(os.fspath(spec))
        preprocessors, configs = (
            {without_prefixes(name): each for name, each in given.items()}
            for given in (self.preprocessors, self.configs)
        )
        return Opening(
            offline=self.offline,
            pickles=self.pickles,
            preprocessor=preprocessors.get(own),
            spare_preprocessor=preprocessors.get(""),
            config=configs.get(own),
            spare_config=configs.get(""),
        )

    def running(self) -> "Running":
        """Return how encoders are run."""
        from assonance.models.huggingface.encoder import Running

        return Running(self.record, self.precision, self.device)


@dataclass(frozen=True)
class Found:
    """A model that was found and checked; its weights are not read.

    Attributes
    ----------
    load
        Loads it, and reports progress of downloading and converting.
    downloads
        Files that `load` downloads, each with what messages call its folder or hub model.
    outline
        Makes its `Outline`; None for a model without weights of its own.
    """

    load: Callable[[Progress], SpeechModel]
    downloads: "tuple[tuple[str, StoredFile], ...]" = ()
    outline: Callable[[], SpeechModel] | None = None

    def without_weights(self) -> SpeechModel:
        """Return the model without its weights, or itself if it has none; see `Outline`."""
        return self.load(Silent()) if self.outline is None else self.outline()


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
    pickles: bool = True,
    preprocessor: str | Path | None = None,
    config: str | Path | None = None,
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
        - a file of weights (``.safetensors``, ``.pt``, ``.pth``, ``.bin``) of fairseq, torchaudio,
          s3prl or transformers, of the wav2vec2, HuBERT and WavLM families;
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
    pickles
        Whether to read weights that torch pickled. They are read as data: nothing in them is
        imported, called or run. They are converted once to safetensors, in a cache by content:
        ``$ASSONANCE_CACHE``, or the user's cache folder.
    preprocessor
        A ``preprocessor_config.json``, or a folder or hub id that has one, to use instead of the
        checkpoint's own. Needed if the checkpoint brings none.
    config
        A ``config.json``, or a folder or hub id that has one, for a file of weights that has no
        configuration.

    Returns
    -------
    SpeechModel
        In float32 and in evaluation mode.

    Raises
    ------
    AssonanceError
        If the device is missing; or if the model is missing or not supported, its weights are
        damaged or incomplete, or it has no layer of the kinds to record. Code in a checkpoint is
        never executed.

    Examples
    --------
    >>> import assonance
    >>> model = assonance.load_model("hubert-mini")
    >>> model.sampling_rate
    16000
    >>> model.layers[:2]
    ('encoder.0', 'encoder.1')
    """
    check_path(spec, "the model")
    given = os.fspath(spec)
    loading = Loading(
        as_kinds(record),
        precision,
        device,
        offline,
        pickles,
        {} if preprocessor is None else {given: os.fspath(preprocessor)},
        {} if config is None else {given: os.fspath(config)},
    )
    return find(spec, loading).load(Silent())


def check_name(spec: str | Path) -> None:
    """Check what can be checked of a model's name before anything else is imported.

    Raises
    ------
    AssonanceError
        The name is malformed, or of no bundled model, file or folder. Whether a hub id exists is
        not checked.
    """
    from assonance.models.checkpoints.location import refuse_nowhere

    name = os.fspath(spec)
    if name.startswith(RANDOM):
        check_name(split_seed(name, RANDOM, "random model", "directory or hub id")[0])
    elif name.startswith(ROTATED):
        check_name(split_seed(name, ROTATED, "rotated model", "model")[0])
    elif name not in BUILT_IN and not name.startswith(USER_CODE):
        refuse_nowhere(spec)


def load_all(
    specs: Iterable[str | Path | SpeechModel], loading: Loading, progress: Progress
) -> list[SpeechModel]:
    """Load models, after all of them were found and checked.

    Parameters
    ----------
    specs
        Names of models, as `load_model` takes them, or models.
    loading
        Options.
    progress
        Receives what will be downloaded, and the stages.

    Returns
    -------
    list of SpeechModel
        In the same order.

    Raises
    ------
    AssonanceError
        A model cannot be found or loaded, or the options name one that is not among them.
    """
    return [each.load(progress) for each in _find_all(specs, loading, progress)]


def outline_all(
    specs: Iterable[str | Path | SpeechModel], loading: Loading, progress: Progress
) -> list[SpeechModel]:
    """Find models as `load_all` does, and neither download nor read their weights.

    Returns
    -------
    list of SpeechModel
        An `Outline` of each checkpoint; models without weights of their own as they are.
    """
    return [each.without_weights() for each in _find_all(specs, loading, progress)]


def _find_all(
    specs: Iterable[str | Path | SpeechModel], loading: Loading, progress: Progress
) -> list[Found]:
    """Find and check models, and announce what loading them will download."""
    specs = list(specs)
    named = [os.fspath(each) for each in specs if isinstance(each, str | Path)]
    known = {"", *map(without_prefixes, named)}
    for name in (*loading.preprocessors, *loading.configs):
        if without_prefixes(name) not in known:
            raise AssonanceError(
                f"{printable(name)}: none of the models that are loaded by name; "
                f"name one of {', '.join(map(printable, named)) or 'them'}"
            )
    found = [_find_or_keep(each, loading) for each in specs]
    downloads = {(where, file.name): file.size for each in found for where, file in each.downloads}
    if downloads:
        sizes = {
            where: sum(size for (of, _), size in downloads.items() if of == where)
            for where, _ in downloads
        }
        words = ", ".join(f"{where} {format_bytes(size)}" for where, size in sizes.items())
        progress.announce(f"to download: {words}")
    return found


def _find_or_keep(given: str | Path | SpeechModel, loading: Loading) -> Found:
    """Find a model by its name, or keep the model that was given."""
    return find(given, loading) if isinstance(given, str | Path) else Found(lambda progress: given)


def find(spec: str | Path, loading: Loading) -> Found:
    """Find a model and check all but its weights; see `load_model`."""
    # Imported here because torch and transformers take seconds to import.
    from assonance.models import precomputed, spectra, user_code

    if isinstance(spec, str):
        if spec in BUILT_IN and not Path(spec).is_dir():
            return Found(lambda progress: spectra.BASELINES[spec]())
        if spec.startswith(RANDOM):
            return _find_random(spec, loading)
        if spec.startswith(ROTATED):
            return _find_rotated(spec, loading)
        if spec.startswith(user_code.PREFIX):
            model = user_code.load(spec)
            return Found(lambda progress: model)
    if precomputed.is_one(spec):
        activations = precomputed.Precomputed(spec)
        return Found(lambda progress: activations)
    return _find_checkpoint(spec, loading)


def _find_rotated(spec: str, loading: Loading) -> Found:
    """Find the model whose layers are rotated."""
    original, seed = split_seed(spec, ROTATED, "rotated model", "model")
    found = find(original, loading)
    return replace(
        found,
        load=lambda progress: RotatedModel(found.load(progress), seed),
        outline=lambda: RotatedModel(found.without_weights(), seed),
    )


def _find_checkpoint(spec: str | Path, loading: Loading) -> Found:
    """Find a checkpoint and the files of its weights."""
    from assonance.models.huggingface import encoder
    from assonance.models.huggingface.checkpoint import find_checkpoint
    from assonance.models.huggingface.outline import outline

    running = loading.running()
    checkpoint = find_checkpoint(spec, loading.opening(spec))
    weights, adapter = checkpoint.published.weights(), checkpoint.published.adapter
    parts = [weights, *([adapter.weights] if adapter else [])]
    return Found(
        lambda progress: encoder.load(checkpoint, weights, running, progress),
        tuple((part.files.where, file) for part in parts for file in part.missing()),
        lambda: outline(checkpoint, running),
    )


def _find_random(spec: str, loading: Loading) -> Found:
    """Find the checkpoint whose random twin ``random:<checkpoint>@<seed>`` names.

    The weights of the checkpoint are not read and may be missing.
    """
    from assonance.models.huggingface.checkpoint import find_checkpoint
    from assonance.models.huggingface.encoder import random_twin
    from assonance.models.huggingface.outline import outline_of_twin

    original, seed = split_seed(spec, RANDOM, "random model", "directory or hub id")
    running, checkpoint = loading.running(), find_checkpoint(original, loading.opening(original))
    empty = outline_of_twin(checkpoint, seed, running)  # which checks the configuration
    return Found(lambda progress: random_twin(checkpoint, seed, running), outline=lambda: empty)

"""Compare speech models on speech, from names of models to labelled scores."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from assonance.activations.shared_rows import Pooling
from assonance.comparison.prepared import PIECES, prepare
from assonance.comparison.request import Request
from assonance.comparison.result import Comparison
from assonance.corpus import Corpus
from assonance.measures.names import names_in
from assonance.measures.roles import STANDARD
from assonance.models import SpeechModel
from assonance.models.loading import Loading, as_kinds
from assonance.settings import By, OnError, Pool, Settings, find_settings
from assonance.utils.lock import locked
from assonance.utils.memory import MEMORY
from assonance.utils.pieces import Pieces
from assonance.utils.progress import Progress, Silent
from assonance.utils.progress_bars import Bars

_SILENT = Silent()


def compare(
    models: Iterable[str | Path | SpeechModel],
    corpus: Corpus | str | Path,
    measures: Iterable[str] | None = None,
    *,
    settings: str | Settings = "default",
    twins: bool = True,
    pool: Pool = "frame",
    pool_by: By = "mean",
    alignments: str | Path | None = None,
    skip_silence: bool = False,
    out: str | Path | None = None,
    memory: str | float = MEMORY,
    device: str = "cpu",
    offline: bool = False,
    record: str | Iterable[str] = "blocks",
    precision: str = "float32",
    pickles: bool = True,
    preprocessors: Mapping[str, str] | None = None,
    configs: Mapping[str, str] | None = None,
    on_error: OnError = "skip",
    seeds: Mapping[str, str] | None = None,
    tuned_from: Mapping[str, str] | None = None,
    uncertainty: bool = True,
    progress: Progress | bool = False,
) -> Comparison:
    """Compare speech models on speech: every layer of each model with every layer of all models.

    Parameters
    ----------
    models
        Models, or names of models as `assonance.load_model` takes them.
    corpus
        A corpus, or a path that `Corpus.from_path` takes.
    measures
        Names of measures of any level; `STANDARD` by default.
    settings
        ``"default"``, ``"elkheir2024"`` for the published definitions, or `Settings`.
    twins
        Whether to add floors: a random twin of each model (same architecture, random weights)
        and the baseline (log-mel frames). No other score depends on it.
    pool, pool_by, alignments, skip_silence
        What a row of the neuron and layer measures is; see `Pooling`.
    out
        Folder for activations, from which a later run resumes, and into which one run writes at a
        time. None keeps nothing.
    memory
        Memory limit of the statistics, such as ``"4GB"``; ``"auto"`` is half of all, at most 16 GB.
    device
        Torch device of models and statistics.
    offline
        Never use the network.
    record, precision
        Which layers of checkpoints to record, and in which number format; see `load_model`.
    pickles
        Whether to read weights that torch pickled; see `load_model`.
    preprocessors, configs
        From the name of a model to the file, folder or hub id that replaces its preprocessing, or
        gives its configuration; see `load_model`. Under the empty name: for all models that bring
        none.
    on_error
        ``"skip"`` leaves out an utterance that cannot be used; ``"stop"`` raises.
    seeds
        From the name of a model to the name of the same model trained from another seed. What
        two seeds share is a ceiling for what different models share.
    tuned_from
        From the name of a fine-tuned model to the name of the model it was fine-tuned from. Without
        a statement, that is the only pretrained model of the same family, parameters, layers and
        objective. If there are several, none is chosen, and a warning names them.
    uncertainty
        Whether to compute intervals, shift nulls and halves of layers: several times the
        arithmetic.
    progress
        Whether to show progress on standard error, or what receives the stages.

    Returns
    -------
    Comparison

    Raises
    ------
    AssonanceError
        With one line that says what is wrong; see `load_model`, `Corpus.from_path`,
        `assonance.activations.extraction.extract`, `assonance.activations.shared_rows.share_rows`.

    Warns
    -----
    AssonanceWarning
        Of caveats about the scores; they are also in the notes of the provenance.

    Examples
    --------
    >>> import assonance
    >>> from assonance.demo import SPEECH
    >>> speech = assonance.Corpus.from_path(SPEECH, max_hours=0.005)
    >>> comparison = assonance.compare(
    ...     ["hubert-mini", "mel"], speech, ["cka"], twins=False, uncertainty=False
    ... )
    >>> comparison.matrix("cka", "hubert-mini", "mel").shape
    (7, 1)
    """
    request = Request(
        measures=names_in(measures or STANDARD),
        settings=find_settings(settings),
        twins=twins,
        pooling=Pooling(pool, pool_by, alignments, skip_silence),
        loading=Loading(
            as_kinds(record),
            precision,
            device,
            offline,
            pickles,
            preprocessors or {},
            configs or {},
        ),
        memory=memory,
        on_error=on_error,
        seeds=seeds or {},
        tuned_from=tuned_from or {},
        uncertainty=uncertainty,
    )
    return compare_request(models, corpus, request, out, progress=progress)


def compare_request(
    models: Iterable[str | Path | SpeechModel],
    corpus: Corpus | str | Path,
    request: Request,
    out: str | Path | None = None,
    *,
    progress: Progress | bool = False,
) -> Comparison:
    """Compare speech models on speech, with all options in one object; see `compare`."""
    with ExitStack() as stack:
        if isinstance(progress, bool):
            progress = stack.enter_context(Bars()) if progress else _SILENT
        prepared = prepare(models, corpus, request, progress)
        if out is not None:
            stack.enter_context(locked(Path(out)))
        comparison = prepared.run(None if out is None else Path(out), progress)
        if out is not None:
            Pieces(Path(out) / PIECES).clear()
    return comparison

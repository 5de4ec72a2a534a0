"""Open the activations and the speech of a finished run, to find moments in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assonance.activations.kept import open_stores, store_name
from assonance.activations.peaks import Peaks, find_peaks
from assonance.activations.store import ActivationStore
from assonance.comparison.configuration import Configuration
from assonance.comparison.lookup import CONFIG
from assonance.comparison.moments import Moment
from assonance.comparison.result import Comparison
from assonance.corpus import Corpus, Reading, Utterance
from assonance.corpus.alignments import Alignments
from assonance.corpus.clips import licence_of
from assonance.errors import AssonanceError, printable
from assonance.utils.files import exists

_PRECOMPUTED = "precomputed activations"  # whose files say nothing about the audio


@dataclass(frozen=True)
class KeptRun:
    """A finished run with its activations and its speech.

    Attributes
    ----------
    comparison
        The results.
    stores
        Activations by model.
    speech
        Utterances that all models have, by id, in the order of the corpus.
    alignments
        The alignments that the run used, or None.
    licence
        Licence of the speech; empty if none lies beside it.
    """

    comparison: Comparison
    stores: Mapping[str, ActivationStore]
    speech: Mapping[str, Utterance]
    alignments: Alignments | None
    licence: str

    def peaks(self, model: str, layers: Sequence[str], count: int) -> dict[str, Peaks]:
        """Find the peaks of all neurons of some layers; see `find_peaks`."""
        return find_peaks(self.stores[model], list(self.speech), layers, count)

    def moments(self, peaks: Peaks, neuron: int) -> list[Moment]:
        """Return the moments of a neuron, the most exciting first."""
        ids, found = list(self.speech), []
        for value, place, time in zip(
            peaks.value[:, neuron], peaks.utterance[:, neuron], peaks.time[:, neuron], strict=True
        ):
            if place < 0 or not peaks.deviation[neuron]:
                continue
            level = (value - peaks.mean[neuron]) / peaks.deviation[neuron]
            words = self.words(self.speech[ids[place]], float(time))
            found.append(Moment(ids[place], float(time), float(level), words))
        return found

    def words(self, utterance: Utterance, time: float) -> str:
        """Return the word at a time if the run has alignments, else the utterance's text."""
        if self.alignments is None:
            return utterance.text or ""
        try:
            spans = self.alignments.spans(utterance, "word")
        except AssonanceError:
            return utterance.text or ""
        return next((each.label for each in spans if each.start <= time < each.end), "")

    def check_audio(self, utterance: Utterance) -> None:
        """Check that the audio is that from which the activations were computed.

        Raises
        ------
        AssonanceError
            It has changed, or cannot be read.
        """
        families = {each.name: each.family for each in self.comparison.provenance.models}
        store = next(
            (each for name, each in self.stores.items() if families[name] != _PRECOMPUTED), None
        )
        if store is not None and store.audio(utterance.id) != utterance.fingerprint():
            raise AssonanceError(
                f"{printable(utterance.path)}: has changed since the run read it; "
                "give the run the speech that is there now, in a new folder"
            )


def open_kept(run: Path, comparison: Comparison) -> KeptRun:
    """Open the activations and the speech of a finished run.

    Parameters
    ----------
    run
        The run's folder.
    comparison
        Its results.

    Raises
    ------
    AssonanceError
        Activations were not kept, or the speech is not there.
    """
    config, source = run / CONFIG, comparison.provenance.corpus.source
    job = Configuration.read(config) if exists(config) else None
    stores = _stores(run, comparison)
    if not exists(source):
        raise AssonanceError(
            f"{printable(source)}: the speech of the run is not there; "
            "put it back, or start from the folder where the run was started"
        )
    speech = Corpus.open(source, Reading() if job is None else job.speech)
    return _joined(comparison, stores, speech, None if job is None else job.pooling.alignments)


def kept_by(
    comparison: Comparison, folder: Path, speech: Corpus, alignments: str | Path | None
) -> KeptRun:
    """Return what a run that is about to end keeps; see `open_kept`.

    Parameters
    ----------
    comparison
        Its results.
    folder
        The folder that holds its activations.
    speech, alignments
        As the run used them.
    """
    return _joined(comparison, _stores(folder, comparison), speech, alignments)


def _stores(folder: Path, comparison: Comparison) -> dict[str, ActivationStore]:
    """Open the activations of every model."""
    kept = {each.folder.name: each for each in open_stores(folder)}
    stores = {}
    for each in comparison.provenance.models:
        if each.name not in comparison.models:
            continue
        name = store_name(each.name, each.fingerprint)
        if name not in kept:
            config = folder / CONFIG
            how = f" `assonance compare --config {printable(config)} --keep`"
            raise AssonanceError(
                f"{printable(folder)}: has no activations of {printable(each.name)}, which show "
                "the moments that excite neurons; to have them, run"
                f"{how if exists(config) else ' the same comparison again with --keep'}"
            )
        stores[each.name] = kept[name]
    return stores


def _joined(
    comparison: Comparison,
    stores: Mapping[str, ActivationStore],
    speech: Corpus,
    alignments: str | Path | None,
) -> KeptRun:
    """Keep the utterances that were compared, and check that all of them are there."""
    record = comparison.provenance
    common = set.intersection(*(set(store.ids) for store in stores.values()))
    left_out = {each.id for each in record.left_out}
    used = {
        each.id: each for each in speech if each.id in common and printable(each.id) not in left_out
    }
    if len(used) != record.corpus.utterances:
        raise AssonanceError(
            f"{printable(record.corpus.source)}: {len(used)} of the {record.corpus.utterances} "
            "utterances of the run are there with activations; run the same comparison again"
        )
    aligned = None if alignments is None else Alignments(alignments)
    return KeptRun(comparison, stores, used, aligned, licence_of(record.corpus.source))

"""Run the models of a comparison over the speech, and keep what all of them can use."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from assonance.activations.extraction import Extraction, extract_into, open_store
from assonance.activations.kept import ACTIVATIONS, store_name
from assonance.activations.shared_rows import (
    SharedRows,
    keep_common_utterances,
    lacking,
    share_rows,
)
from assonance.activations.store import ActivationStore
from assonance.comparison.plan import FRAME_LEVELS
from assonance.comparison.request import Request
from assonance.corpus import Corpus, LeftOut
from assonance.measures import Measure
from assonance.models.roster import Roster, RosterEntry
from assonance.scoring.caveats import miniatures
from assonance.utils.progress import Progress


@dataclass(frozen=True)
class Extracted:
    """Activations of the models.

    Attributes
    ----------
    roster, extractions
        The models that are compared, and the activations of each.
    dropped
        The baselines that are not compared, with the utterance that each cannot use.
    shared
        The utterances and rows that all models have.
    """

    roster: Roster
    extractions: Mapping[str, Extraction]
    dropped: Mapping[str, LeftOut]
    shared: SharedRows

    def notes(self) -> list[str]:
        """List the caveats about models and speech."""
        models = {name: each.model for name, each in self.roster.items() if not each.control}
        return [
            *miniatures({name: model.info.n_parameters for name, model in models.items()}),
            *self.shared.speech.notes,
            *(
                f"{each.resampled} of {len(each.ids)} utterances were resampled to the "
                f"{models[name].sampling_rate} Hz of {name}"
                for name, each in self.extractions.items()
                if name in models and each.resampled
            ),
            *(note for each in self.extractions.values() for note in each.notes),
            *(
                f"{name} is not compared as a floor: {left.path}: {left.reason}"
                for name, left in self.dropped.items()
            ),
            *self.shared.notes,
            *self._rounding(),
        ]

    def _rounding(self) -> list[str]:
        """State how half precision on disk changed the frames, if it was asked for."""
        errors = {name: each.rounding for name, each in self.extractions.items() if each.rounding}
        if not errors:
            return []
        name, (layer, error) = max(errors.items(), key=lambda item: item[1][1])
        return [
            "Activations were kept in float16, which changed layers by up to "
            f"{error:.2g} of their standard deviation (most in {layer} of {name})"
        ]


def extract_all(
    roster: Roster,
    speech: Corpus,
    measures: Iterable[Measure],
    request: Request,
    folder: Path,
    progress: Progress,
    *,
    verify: bool = True,
) -> Extracted:
    """Run the models over the speech, and keep what all models can use.

    Parameters
    ----------
    roster, speech, measures, request
        The models, the speech, the measures and the options.
    folder
        Folder for the activations. If attention alone is compared, none are written.
    progress
        Receives the stages.
    verify
        As for `open_store`.

    Returns
    -------
    Extracted
        Activations of the models that are compared.
    """
    measures = list(measures)
    kept = needs_frames(measures)  # attention is compared as the models compute it
    extractions = {
        name: extract_into(
            store_of(folder if kept else None, name, each, request, verify=verify),
            each.model,
            speech,
            progress=progress,
            on_error="skip" if each.baseline else request.on_error,
        )
        for name, each in roster.items()
    }
    return keep_shared(roster, extractions, speech, measures, request)


def store_of(
    folder: Path | None, name: str, entry: RosterEntry, request: Request, *, verify: bool = True
) -> ActivationStore:
    """Open the store of a model's activations, of the layers whose frames are compared."""
    own = None if folder is None else store_folder(folder, name, entry)
    return open_store(own, entry.model, request.store, entry.widths, verify=verify)


def store_folder(folder: Path, name: str, entry: RosterEntry) -> Path:
    """Return the folder of a model's activations."""
    return folder / ACTIVATIONS / store_name(name, entry.model.fingerprint)


def keep_shared(
    roster: Roster,
    extractions: Mapping[str, Extraction],
    speech: Corpus,
    measures: Iterable[Measure],
    request: Request,
) -> Extracted:
    """Keep what all models can use of their activations, extracted or planned.

    Parameters
    ----------
    roster, extractions
        The models, and the activations of each.
    speech, measures, request
        The speech, the measures and the options.

    Returns
    -------
    Extracted
        Activations of the models that are compared.
    """
    baselines = [name for name, each in roster.items() if each.baseline]
    # A baseline that cannot use some of the speech is dropped: the scores of the models must
    # not depend on it.
    dropped = lacking(extractions, baselines)
    roster = {name: each for name, each in roster.items() if name not in dropped}
    extractions = {name: each for name, each in extractions.items() if name not in dropped}
    if needs_frames(measures):
        shared = share_rows(
            speech, extractions, request.pooling, request.on_error, baselines=baselines
        )
    else:
        shared = keep_common_utterances(speech, extractions)
    return Extracted(roster, extractions, dropped, shared)


def needs_frames(measures: Iterable[Measure]) -> bool:
    """Return whether any measure compares frames, and not only attention maps."""
    return any(each.level in FRAME_LEVELS for each in measures)

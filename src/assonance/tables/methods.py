"""Write the paragraph on methods that a paper on a comparison needs."""

from collections.abc import Mapping, Sequence
from typing import Any

from assonance.comparison.records import ModelRecord
from assonance.comparison.result import Comparison
from assonance.errors import join_names, printable
from assonance.tables.best_layers import LEVEL
from assonance.tables.trust import null_depths

_ALL = 10**6
# What a setting is when it is named in a sentence; the others are those of the default.
_CONFIGURED = ("variance", "sample_frames", "rotations", "attention_seconds", "seed")


def methods_text(comparison: Comparison) -> str:
    """Write a paragraph to paste: models, speech, measures with sources, references, versions.

    Parameters
    ----------
    comparison
        The comparison.

    Returns
    -------
    str
        One paragraph of plain text. Everything in it is recorded in the comparison.
    """
    record = comparison.provenance
    models = [each for each in record.models if each.name in comparison.models]
    parts = [
        f"We compared {join_names([_model(each) for each in models], _ALL)} "
        f"on {_speech(comparison)}.",
        _measures(comparison),
        *_references(comparison),
        *_intervals(comparison),
        _configuration(record.settings, record.versions),
    ]
    return " ".join(filter(None, parts))


def _model(model: ModelRecord) -> str:
    """Describe a model in brackets after its name."""
    facts = [
        model.family if model.family != model.name else "",
        f"{model.objective} objective" if model.objective not in ("none", "unknown", "") else "",
        f"{model.n_parameters / 1e6:.1f} M parameters" if model.n_parameters else "",
        f"fine-tuned from {printable(model.tuned_from)}" if model.tuned_from else "",
        f"another seed of {printable(model.seed_of)}" if model.seed_of else "",
        f"{len(model.layers)} layer{'s' if len(model.layers) != 1 else ''}",
    ]
    return f"{printable(model.name)} ({', '.join(filter(None, facts))})"


def _speech(comparison: Comparison) -> str:
    speech = comparison.provenance.corpus
    speakers = f" of {len(speech.speakers)} speakers" if len(speech.speakers) > 1 else ""
    words = (
        f"{speech.utterances} utterances{speakers} from {printable(speech.name)} "
        f"({speech.seconds / 60:.1f} minutes, {speech.frames} frames)"
    )
    left_out = len(comparison.provenance.left_out)
    return f"{words}; {left_out} could not be used" if left_out else words


def _measures(comparison: Comparison) -> str:
    """Name the measures with their sources, in the order in which they were asked for."""
    described = [
        comparison.scores[name].attrs
        for name in comparison.provenance.measures
        if name in comparison.scores
    ]
    listed = [
        f"{each.get('long_name', '')} ({each['source'].replace(';', ',')})"
        if each.get("source")
        else str(each.get("long_name", ""))
        for each in described
    ]
    return f"Similarity was measured by {'; '.join(listed)}." if listed else ""


def _references(comparison: Comparison) -> list[str]:
    """Describe the floors, the null and the folds that were computed."""
    settings = comparison.provenance.settings
    found = []
    if comparison.twins:
        also = " and log-mel frames" if comparison.baseline else ""
        found.append(f"Floors are copies of the models with random weights{also}.")
    if any("heldout" in name for name in comparison.provenance.measures):
        found.append(
            f"Held-out scores come from {settings.get('folds')} folds; no recording is in two."
        )
    if shifts := comparison.nulls.sizes.get("shift", 0):
        depths = null_depths(comparison)
        at = f" and {depths} depths of each model" if depths else ""
        found.append(f"The null pairs speech with other speech at {shifts} circular shifts{at}.")
    return found


def _intervals(comparison: Comparison) -> list[str]:
    if not comparison.method:
        return []
    to = comparison.provenance.population
    return [
        f"Intervals are 95 % intervals from {comparison.method}"
        + (f", and generalise to {printable(to)}." if to else "."),
        "The best-matching layers are those whose score is not significantly below the highest "
        f"(paired differences, family-wise level {LEVEL}).",
    ]


def _configuration(settings: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    chosen = [f"{name} {settings[name]}" for name in _CONFIGURED if settings.get(name) is not None]
    named = f"settings {settings.get('name')!r} ({', '.join(chosen)})"
    return f"Configuration: {named}; {_versions(list(versions.items()))}."


def _versions(versions: Sequence[tuple[str, str]]) -> str:
    return join_names([f"{name} {number}" for name, number in versions], _ALL)

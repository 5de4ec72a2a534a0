"""What is left out whole: speakers where there are enough of them, recordings otherwise."""

from collections.abc import Iterable

from assonance.corpus import Corpus

# Fewer speakers are too few groups to tell how much scores vary from speaker to speaker.
LEAST_SPEAKERS = 10


def units_of(corpus: Corpus) -> list[int]:
    """Tell by number which unit each utterance belongs to.

    Units are never parted, neither between training and held-out speech nor between the groups
    that are left out for intervals.

    Returns
    -------
    list of int
        From 0 on: the speakers' numbers where every utterance names one and there are at least
        `LEAST_SPEAKERS`; otherwise of the recordings that windows and segments are cut from; of
        one recording alone each utterance is a unit.
    """
    if by_speaker(corpus):
        return _numbers(utterance.speaker for utterance in corpus)
    if len({utterance.recording for utterance in corpus}) > 1:
        return _numbers(utterance.recording for utterance in corpus)
    return list(range(len(corpus)))


def by_speaker(corpus: Corpus) -> bool:
    """Whether units are speakers."""
    return len(corpus.speakers) >= LEAST_SPEAKERS and all(u.speaker for u in corpus)


def population(corpus: Corpus) -> str:
    """Say what the intervals are about: the speech of which this corpus is a sample."""
    if by_speaker(corpus):
        return f"other speakers of the kind of these {len(corpus.speakers)}"
    if corpus.speakers:
        few = len(corpus.speakers)
        return (
            f"other speech of the {few} speakers heard here"
            if few > 1
            else ("other speech of the one speaker heard here")
        )
    return "other recordings of the same kind, were they independent of each other"


def _numbers(labels: Iterable[str | None]) -> list[int]:
    index: dict[str | None, int] = {}
    return [index.setdefault(label, len(index)) for label in labels]

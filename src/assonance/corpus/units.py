"""Find the units of a corpus, speakers or recordings, that resampling never splits."""

from assonance.corpus import Corpus

# With fewer speakers the variance of scores between speakers cannot be estimated.
LEAST_SPEAKERS = 10


def units_of(corpus: Corpus) -> list[str]:
    """Return the name of each utterance's unit.

    A unit is never split between training and held-out folds, nor between jackknife groups. Units
    are speakers if every utterance names one and there are at least `LEAST_SPEAKERS`. Otherwise
    they are the recordings that windows and segments were cut from. If all utterances come from
    one recording, each utterance is a unit.

    Returns
    -------
    list of str
        The speaker, the recording, or the utterance's own id.
    """
    if by_speaker(corpus):
        return [str(utterance.speaker) for utterance in corpus]
    if len({utterance.recording for utterance in corpus}) > 1:
        return [utterance.recording for utterance in corpus]
    return [utterance.id for utterance in corpus]


def by_speaker(corpus: Corpus) -> bool:
    """Return whether the units are speakers."""
    return len(corpus.speakers) >= LEAST_SPEAKERS and all(u.speaker for u in corpus)


def population(corpus: Corpus) -> str:
    """Describe the population that intervals generalise to, given this sample of it."""
    if by_speaker(corpus):
        return f"other speakers of the kind of these {len(corpus.speakers)}"
    if corpus.speakers:
        count = len(corpus.speakers)
        who = f"{count} speakers" if count > 1 else "one speaker"
        return f"other speech of the {who} heard here"
    return "other recordings of the same kind, were they independent of each other"


def few_speakers(corpus: Corpus) -> list[str]:
    """Return a caveat if speakers are named but intervals do not generalise to others."""
    if not corpus.speakers or by_speaker(corpus):
        return []
    count = len(corpus.speakers)
    unnamed = sum(each.speaker is None for each in corpus)
    if count < LEAST_SPEAKERS:
        why = f"only {count} {'are' if count > 1 else 'is'} named, and {LEAST_SPEAKERS} are needed"
    else:
        why = f"{unnamed} of {len(corpus)} utterances name none"
    return [
        f"intervals hold for other speech of the speakers heard here, not for other speakers: {why}"
    ]

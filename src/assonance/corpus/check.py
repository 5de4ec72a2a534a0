"""What is wrong with a corpus, said before a long run."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from assonance.corpus.corpus import Corpus
from assonance.corpus.utterance import Utterance
from assonance.errors import UnusableAudio, printable
from assonance.utils.cores import worker_pool
from assonance.utils.progress import Progress, Silent

_SILENT = Silent()
# Seconds: what the front ends of wav2vec 2.0 and its kin see of one frame, and a short word.
_FRAME, _SHORT = 0.025, 0.1
_LOWEST_RATE = 16000  # Hz, what nearly all speech models take
_QUIET = 1e-3  # -60 dB of full scale
_FULL, _CLIPPED = 0.999, 1e-3  # full scale, and how many samples at it are too many
_CANCELLED = 0.1  # of the channels' own power left in their mean
_BLOCK = 30.0  # seconds read at a time


@dataclass(frozen=True)
class Finding:
    """Something to know of a corpus.

    Attributes
    ----------
    severity
        ``"error"`` where an utterance cannot be used, else ``"warning"``.
    what
        In words, without a number.
    where
        What it holds of: a line each.
    """

    severity: Literal["error", "warning"]
    what: str
    where: tuple[str, ...]


def check(corpus: Corpus, *, deep: bool = True, progress: Progress = _SILENT) -> list[Finding]:
    """Find what is wrong with a corpus.

    Parameters
    ----------
    corpus
        Opened without windows or sampling.
    deep
        Whether to read every sample, or the listing and headers alone.
    progress
        Told of the seconds of audio read.

    Returns
    -------
    list of Finding
        Errors first. None says that a run leaves nothing out, if `deep`.
    """
    heard = [*_heard(corpus, progress)] if deep else []
    speakers = bool(corpus.speakers)
    found = [
        Finding("error", "cannot be used", tuple(_unusable(corpus, heard))),
        Finding(
            "error",
            f"shorter than {1000 * _FRAME:g} ms, of which models make no frame",
            _named(corpus, lambda each: each.duration < _FRAME),
        ),
        Finding(
            "warning",
            f"shorter than {1000 * _SHORT:g} ms",
            _named(corpus, lambda each: _FRAME <= each.duration < _SHORT),
        ),
        Finding("warning", "overlap others of the same file", tuple(_overlapping(corpus))),
        Finding(
            "warning",
            f"sampled at less than {_LOWEST_RATE} Hz, so that higher frequencies are missing",
            _named(corpus, lambda each: each.sampling_rate < _LOWEST_RATE),
        ),
        Finding("warning", "sampled at several rates", tuple(_rates(corpus))),
        Finding(
            "warning",
            "stored in 8 bits",
            _named(corpus, lambda each: each.encoding in ("PCM_U8", "PCM_S8")),
        ),
        Finding(
            "warning",
            "without a speaker, where others have one",
            _named(corpus, lambda each: speakers and each.speaker is None),
        ),
        *_of_samples(heard),
    ]
    return [each for each in found if each.where]


@dataclass(frozen=True)
class _Heard:
    """What the samples of an utterance are like; `fault` alone where they cannot be read."""

    utterance: Utterance
    peak: float = 0.0
    at_full_scale: float = 0.0
    kept: float = 1.0
    content: bytes = b""
    fault: str | None = None


def _heard(corpus: Corpus, progress: Progress) -> Iterator[_Heard]:
    with progress.stage("listening", corpus.seconds) as advance, worker_pool() as share:
        for each in share(_listen, corpus):
            advance(each.utterance.duration)
            yield each


def _listen(utterance: Utterance) -> _Heard:
    peak, full, power, own = 0.0, 0, 0.0, 0.0
    content = hashlib.sha256()
    try:
        for block in utterance.blocks(_BLOCK):
            mono = utterance.mono(block)
            if not np.isfinite(mono).all():
                raise UnusableAudio("holds samples that are NaN or infinite")
            peak = max(peak, float(np.abs(block).max()))
            full += int((np.abs(mono) >= _FULL).sum())
            power += float(np.square(mono, dtype=np.float64).sum())
            own += float(np.square(block, dtype=np.float64).mean(axis=1).sum())
            content.update(mono.tobytes())
    except UnusableAudio as error:
        return _Heard(utterance, fault=error.reason)
    length = utterance.last - utterance.first
    kept = power / own if own and utterance.channel is None else 1.0
    return _Heard(utterance, peak, full / length, kept, content.digest())


def _of_samples(heard: Sequence[_Heard]) -> list[Finding]:
    sound = [each for each in heard if each.fault is None]
    loud = [each for each in sound if each.peak >= _QUIET]
    beyond = [each for each in loud if each.peak > 1]
    return [
        Finding(
            "warning",
            "beyond full scale: floats over 1, which models do not expect",
            tuple(f"{_name(each.utterance)}: up to {each.peak:.3g}" for each in beyond),
        ),
        Finding(
            "warning",
            "clipped",
            tuple(
                f"{_name(each.utterance)}: {100 * each.at_full_scale:.1f} % at full scale"
                for each in loud
                if each.peak <= 1 and each.at_full_scale > _CLIPPED
            ),
        ),
        Finding(
            "warning",
            "silent: below -60 dB throughout",
            tuple(_name(each.utterance) for each in sound if each.peak < _QUIET),
        ),
        Finding(
            "warning",
            "of channels that cancel each other when they are averaged; choose one (--channel)",
            tuple(_name(each.utterance) for each in loud if each.kept < _CANCELLED),
        ),
        Finding("warning", "the same audio as others", tuple(_repeated(loud))),
    ]


def _unusable(corpus: Corpus, heard: Iterable[_Heard]) -> Iterator[str]:
    for each in corpus.left_out:
        yield f"{each.path}: {each.reason}"
    for one in heard:
        if one.fault is not None:
            yield f"{_name(one.utterance)}: {one.fault}"


def _named(corpus: Corpus, holds: Callable[[Utterance], bool]) -> tuple[str, ...]:
    return tuple(_name(each) for each in corpus if holds(each))


def _name(utterance: Utterance) -> str:
    return f"{printable(utterance.id)} ({printable(utterance.path)})"


def _overlapping(corpus: Corpus) -> Iterator[str]:
    """Name each utterance that begins before one of its file and channel ends."""
    last: dict[object, Utterance] = {}
    for each in sorted(corpus, key=lambda each: each.first):
        before = last.get((each.path, each.channel))
        if before is not None and each.first < before.last:
            seconds = (min(before.last, each.last) - each.first) / each.sampling_rate
            yield f"{_name(each)}: {seconds:.3f} s of it are in {printable(before.id)} too"
        if before is None or each.last > before.last:
            last[each.path, each.channel] = each


def _rates(corpus: Corpus) -> Iterator[str]:
    counts = Counter(each.sampling_rate for each in corpus)
    if len(counts) > 1:
        for rate, count in sorted(counts.items()):
            yield f"{count} at {rate} Hz"


def _repeated(heard: Iterable[_Heard]) -> Iterator[str]:
    first: dict[bytes, Utterance] = {}
    for each in heard:
        known = first.setdefault(each.content, each.utterance)
        if known is not each.utterance:
            yield f"{_name(each.utterance)}: as {printable(known.id)}"

"""Check a corpus for problems before a long run."""

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
# Seconds: the receptive field of a frame in wav2vec 2.0 and its relatives, and a short word.
_FRAME, _SHORT = 0.025, 0.1
_LOWEST_RATE = 16000  # Hz, the input rate of nearly all speech models
_QUIET = 1e-3  # -60 dB of full scale
_FULL, _CLIPPED = 0.999, 1e-3  # full scale, and the part of samples at it that counts as clipping
_CANCELLED = 0.1  # part of the channels' power left in their mean
_BLOCK = 30.0  # seconds read at a time


@dataclass(frozen=True)
class Finding:
    """A problem of a corpus, and the utterances that have it.

    Attributes
    ----------
    severity
        ``"error"`` if the utterances cannot be used, otherwise ``"warning"``.
    what
        Description of the problem, to follow a number of utterances.
    where
        One line for each case.
    """

    severity: Literal["error", "warning"]
    what: str
    where: tuple[str, ...]


def check(corpus: Corpus, *, deep: bool = True, progress: Progress = _SILENT) -> list[Finding]:
    """Check every utterance of a corpus, and list the problems.

    Parameters
    ----------
    corpus
        A corpus opened without windows or sampling.
    deep
        Whether to read every sample; otherwise only the listing and the headers are checked.
    progress
        Receives the seconds of audio read.

    Returns
    -------
    list of Finding
        Problems found, errors first. If `deep` and there are no errors, a run uses every utterance.
    """
    summaries = [*_read_all(corpus, progress)] if deep else []
    speakers = bool(corpus.speakers)
    found = [
        Finding("error", "cannot be used", tuple(_unusable(corpus, summaries))),
        Finding(
            "error",
            f"shorter than {1000 * _FRAME:g} ms, too short for a frame of most models",
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
            f"sampled at less than {_LOWEST_RATE} Hz, so higher frequencies are missing",
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
            "without a speaker, although others have one",
            _named(corpus, lambda each: speakers and each.speaker is None),
        ),
        *_of_samples(summaries),
    ]
    return [each for each in found if each.where]


@dataclass(frozen=True)
class _Samples:
    """Summary of an utterance's samples, or the fault if they cannot be read."""

    utterance: Utterance
    peak: float = 0.0
    at_full_scale: float = 0.0
    power_in_mean: float = 1.0
    content: bytes = b""
    fault: str | None = None


def _read_all(corpus: Corpus, progress: Progress) -> Iterator[_Samples]:
    with progress.stage("reading audio", corpus.seconds) as advance, worker_pool() as pool_map:
        for each in pool_map(_read, corpus):
            advance(each.utterance.duration)
            yield each


def _read(utterance: Utterance) -> _Samples:
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
        return _Samples(utterance, fault=error.reason)
    length = utterance.last - utterance.first
    power_in_mean = power / own if own and utterance.channel is None else 1.0
    return _Samples(utterance, peak, full / length, power_in_mean, content.digest())


def _of_samples(summaries: Sequence[_Samples]) -> list[Finding]:
    readable = [each for each in summaries if each.fault is None]
    loud = [each for each in readable if each.peak >= _QUIET]
    beyond = [each for each in loud if each.peak > 1]
    return [
        Finding(
            "warning",
            "beyond full scale: floats above 1, which models do not expect",
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
            tuple(_name(each.utterance) for each in readable if each.peak < _QUIET),
        ),
        Finding(
            "warning",
            "with channels that cancel each other in their mean; choose one (--channel)",
            tuple(_name(each.utterance) for each in loud if each.power_in_mean < _CANCELLED),
        ),
        Finding("warning", "with the same audio as another", tuple(_repeated(loud))),
    ]


def _unusable(corpus: Corpus, summaries: Iterable[_Samples]) -> Iterator[str]:
    for each in corpus.left_out:
        yield f"{each.shown}: {each.reason}"
    for one in summaries:
        if one.fault is not None:
            yield f"{_name(one.utterance)}: {one.fault}"


def _named(corpus: Corpus, holds: Callable[[Utterance], bool]) -> tuple[str, ...]:
    return tuple(_name(each) for each in corpus if holds(each))


def _name(utterance: Utterance) -> str:
    return f"{printable(utterance.id)} ({printable(utterance.path)})"


def _overlapping(corpus: Corpus) -> Iterator[str]:
    """Name each utterance that starts before an earlier one of its file and channel ends."""
    last: dict[object, Utterance] = {}
    for each in sorted(corpus, key=lambda each: each.first):
        before = last.get((each.path, each.channel))
        if before is not None and each.first < before.last:
            seconds = (min(before.last, each.last) - each.first) / each.sampling_rate
            yield f"{_name(each)}: {seconds:.3f} s of it are also in {printable(before.id)}"
        if before is None or each.last > before.last:
            last[each.path, each.channel] = each


def _rates(corpus: Corpus) -> Iterator[str]:
    counts = Counter(each.sampling_rate for each in corpus)
    if len(counts) > 1:
        for rate, count in sorted(counts.items()):
            yield f"{count} at {rate} Hz"


def _repeated(summaries: Iterable[_Samples]) -> Iterator[str]:
    first: dict[bytes, Utterance] = {}
    for each in summaries:
        same = first.setdefault(each.content, each.utterance)
        if same is not each.utterance:
            yield f"{_name(each.utterance)}: same as {printable(same.id)}"

"""Check the length of MP3 files, which libsndfile guesses where no header gives it."""

import os
from typing import BinaryIO, NamedTuple

# Kilobits a second by version (MPEG-1, or 2 and 2.5), layer and index in the frame header.
_BIT_RATES = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLING_RATES = (44100, 48000, 32000)  # Hz of MPEG-1; half in MPEG-2, a quarter in MPEG-2.5
_DIVISORS = {0: 4, 2: 2, 3: 1}  # of these rates, by the version's number in the frame header
_INVALID_LAYER, _INVALID_RATE, _INVALID_SAMPLING = 4, 15, 3
_HEAD = 4  # bytes of a frame header
_ID3V1 = 128  # bytes of a tag at the end of a file
# Samples that decoders drop: at most 4095 at either end, where the header says so.
_DROPPED = 2 * 4095
_FRAMES = 2  # the first and the last, which may be incomplete
_LONGEST = 1152  # samples of a frame


class _Frame(NamedTuple):
    """A frame's kind, which all frames of a stream share, its length in bytes, and its samples."""

    kind: tuple[int, int, int]
    length: int
    samples: int


def fault_of_length(file: BinaryIO, samples: int) -> str | None:
    """Return why the length of an MP3 file cannot be believed, or None if it can.

    A Xing or Info header gives the length. Without one it is a guess from the first frames, right
    only for a constant bit rate. Frames are counted, unless the header explains the file's size.

    Parameters
    ----------
    file
        The file, which can be searched.
    samples
        Its length according to libsndfile, in samples of a channel.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = _after_tag(file.read(10))
    file.seek(start)
    head = file.read(2 * _LONGEST)
    frame = _frame(head, 0)
    head = head[: frame.length] if frame else b""
    tagged = any(name in head for name in (b"Xing", b"Info", b"VBRI"))
    if tagged and 0 <= size - start - _stated_size(head) <= _ID3V1:
        return None
    file.seek(start)
    counted = count_samples(file.read())
    allowed = _FRAMES * _LONGEST + (_DROPPED if tagged else 0)
    if counted > samples + allowed:
        return (
            f"is an mp3 of {counted} samples, of which only {samples} would be read: its header "
            "of the length is absent or wrong; convert it to FLAC or WAV"
        )
    return None


def count_samples(content: bytes) -> int:
    """Count the samples in all frames of MP3 audio, without decoding them.

    Bytes between frames are skipped. The first frame must be followed by another of its kind.

    Parameters
    ----------
    content
        The bytes of the file, without a tag before the audio.

    Returns
    -------
    int
        Samples of a channel, with those that decoders drop: the delay of the encoder, and a first
        frame that holds no audio but the length of the file.
    """
    kind = None
    samples = at = 0
    while at >= 0:
        frame = _frame(content, at)
        if frame is not None and kind is None:
            follower = _frame(content, at + frame.length)
            kind = frame.kind if follower is not None and follower.kind == frame.kind else None
        if frame is not None and frame.kind == kind:
            samples += frame.samples
            at += frame.length
        else:
            at = content.find(b"\xff", at + 1)
    return samples


def _after_tag(start: bytes) -> int:
    """Return where audio may begin: after an ID3v2 tag."""
    if not start.startswith(b"ID3"):
        return 0
    size = 0
    for byte in start[6:10]:  # seven bits each
        size = size << 7 | byte & 0x7F
    return 10 + size


def _stated_size(frame: bytes) -> int:
    """Return the bytes of audio that a Xing or Info header states; 0 if it states none."""
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    flags = int.from_bytes(frame[at + 4 : at + 8])
    if at < 0 or not flags & 2:
        return 0
    place = at + 8 + 4 * (flags & 1)
    return int.from_bytes(frame[place : place + 4])


def _frame(content: bytes, at: int) -> _Frame | None:
    """Parse the header of a frame; None if there is none at this place."""
    head = content[at : at + _HEAD]
    if len(head) < _HEAD or head[0] != 0xFF or head[1] < 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    rate, sampling, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version not in _DIVISORS or layer == _INVALID_LAYER:
        return None
    if rate in (0, _INVALID_RATE) or sampling == _INVALID_SAMPLING:
        return None
    first = _DIVISORS[version] == 1
    bits = 1000 * _BIT_RATES[first, layer][rate - 1]
    hertz = _SAMPLING_RATES[sampling] // _DIVISORS[version]
    kind = version, layer, sampling
    if layer == 1:
        return _Frame(kind, 4 * (12 * bits // hertz + padding), 384)
    samples = _LONGEST // 2 if layer == 3 and not first else _LONGEST
    return _Frame(kind, samples // 8 * bits // hertz + padding, samples)

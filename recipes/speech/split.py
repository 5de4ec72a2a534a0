"""What is speech, what is held out, and what is bundled: the rules, and nothing else.

A *name* is a prompt's path without language and suffix (``digits/7``, ``vm-goodbye``). The same
name is the same sentence in every language, so all rules go by name: a sentence held out in one
language is held out in all of them, and no voice is heard saying it in training.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable

Row = dict[str, str]

LANGUAGES = ("en", "es", "fr", "it", "ru")

NOT_SPEECH_FOLDERS = ("silence/",)
NOT_SPEECH = {
    "ascending-2tone",
    "beep",
    "beeperr",
    "confbridge-join",  # a chime
    "confbridge-leave",  # a chime
    "descending-2tone",
    "tt-monkeys",  # monkeys, screaming
}

HELD_OUT_ONE_IN = 7
BUNDLED_SECONDS = (1.2, 7.0)  # 26 sentences, six minutes, 7.5 MB


def is_speech(name: str) -> bool:
    """Whether a prompt of this name holds spoken words."""
    return name not in NOT_SPEECH and not name.startswith(NOT_SPEECH_FOLDERS)


def is_held_out(name: str) -> bool:
    """Whether a prompt of this name is kept from all training.

    The rule looks at the name alone (a hash of it, one name in seven), so it needs no list, does
    not depend on which packages are there, and holds for prompts added later.
    """
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest, "big") % HELD_OUT_ONE_IN == 0


def name_of(utterance_id: str) -> str:
    """Name of the prompt behind an utterance id: ``fr/digits/7`` is ``digits/7``."""
    return utterance_id.split("/", 1)[1]


def split(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Training rows and held-out rows of a manifest.

    Some sentences were recorded under several names ("Goodbye." is one); rows of other names whose
    sentence is a held-out one in their language belong to neither side.
    """
    rows = list(rows)
    held_out = [row for row in rows if is_held_out(name_of(row["id"]))]
    names = {row["id"] for row in held_out}
    sentences = {sentence(row) for row in held_out if row["text"]}
    training = [r for r in rows if r["id"] not in names and sentence(r) not in sentences]
    return training, held_out


def sentence(row: Row) -> tuple[str, str]:
    """Language and words of a row, whatever their case, punctuation and spacing."""
    return row["language"], " ".join(re.findall(r"\w+", row["text"].lower()))


def bundled_ids(durations: Iterable[tuple[str, float]]) -> list[str]:
    """Ids of the demo subset, from pairs of utterance id and seconds.

    Held-out names recorded in every language, each recording within ``BUNDLED_SECONDS``: every
    language says the same sentences.
    """
    low, high = BUNDLED_SECONDS
    fitting = defaultdict(list)
    for utterance_id, seconds in durations:
        name = name_of(utterance_id)
        if is_held_out(name) and low <= seconds <= high:
            fitting[name].append(utterance_id)
    return sorted(i for ids in fitting.values() if len(ids) == len(LANGUAGES) for i in ids)

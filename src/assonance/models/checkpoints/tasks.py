"""Find what a checkpoint was trained for last, from the class that it was saved with."""

import re
from collections.abc import Iterable

PRETRAINING = "pretraining"

# The families' classes begin with these.
_FAMILIES = (
    "Data2VecAudio",
    "Hubert",
    "Moonshine",
    "Parakeet",
    "SEW",
    "SEWD",
    "SeamlessM4T",
    "Speech2Text",
    "SpeechT5",
    "UniSpeech",
    "UniSpeechSat",
    "Wav2Vec2",
    "Wav2Vec2Bert",
    "Wav2Vec2Conformer",
    "WavLM",
    "Whisper",
)
# A model or encoder without a head, or with the head of its pretraining. ContentVec is a
# HuBERT with its final projection.
_PRETRAINED = re.compile(
    rf"({'|'.join(_FAMILIES)})(Model|ModelWithFinalProj|Encoder\w*|SpeechEncoder)"
    r"|\w+For(Pre[Tt]raining|Masked\w+)"
)
_HEAD = re.compile(r"\w+?For(?P<head>[A-Z]\w*)")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[0-9]+")
_TASKS = {
    "CTC": "speech recognition",
    "RNNT": "speech recognition",
    "TDT": "speech recognition",
    "SpeechSeq2Seq": "speech recognition",
    "SpeechToText": "speech recognition",
    "ConditionalGeneration": "speech recognition",
    "SequenceClassification": "utterance classification",
    "AudioClassification": "utterance classification",
    "AudioFrameClassification": "frame classification",
    "XVector": "speaker verification",
    "TextToSpeech": "speech synthesis",
    "SpeechToSpeech": "speech generation",
    "TextToText": "text generation",
    "CausalLM": "text generation",
}
_SUPERVISED = {"speech recognition", "speech synthesis", "speech generation", "text generation"}


def classes(architectures: object) -> list[str]:
    """Return the names of classes in a configuration, of which it may hold one, several or none."""
    names = architectures if isinstance(architectures, list | tuple) else [architectures]
    return [name for name in names if isinstance(name, str)]


def task(classes: Iterable[str]) -> str | None:
    """Return the task that a checkpoint was trained for last.

    Parameters
    ----------
    classes
        Names of the classes that it was saved with.

    Returns
    -------
    str or None
        A task such as "speech recognition", "pretraining", or None if no class is known. A head of
        another name than those of transformers is named by its words: ``FooForAgeRegression`` was
        trained for "age regression".
    """
    found = [_task_of(name) for name in classes]
    tasks = [each for each in found if each not in (None, PRETRAINING)]
    return tasks[0] if tasks else PRETRAINING if PRETRAINING in found else None


def is_fine_tuning(task: str | None, objective: str) -> bool:
    """Return whether training for a task was fine-tuning, given the family's objective.

    Parameters
    ----------
    task
        Result of `task`.
    objective
        Objective of pretraining; see `ModelCard`. A supervised model generates text or speech, so
        these tasks were its pretraining.
    """
    if task is None or task == PRETRAINING:
        return False
    return objective != "supervised" or task not in _SUPERVISED


def _task_of(name: str) -> str | None:
    """Return the task of one class."""
    if _PRETRAINED.fullmatch(name):
        return PRETRAINING
    head = _HEAD.fullmatch(name)
    if head is None:
        return None
    return _TASKS.get(head["head"]) or " ".join(
        word if word.isupper() else word.lower() for word in _WORD.findall(head["head"])
    )

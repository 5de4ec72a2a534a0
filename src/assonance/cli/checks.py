"""Check names and pairs of names before anything that takes seconds is imported."""

from collections.abc import Sequence
from pathlib import Path

from assonance.corpus.formats.detection import check_speech
from assonance.errors import AssonanceError
from assonance.models.loading import check_name


def check_names(models: Sequence[str], audio: str) -> None:
    """Check the names of models and the path of the speech, as far as the file system shows.

    Measures and options are checked where they become a `Request`.

    Parameters
    ----------
    models
        Names of models, as `load_model` takes them.
    audio
        Path of the corpus.

    Raises
    ------
    AssonanceError
        A model or the speech is not there, or a folder has no audio.
    """
    for each in models:
        check_name(each)
    check_speech(Path(audio))


def parse_pairs(option: str, form: str, texts: Sequence[str]) -> dict[str, str]:
    """Parse texts of the form KEY=VALUE; each key has one value, other than itself."""
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise AssonanceError(f"{option} {text!r}: not of the form {form}")
        if key == value:
            raise AssonanceError(f"{option} {text!r}: a model cannot be its own; write {form}")
        if pairs.setdefault(key, value) != value:
            raise AssonanceError(
                f"{option} {text!r}: {key!r} was already given {pairs[key]!r}; give one"
            )
    return pairs

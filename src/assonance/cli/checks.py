"""Check names before anything that takes seconds is imported."""

from collections.abc import Sequence
from pathlib import Path

from assonance.corpus.formats.detection import find_format
from assonance.models.loading import check_name


def check_names(models: Sequence[str], audio: str) -> None:
    """Check the names of models and the path of the speech, as far as a file system tells.

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
        A model or the speech is not there.
    """
    for each in models:
        check_name(each)
    find_format(Path(audio))

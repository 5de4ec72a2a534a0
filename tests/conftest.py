"""Small models and a little speech that tests share."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import soundfile
from hypothesis import settings
from signals import voice

if TYPE_CHECKING:
    from hub import Hub

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")


@pytest.fixture(scope="session", autouse=True)
def weights_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep converted weights apart from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSONANCE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make, once, a directory with a small random model: its family, style and head.

    Whatever else its configuration should say is given by name.
    """
    import torch
    import transformers
    from checkpoints import save

    torch.set_num_threads(1)  # threads cost models this small more than they save
    transformers.utils.logging.disable_progress_bar()

    @functools.cache
    def make(
        family: str = "wav2vec2",
        style: str = "base",
        head: str = "Model",
        seed: int = 0,
        **changes: object,
    ) -> Path:
        folder = tmp_path_factory.mktemp("checkpoints") / f"{family}-{style}-{head}-{seed}"
        return save(folder, family, style, head, seed, **changes)

    return make


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six short sound recordings at 16 kHz."""
    folder = tmp_path_factory.mktemp("speech")
    for number in range(6):
        audio = voice(0.3 + 0.1 * number, seed=number)
        soundfile.write(folder / f"prompt{number}.wav", audio, 16000)
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "Iterator[Hub]":
    """A hub without models, which the client takes for the real one, and an empty cache."""
    from hub import hub_of_this_process

    monkeypatch.setattr("assonance.models.checkpoints.hub.transfer._PAUSE", 0)
    with hub_of_this_process(monkeypatch, tmp_path / "cache") as hub:
        yield hub

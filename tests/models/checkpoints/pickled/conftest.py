import pytest


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    """An empty cache for each test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("ASSONANCE_CACHE", str(folder))
    return folder

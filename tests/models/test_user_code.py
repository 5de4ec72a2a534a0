"""Models that a Python function of the user returns."""

import sys

import pytest

from assonance.errors import AssonanceError
from assonance.models.loading import load_model


@pytest.fixture
def code(tmp_path, monkeypatch):
    """Modules of the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_models.py").write_text(
        "import assonance\n"
        "number = 3\n"
        "def nothing(): return object()\n"
        "def fails(): raise RuntimeError('no weights\\nhere')\n"
        "def mel(): return assonance.load_model('mel')\n"
    )
    return tmp_path


def test_code_is_found_in_the_working_directory(code):
    assert load_model("module:own_models.mel").name == "mel"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("module:", "write your own model as module:<package>.<function>"),
        ("module:own_models", "write your own model as"),
        ("module:no_such.model", "cannot be imported .ModuleNotFoundError: No module named"),
        ("module:own_models.gone", "cannot be imported .AttributeError"),
        ("module:own_models.number", "is not a function"),
        ("module:own_models.nothing", "returns a object, which lacks 'name'"),
        ("module:own_models.fails", "fails .RuntimeError: no weights"),
    ],
)
def test_code_that_gives_no_model_is_named(code, spec, words):
    with pytest.raises(AssonanceError, match=words) as caught:
        load_model(spec)
    assert "\n" not in str(caught.value)

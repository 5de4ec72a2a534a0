"""A name stands for what is on this machine first, then for a bundled or published model."""

import pytest

from assonance.demo import MODELS
from assonance.errors import AssonanceError
from assonance.models.checkpoints.files import LocalFiles
from assonance.models.checkpoints.location import locate


def test_a_folder_stands_for_its_files(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "inner").mkdir()
    found = locate(tmp_path, offline=True)
    assert isinstance(found, LocalFiles)
    assert {name: file.size for name, file in found.files.items()} == {"config.json": 2}
    assert found.name == tmp_path.name
    assert found.missing(["config.json"]) == []


def test_a_file_stands_for_itself_alone(tmp_path):
    for name in ("a.pt", "b.pt"):
        (tmp_path / name).write_bytes(b"123")
    found = locate(tmp_path / "a.pt", offline=True)
    assert list(found.files) == ["a.pt"]
    assert (found.name, found.where) == ("a", str(tmp_path / "a.pt"))


def test_a_bundled_name_stands_for_its_folder():
    assert locate(MODELS[0].name, offline=True).folder == MODELS[0]


@pytest.mark.parametrize("spec", ["gone", "./a/b", "../b", "a/b/c", "", "~nobody/x/y", "\0"])
def test_what_is_no_name_of_the_hub_is_never_looked_up_there(spec):
    with pytest.raises(AssonanceError, match="no such directory or file"):
        locate(spec, offline=False)


def test_a_name_with_a_typing_error_is_answered_with_the_nearest():
    with pytest.raises(AssonanceError, match=r"did you mean hubert-mini\?$"):
        locate("hubert-mni", offline=True)

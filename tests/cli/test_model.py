"""`assonance model info` prints what a model is, and its status says whether it opens."""

import shutil

from command_line import check_error, run


def test_a_bundled_model_is_described():
    outcome = run("model", "info", "hubert-mini")
    assert outcome.status == 0
    assert "6 blocks of 128, 4 heads" in outcome.out
    assert outcome.out.splitlines()[-1].split() == ["opens", "yes"]


def test_a_model_that_does_not_open_has_the_reason_and_a_status(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint(), tmp_path / "bare")
    (folder / "model.safetensors").unlink()
    outcome = run("model", "info", folder)
    assert outcome.status == 1
    assert "opens        no: no weights; " in outcome.out


def test_preprocessing_can_be_given(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint("hubert"), tmp_path / "content-vec")
    (folder / "preprocessor_config.json").unlink()
    check_error(run("model", "info", folder), "--preprocessor")
    outcome = run("model", "info", folder, "--preprocessor", checkpoint("hubert"))
    assert outcome.status == 0
    assert "content-vec: preprocessing taken from " in outcome.out


def test_a_model_that_is_not_there_is_refused():
    check_error(run("model", "info", "gone"), "gone: no such directory or file")

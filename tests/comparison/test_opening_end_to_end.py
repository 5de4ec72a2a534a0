"""How models were opened is in the results, where it changes scores or was chosen by the user."""

import json
import shutil

import pytest

import assonance
from assonance.errors import AssonanceError, AssonanceWarning


@pytest.fixture
def unnormalised(checkpoint, tmp_path):
    """A fine-tuned model whose input is not normalised, unlike its base's."""
    folder = shutil.copytree(checkpoint(head="ForCTC"), tmp_path / "tuned")
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "do_normalize": False}))
    return folder


def notes(models, speech, **options):
    with pytest.warns(AssonanceWarning) as caught:
        result = assonance.compare(
            models, speech, ["cka"], twins=False, uncertainty=False, **options
        )
    said = [str(each.message) for each in caught]
    return [note for note in result.provenance.notes if note in said]


def test_unlike_normalisation_of_a_fine_tuned_model_is_noted(checkpoint, unnormalised, speech):
    found = notes([checkpoint(), unnormalised], speech)
    assert any(
        note.startswith("tuned takes another input (16000 Hz, not normalised) than ")
        for note in found
    )


def test_preprocessing_from_elsewhere_is_noted(checkpoint, unnormalised, speech):
    other = str(checkpoint())
    found = notes([checkpoint(), unnormalised], speech, preprocessors={str(unnormalised): other})
    assert f"tuned: preprocessing taken from {other}" in found
    assert not any("takes another input" in note for note in found)


def test_preprocessing_for_a_model_that_is_not_compared_is_refused(checkpoint, speech):
    with pytest.raises(AssonanceError, match=r"^gone: none of the models that are loaded by name"):
        assonance.compare([checkpoint()], speech, ["cka"], preprocessors={"gone": "x.json"})

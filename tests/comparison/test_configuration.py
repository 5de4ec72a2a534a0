"""One schema describes a comparison in YAML, in Python and on the command line."""

import pytest
import yaml

from assonance import Configuration
from assonance.comparison.configuration import PRESETS, merge
from assonance.comparison.request import Request
from assonance.errors import AssonanceError

MODELS = {"models": ["mel"], "audio": "speech"}


def test_without_options_it_makes_the_default_request():
    assert Configuration.make(MODELS).request() == Request()


def test_its_values_make_the_same_configuration():
    values = merge(MODELS, {"speech": {"window": 5}, "pooling": {"pool": "utterance"}})
    made = Configuration.make(merge(values, {"settings": "elkheir2024", "record": ["ffn"]}))
    text = yaml.safe_dump(made.values(), sort_keys=False)
    assert Configuration.make(yaml.safe_load(text)) == made
    assert made.values()["pooling"]["pool_by"] == "mean"
    assert (made.request().reading.window, made.request().loading.record) == (5, ("ffn",))


def test_a_request_is_described_by_the_values_that_make_it():
    made = Configuration.make(merge(MODELS, {"settings": {"groups": 4}, "seeds": {"b": "a"}}))
    assert Configuration.of(made.models, made.audio, None, made.request()) == made


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_run(name):
    assert Configuration.make(merge(MODELS, PRESETS[name])).request()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"audo": "x"}, "audo: is not known; did you mean audio"),
        ({"speech": {"windw": 3}}, "speech: windw is not known; did you mean window"),
        ({"speech": {"window": "x"}}, "speech.window: input should be a valid number.*got 'x'"),
        ({"settings": {"folds": 1}}, "folds must be at least 2"),
        ({"settings": {"fold": 3}}, "settings: fold is not known; did you mean folds"),
        ({"measures": ["ckaa"]}, "measure 'ckaa' is unknown; did you mean cka"),
        ({"measures": "cka"}, "measures: input should be a valid list"),
        ({"on_error": "x"}, "on_error: .*'skip' or 'stop'"),
        ({"record": ["blokcs"]}, "record 'blokcs': .*did you mean blocks"),
        ({"memory": "much"}, "much"),
        ({"models": []}, "models: list should have at least 1 item"),
        ({"pooling": {"pool": "word"}}, "alignments: pooling by word needs them"),
    ],
    ids=str,
)
def test_a_wrong_value_is_one_line_that_names_file_and_key(tmp_path, wrong, words):
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(merge(MODELS, wrong)))
    with pytest.raises(AssonanceError, match=words) as caught:
        Configuration.read(file)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)


def test_what_is_missing_is_named(tmp_path):
    file = tmp_path / "run.yaml"
    for text, words in (("models: [mel]", "audio: is missing"), ("3", "must map options")):
        file.write_text(text)
        with pytest.raises(AssonanceError, match=words):
            Configuration.read(file)


def test_a_configuration_is_compared(checkpoint, speech):
    model = str(checkpoint("hubert", seed=2))
    options = {"measures": ["cka"], "twins": False, "uncertainty": False}
    made = Configuration.make({"models": [model], "audio": str(speech), **options})
    assert set(made.compare().scores) >= {"cka"}

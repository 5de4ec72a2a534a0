"""Tasks: what each class of a checkpoint was trained for, and whether that was fine-tuning."""

import importlib
import inspect

import pytest
import transformers
from transformers.models.auto import modeling_auto

from assonance.models.checkpoints.tasks import PRETRAINING, classes, is_fine_tuning, task
from assonance.models.huggingface.families import FAMILIES

# Classes of these families that have no speech encoder, and therefore cannot be opened.
WITHOUT_SPEECH = ("Decoder", "Vocoder", "HifiGan", "TextToUnit", "PreTrainedModel")


def models_of(family):
    """Names of all models that transformers has for a family."""
    config = transformers.CONFIG_MAPPING[family]
    module = importlib.import_module(config.__module__.replace("configuration_", "modeling_"))
    return [
        name
        for name, each in vars(module).items()
        if inspect.isclass(each)
        and issubclass(each, transformers.PreTrainedModel)
        and each.__module__ == module.__name__
        and not any(word in name for word in WITHOUT_SPEECH)
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_class_of_a_family_has_a_task(family):
    assert models_of(family)
    assert [name for name in models_of(family) if task([name]) is None] == []


def lists(mapping, *families):
    return [
        name
        for family in families or FAMILIES
        if family in mapping
        for name in ([mapping[family]] if isinstance(mapping[family], str) else mapping[family])
    ]


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ("MODEL_FOR_CTC", "speech recognition"),
        ("MODEL_FOR_SPEECH_SEQ_2_SEQ", "speech recognition"),
        ("MODEL_FOR_AUDIO_CLASSIFICATION", "utterance classification"),
        ("MODEL_FOR_AUDIO_FRAME_CLASSIFICATION", "frame classification"),
        ("MODEL_FOR_AUDIO_XVECTOR", "speaker verification"),
    ],
)
def test_tasks_are_those_that_transformers_lists_the_classes_under(mapping, expected):
    names = lists(getattr(modeling_auto, f"{mapping}_MAPPING_NAMES"))
    assert names
    assert {task([name]) for name in names} == {expected}


def test_models_without_a_head_are_pretrained():
    headed = {"parakeet_ctc"}  # transformers has it with its head only
    names = lists(modeling_auto.MODEL_MAPPING_NAMES, *(FAMILIES.keys() - headed))
    assert {task([name]) for name in names} == {PRETRAINING}


@pytest.mark.parametrize(
    "name",
    [
        "Wav2Vec2ForPreTraining",
        "Wav2Vec2ConformerForPreTraining",
        "UniSpeechForPreTraining",
        "UniSpeechSatForPreTraining",
        "HubertModelWithFinalProj",
        "HubertForMaskedPrediction",
        "OwnForPretraining",
    ],
)
def test_heads_of_pretraining_are_no_task(name):
    assert task([name]) == PRETRAINING


def test_a_head_of_ones_own_is_named_by_its_words():
    assert task(["Wav2Vec2ForSpeechClassification"]) == "speech classification"
    assert task(["WavLMForVADAndASR"]) == "VAD and ASR"


@pytest.mark.parametrize("names", [[], ["EmotionModel"], ["Wav2Vec2Classifier"], ["For"]])
def test_an_unknown_class_has_no_task(names):
    assert task(names) is None


def test_classes_are_read_from_whatever_a_configuration_holds():
    assert classes(["A", None, 7, "B"]) == classes(("A", "B")) == ["A", "B"]
    assert classes("A") == ["A"]
    assert classes(None) == classes(7) == classes({"A": 1}) == []


def test_of_several_classes_the_first_with_a_task_counts():
    assert task(["HubertModel", "HubertForCTC"]) == "speech recognition"
    assert task(["Unheard", "HubertModel"]) == PRETRAINING


def test_a_task_after_pretraining_is_fine_tuning():
    assert is_fine_tuning("speech recognition", "predictive")
    assert is_fine_tuning("age regression", "contrastive")
    assert not is_fine_tuning(PRETRAINING, "predictive")
    assert not is_fine_tuning(None, "predictive")


def test_a_supervised_model_is_pretrained_for_recognition_and_fine_tuned_for_a_class():
    assert not is_fine_tuning("speech recognition", "supervised")
    assert is_fine_tuning("utterance classification", "supervised")

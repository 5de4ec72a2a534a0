"""Models are compared by their ids, from a hub that serves what the published ones have."""

import hashlib
import json
import re

import pytest
import torch
from command_line import check_error, run
from safetensors.torch import load_file

from assonance import Comparison

IDS = ("facebook/wav2vec2-base", "facebook/hubert-base-ls960")


def published(folder):
    """The files of a model as most are published: no safetensors."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".json"}
    weights = folder.parent / f"{folder.name}.bin"
    torch.save(load_file(folder / "model.safetensors"), weights)
    return files | {"pytorch_model.bin": weights.read_bytes(), "tf_model.h5": b"not fetched"}


@pytest.fixture
def models(hub, checkpoint):
    """A hub with two of the study's models, in small."""
    for hub_id, family in zip(IDS, ("wav2vec2", "hubert"), strict=True):
        hub.add(hub_id, published(checkpoint(family)))
    return hub


def compare(speech, out, *arguments):
    """Compare with few measures, and without what takes long."""
    few = ("--measure", "cka", "--no-uncertainty", "--no-twins")
    return run("compare", *arguments, "--audio", speech, "--out", out, *few)


def weights_fetched(hub):
    return hub.count("GET", "/storage/")


def test_two_published_models_are_compared_by_their_ids(models, speech, tmp_path):
    outcome = compare(speech, tmp_path / "run", *IDS)
    assert outcome.status == 0
    sizes = r"to download: facebook/wav2vec2-base \S+ kB, facebook/hubert-base-ls960 \S+ kB"
    assert [line for line in outcome.said if line.startswith("to download")] == [
        re.search(sizes, outcome.err)[0]
    ]
    assert weights_fetched(models) == 2
    record = Comparison.load(tmp_path / "run" / "results.nc").provenance
    content = models.models[IDS[0]].commits.popitem()[1]["pytorch_model.bin"]
    origin = f"converted from pytorch_model.bin (sha256 {hashlib.sha256(content).hexdigest()})"
    assert record.models[0].weights == origin
    assert origin in (tmp_path / "run" / "report.html").read_text()


def test_what_was_fetched_is_compared_offline_and_without_a_request(models, speech, tmp_path):
    compare(speech, tmp_path / "first", *IDS)
    before = len(models.requests)
    outcome = compare(speech, tmp_path / "second", *IDS, "--offline")
    assert outcome.status == 0
    assert len(models.requests) == before
    first, second = (
        Comparison.load(tmp_path / name / "results.nc") for name in ("first", "second")
    )
    assert first.scores.equals(second.scores)


@pytest.mark.parametrize("wrong", ["facebook/hubert-bass-ls960", "facebook/hubert-base-ls960@v9"])
def test_no_weight_is_fetched_before_every_id_is_found(models, speech, tmp_path, wrong):
    check_error(compare(speech, tmp_path / "run", IDS[0], wrong), wrong)
    assert weights_fetched(models) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"config.json": json.dumps({"model_type": "bert"}).encode()}, "'bert' are not supported"),
        ({"preprocessor_config.json": None}, "--preprocessor"),
        ({"pytorch_model.bin": None}, "only weights of TensorFlow (tf_model.h5)"),
    ],
)
def test_no_weight_is_fetched_before_every_model_is_checked(
    models, checkpoint, speech, tmp_path, change, words
):
    files = published(checkpoint("hubert")) | change
    models.add("acme/odd", {name: each for name, each in files.items() if each is not None})
    check_error(compare(speech, tmp_path / "run", IDS[0], "acme/odd"), "acme/odd: ", words)
    assert weights_fetched(models) == 0


def test_weights_with_another_hash_than_the_hub_states_are_refused(models, speech, tmp_path):
    content = models.models[IDS[1]].commits.popitem()
    spoiled = bytearray(content[1]["pytorch_model.bin"])
    spoiled[-200] ^= 1
    models.models[IDS[1]].commits[content[0]] = content[1]
    models.served["pytorch_model.bin"] = bytes(spoiled)
    outcome = compare(speech, tmp_path / "run", IDS[1])
    assert outcome.status == 1
    assert "Traceback" not in outcome.err
    assert IDS[1] in outcome.err


def test_the_models_of_the_hub_are_described_before_anything_is_fetched(models):
    outcome = run("model", "info", IDS[0])
    assert outcome.status == 0
    lines = dict(line.strip().split("  ", 1) for line in outcome.out.splitlines()[1:])
    found = {name: value.strip() for name, value in lines.items()}
    assert found["family"] == "wav2vec2"
    assert found["weights"].startswith("pytorch_model.bin, ")
    assert found["to download"].endswith(" kB")
    assert found["opens"] == "yes"
    assert weights_fetched(models) == 0

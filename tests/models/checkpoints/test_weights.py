"""The files with the weights are chosen by name, and a refusal gives the reason and the remedy."""

import json

import pytest

from assonance.errors import AssonanceError
from assonance.models.checkpoints.files import LocalFiles
from assonance.models.checkpoints.weights import choose_weights, single_file_weights


def folder_with(path, *names):
    for name in names:
        (path / name).write_bytes(b"0123456789")
    return LocalFiles(path)


def refusal(files, pickles=True):
    with pytest.raises(AssonanceError) as caught:
        choose_weights(files, pickles=pickles)
    message = str(caught.value)
    assert message.startswith(str(files.folder))
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("present", "chosen"),
    [
        (["model.safetensors", "pytorch_model.bin"], "model.safetensors"),
        (["pytorch_model.bin", "model.fp16.safetensors", "optimizer.pt"], "pytorch_model.bin"),
        (["pytorch_model.bin", "tf_model.h5", "flax_model.msgpack"], "pytorch_model.bin"),
    ],
)
def test_safetensors_come_first_and_variants_never(tmp_path, present, chosen):
    weights = choose_weights(folder_with(tmp_path, *present), pickles=True)
    assert weights.names == (chosen,)
    assert weights.pickled is chosen.endswith(".bin")
    assert weights.size == 10


@pytest.mark.parametrize(
    ("present", "words"),
    [
        (["config.json"], "no weights; model.safetensors or pytorch_model.bin is needed"),
        (["tf_model.h5"], "only weights of TensorFlow (tf_model.h5)"),
        (["flax_model.msgpack"], "only weights of Flax (flax_model.msgpack)"),
        (["model.fp16.safetensors"], "variants of the weights (model.fp16.safetensors); rename"),
        (["model.fp16.safetensors"], "rename one to model.safetensors"),
        (["pytorch_model.fp16.bin"], "rename one to pytorch_model.bin"),
        (["optimizer.pt", "rng_state.pth"], "no weights: optimizer.pt is the state of a training"),
        (["training_args.bin"], "no weights: training_args.bin is the state of a training"),
        (["model-Q8_0.gguf"], "only quantised weights (GGUF)"),
        (["wav2vec2.ckpt"], "if wav2vec2.ckpt is a fairseq, torchaudio or s3prl checkpoint, give"),
    ],
)
def test_a_folder_without_weights_is_refused_with_what_it_has(tmp_path, present, words):
    assert words in refusal(folder_with(tmp_path, *present))


@pytest.mark.parametrize("name", ["../model.safetensors", "a/b.safetensors", "..", "a\\b"])
def test_an_index_names_only_files_beside_it(tmp_path, name):
    index = {"weight_map": {"layer.weight": name}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "which is not a file beside it" in refusal(LocalFiles(tmp_path))


def test_pickled_weights_are_refused_where_they_are_not_wanted(tmp_path):
    files = folder_with(tmp_path, "pytorch_model.bin")
    assert "which --no-pickles refuses" in refusal(files, pickles=False)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("optimizer.pt", "the state of a training, not weights"),
        ("notes.txt", "not a directory, and not a file of weights by its name"),
        ("tf_model.h5", "only weights of TensorFlow"),
    ],
)
def test_a_single_file_that_holds_no_weights_is_refused(tmp_path, name, words):
    folder_with(tmp_path, name)
    with pytest.raises(AssonanceError, match=words) as caught:
        single_file_weights(LocalFiles(tmp_path, name), pickles=True)
    assert str(caught.value).startswith(str(tmp_path / name))

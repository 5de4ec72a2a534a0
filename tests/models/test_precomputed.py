"""Activations that other software wrote: every format, and everything that can be wrong."""

import pickle

import h5py
import numpy as np
import pytest
import soundfile
import torch
import yaml
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch
from signals import voice

import assonance
from assonance.activations.extraction import extract
from assonance.corpus import Corpus
from assonance.errors import AssonanceError, UnusableAudio
from assonance.models import is_precomputed
from assonance.models.loading import load_model


def npy(path, arrays):
    np.save(path.with_suffix(".npy"), np.stack(list(arrays.values())))


def npz(path, arrays):
    np.savez(path.with_suffix(".npz"), **arrays)


def safetensors(path, arrays):
    save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, f"{path}.safetensors")


def hdf5(path, arrays):
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for name, array in arrays.items():
            file[name] = array


def half(path, arrays):
    tensors = {name: torch.from_numpy(array).bfloat16() for name, array in arrays.items()}
    save_torch(tensors, path.with_suffix(".safetensors"))


FORMATS = [npy, npz, safetensors, hdf5, half]
LABELS = ["layer.0", "layer.1", "layer.10"]


def made(utterance, rate=50, layers=LABELS):
    """Activations as an encoder would give them."""
    rng = np.random.default_rng(abs(hash(utterance.id)) % 2**32)
    frames = round(utterance.duration * rate) - 1
    return {label: rng.standard_normal((frames, 6)).astype(np.float32) for label in layers}


def state(folder, **stated):
    folder.mkdir(exist_ok=True)
    (folder / "activations.yaml").write_text(yaml.safe_dump({"frame_rate": 50, **stated}))
    return folder


@pytest.fixture
def corpus(speech):
    return Corpus.from_path(speech)


@pytest.fixture
def folder(tmp_path, corpus):
    """A folder of activations in one format to spoil."""
    state(tmp_path / "features")
    for utterance in corpus:
        npz(tmp_path / "features" / utterance.id, made(utterance))
    return tmp_path / "features"


@pytest.mark.parametrize("write", FORMATS)
def test_every_format_is_read_as_it_was_written(tmp_path, corpus, write):
    folder = state(tmp_path / "features", **({"layers": LABELS} if write is npy else {}))
    for utterance in corpus:
        write(folder / utterance.id, made(utterance))
    model = load_model(folder)
    assert is_precomputed(model)
    assert (model.name, model.layers) == ("features", tuple(LABELS))
    assert model.widths == dict.fromkeys(LABELS, 6)
    assert (model.heads, model.twin(0), model.info.objective) == ({}, None, "unknown")
    result = extract(model, corpus, tmp_path / "store")
    assert (len(result.ids), result.left_out, result.resampled) == (6, (), 0)
    for utterance in corpus:
        found = result.store.read(utterance.id)
        for label, values in made(utterance).items():
            tolerance = 0.01 if write is half else 0
            np.testing.assert_allclose(found[label], values, rtol=tolerance, atol=tolerance)
    assert extract(load_model(folder), corpus, tmp_path / "store").computed == 0


def test_a_single_layer_is_an_array_of_frames_and_neurons(tmp_path, corpus):
    folder = state(tmp_path / "features", layers=["wav2vec.7"])
    for utterance in corpus:
        np.save(folder / f"{utterance.id}.npy", made(utterance)["layer.0"].astype(np.float64))
    assert load_model(folder).layers == ("wav2vec.7",)
    state(folder)
    assert load_model(folder).layers == ("layer.0",)


def test_frames_lie_where_the_card_says(folder, corpus):
    model = load_model(folder)
    outputs, times = model.look_up(corpus.utterances[0])
    frames = len(outputs.activations["layer.0"])
    np.testing.assert_allclose(times, 0.01 + 0.02 * np.arange(frames))
    state(folder, first_frame=0.0125, frame_rate=50)
    _, times = load_model(folder).look_up(corpus.utterances[0])
    np.testing.assert_allclose(times, 0.0125 + 0.02 * np.arange(frames))
    assert model.n_frames(16000) == len(model.frame_times(16000)) == 50


def test_what_is_stated_may_be_given_in_python(folder):
    (folder / "activations.yaml").unlink()
    with pytest.raises(AssonanceError, match="frame_rate is None: state a number"):
        assonance.Precomputed(folder)
    model = assonance.Precomputed(folder, frame_rate=50, name="fairseq")
    assert model.name == "fairseq"
    assert model.fingerprint == assonance.Precomputed(folder, frame_rate=50).fingerprint
    assert model.fingerprint != assonance.Precomputed(folder, frame_rate=49).fingerprint


@pytest.mark.filterwarnings("ignore::assonance.AssonanceWarning")
def test_they_are_compared_like_any_other_model(folder, checkpoint, speech, corpus):
    model = load_model(checkpoint())
    for utterance in corpus:
        activations = model.run(utterance.read(16000)).activations
        npz(folder / utterance.id, {"three": activations["encoder.3"]})
    state(folder, first_frame=199.5 / 16000)
    comparison = assonance.compare([checkpoint(), folder], speech, ["cka"], twins=False)
    cka = comparison.scores["cka"].sel(model_row="features", layer_row="three")
    assert float(cka.sel(model_col=model.name, layer_col="encoder.3")) == pytest.approx(1)


def test_ids_in_subfolders_are_found_and_none_leads_outside(folder, tmp_path, corpus):
    (folder / "a").mkdir()
    (folder / "prompt0.npz").rename(folder / "a" / "prompt0.npz")
    (tmp_path / "prompt9.npz").write_bytes((folder / "prompt1.npz").read_bytes())
    model = load_model(folder)
    first = corpus.utterances[0]
    assert model.look_up(type(first)(**{**vars(first), "id": "a/prompt0"}))
    for id in ("../prompt9", "prompt0"):
        with pytest.raises(UnusableAudio, match="holds no activations of it"):
            model.identify(type(first)(**{**vars(first), "id": id}))


def test_changed_activations_are_taken_anew_and_nothing_else(folder, corpus, tmp_path):
    extract(load_model(folder), corpus, tmp_path / "store")
    npz(folder / "prompt2", {label: 2 * a for label, a in made(corpus.utterances[2]).items()})
    again = extract(load_model(folder), corpus, tmp_path / "store")
    assert (again.computed, again.reused) == (1, 5)


# What is wrong


def left_out(folder, corpus, tmp_path):
    """Extract, and give the one utterance that cannot be used and why."""
    (found,) = extract(load_model(folder), corpus, tmp_path / "store").left_out
    return found.id, found.reason


def test_an_utterance_without_activations_is_left_out(folder, corpus, tmp_path):
    (folder / "prompt3.npz").unlink()
    assert left_out(folder, corpus, tmp_path) == (
        "prompt3",
        f"{folder} holds no activations of it",
    )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda arrays: {**arrays, "layer.1": arrays["layer.1"][:, :5]},
            "but most files hold",
        ),
        (lambda arrays: {"layer.0": arrays["layer.0"]}, "but most files hold"),
        (lambda arrays: {**arrays, "layer.1": arrays["layer.1"][1:]}, "frames for 0.60 s"),
        (
            lambda arrays: {k: np.repeat(a, 2, 0) for k, a in arrays.items()},
            "but 50 frames a second make",
        ),
        (
            lambda arrays: {k: a * np.nan for k, a in arrays.items()},
            "layer.0 holds NaN or infinity",
        ),
        (lambda arrays: {k: a.astype(int) for k, a in arrays.items()}, "is int64 of shape"),
        (
            lambda arrays: {k: a[:0] for k, a in arrays.items()},
            "it must be floats of shape frames × neurons",
        ),
        (
            lambda arrays: {k: a[0] for k, a in arrays.items()},
            "it must be floats of shape frames × neurons",
        ),
    ],
)
def test_activations_that_do_not_fit_are_left_out(folder, corpus, tmp_path, spoil, words):
    npz(folder / "prompt3", spoil(made(corpus.utterances[3])))
    id, reason = left_out(folder, corpus, tmp_path)
    assert id == "prompt3"
    assert "prompt3.npz" in reason
    assert words in reason


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".h5"])
@pytest.mark.parametrize("kept", [0, 10, -9])
def test_files_cut_off_are_left_out(folder, corpus, tmp_path, suffix, kept):
    write = {".npy": npy, ".npz": npz, ".safetensors": safetensors, ".h5": hdf5}[suffix]
    (folder / "prompt3.npz").unlink()
    write(folder / "prompt3", made(corpus.utterances[3]))
    path = folder / f"prompt3{suffix}"
    path.write_bytes(path.read_bytes()[:kept])
    id, reason = left_out(folder, corpus, tmp_path)
    assert id == "prompt3"
    assert "cannot be read" in reason
    assert "\n" not in reason


def test_a_pickle_is_never_opened(folder, corpus, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    (folder / "prompt3.npz").unlink()
    np.save(folder / "prompt3.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    assert "cannot be read" in left_out(folder, corpus, tmp_path)[1]
    (folder / "prompt3.npy").write_bytes(pickle.dumps(Trap()))
    assert "cannot be read" in left_out(folder, corpus, tmp_path)[1]
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"frame_rate": 0}, "frame_rate is 0: state a number"),
        ({"frame_rate": "fast"}, "frame_rate is 'fast'"),
        ({"frame_rate": float("nan")}, "frame_rate is nan"),
        ({"first_frame": "soon"}, "first_frame is 'soon'"),
        ({"layers": ["a", "a"]}, "layers must be a list of distinct names"),
        ({"layers": "a"}, "layers must be a list of distinct names"),
        ({"framerate": 50}, "unknown 'framerate'; it can have frame_rate"),
    ],
)
def test_a_card_that_states_what_cannot_be_is_refused(folder, stated, words):
    state(folder, **stated)
    with pytest.raises(AssonanceError, match=words):
        load_model(folder)


@pytest.mark.parametrize("card", ["[1, 2", "7", "", "\0"])
def test_a_card_that_is_none_is_refused(folder, card):
    (folder / "activations.yaml").write_text(card)
    with pytest.raises(AssonanceError, match=r"activations\.yaml: "):
        load_model(folder)


def test_a_folder_of_nothing_is_refused(tmp_path):
    with pytest.raises(AssonanceError, match=r"holds no \.npy, \.npz"):
        load_model(state(tmp_path / "empty"))
    with pytest.raises(AssonanceError, match="no such directory"):
        assonance.Precomputed(tmp_path / "gone", frame_rate=50)


def test_two_files_of_one_utterance_are_refused(folder, corpus):
    npy(folder / "prompt3", made(corpus.utterances[3]))
    with pytest.raises(AssonanceError, match=r"holds both prompt3\.npy and prompt3\.npz"):
        load_model(folder)


def overflowed(path):
    arrays = {label: array.astype(np.float64) for label, array in made_for(path).items()}
    arrays["layer.1"][2, 3] = 1e39
    npz(path, arrays)


def narrower(path):
    npz(path, {label: array[:, :4] for label, array in made_for(path).items()})


def cut_off(path):
    path.with_suffix(".npz").write_bytes(path.with_suffix(".npz").read_bytes()[:200])


def made_for(path):
    with np.load(path.with_suffix(".npz")) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (overflowed, "layer.1 holds values beyond those of float32, 3.4e+38; rescale it"),
        (narrower, "'layer.1': 4, 'layer.10': 4}, but most files hold"),
        (cut_off, "cannot be read"),
    ],
)
def test_a_bad_file_is_left_out_whichever_it_is(folder, corpus, tmp_path, place, spoil, words):
    """After gitmylo/audio-webui#90 and huggingface/transformers#47885."""
    spoil(folder / f"prompt{place}")
    id, reason = left_out(folder, corpus, tmp_path)
    assert id == f"prompt{place}"
    assert f"prompt{place}.npz" in reason
    assert words in reason


@pytest.mark.parametrize("name", ["cmvn", "prompt3_mean", "zz"])
def test_statistics_beside_the_activations_change_nothing(folder, corpus, tmp_path, name):
    expected = load_model(folder)
    np.save(folder / f"{name}.npy", np.ones(8, np.float32))
    model = load_model(folder)
    assert (model.widths, model.fingerprint) == (expected.widths, expected.fingerprint)
    assert extract(model, corpus, tmp_path / "store").left_out == ()


def test_many_bad_files_before_a_good_one_are_left_out(tmp_path, corpus):
    folder = state(tmp_path / "features")
    for number in range(20):
        (folder / f"bad{number:02}.npy").write_bytes(b"no")
    npz(folder / "prompt0", made(corpus.utterances[0]))
    assert load_model(folder).layers == tuple(LABELS)


def test_a_folder_of_bad_files_alone_is_refused_and_the_first_is_named(folder):
    for path in folder.glob("*.npz"):
        path.write_bytes(b"no")
    with pytest.raises(
        AssonanceError, match=r"none of its 6 files .*prompt0\.npz.* cannot be read"
    ):
        load_model(folder)


@pytest.mark.parametrize("write", [npz, safetensors, hdf5])
@pytest.mark.parametrize(
    "pattern",
    ["layer_{}", "layer.{}", "layer{}", "L{}", "layer-{}", "hidden_states[{}]", "{}", "b{}.out"],
)
def test_layers_are_in_the_order_of_their_numbers(tmp_path, write, pattern):
    """After huggingface/optimum-intel#984 and drbh/nnli#1."""
    names = [pattern.format(number) for number in range(13)]
    folder = state(tmp_path / "features")
    write(folder / "first", {name: np.ones((50, 4), np.float32) for name in reversed(names)})
    assert assonance.Precomputed(folder).layers == tuple(names)


@pytest.mark.parametrize("pattern", ["enc/{}", "layer_{}/hidden", "encoder/layer{}"])
def test_groups_of_hdf5_are_in_the_order_of_their_numbers(tmp_path, pattern):
    names = [pattern.format(number) for number in range(13)]
    folder = state(tmp_path / "features")
    hdf5(folder / "first", {name: np.ones((50, 4), np.float32) for name in names})
    assert assonance.Precomputed(folder).layers == tuple(names)


@pytest.mark.parametrize("value", ["a word", 16000, np.zeros(3)], ids=type)
def test_what_is_no_layer_in_a_file_is_named(folder, corpus, tmp_path, value):
    with h5py.File(folder / "prompt3.h5", "w") as file:
        file["note"] = value
    (folder / "prompt3.npz").unlink()
    id, reason = left_out(folder, corpus, tmp_path)
    assert id == "prompt3"
    assert "note is" in reason


def test_a_suffix_in_capitals_is_a_suffix(folder, corpus, tmp_path):
    (folder / "prompt3.npz").rename(folder / "prompt3.NPZ")
    assert extract(load_model(folder), corpus, tmp_path / "store").left_out == ()


def test_there_is_nothing_to_run(folder):
    with pytest.raises(AssonanceError, match="holds activations of utterances"):
        load_model(folder).run(np.zeros(16000, np.float32))


def test_windows_of_an_utterance_share_its_file(tmp_path):
    (tmp_path / "speech").mkdir()
    for name, seconds in (("long", 3.7), ("short", 0.9)):
        soundfile.write(tmp_path / "speech" / f"{name}.wav", voice(seconds, seed=1), 16000)
    whole = Corpus.from_path(tmp_path / "speech")
    windowed = Corpus.from_path(tmp_path / "speech", window=1)
    assert len(windowed) > len(whole)
    folder = state(tmp_path / "activations")
    for utterance in whole:
        npz(folder / utterance.id, made(utterance))
    model = load_model(folder)
    store = extract(model, windowed, tmp_path / "store").store
    for utterance in whole:
        expected, times = model.look_up(utterance)
        pieces = [each for each in windowed if utterance.id in (each.id, each.window_of)]
        assert sum(store.n_frames(each.id) for each in pieces) == len(times)
        joined = np.concatenate([store.read(each.id, ["layer.1"])["layer.1"] for each in pieces])
        np.testing.assert_array_equal(joined, expected.activations["layer.1"])

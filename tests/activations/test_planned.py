"""What is planned of activations is what extraction then writes."""

import numpy as np
import pytest
import soundfile
from signals import voice

from assonance import Corpus, load_model
from assonance.activations.extraction import extract
from assonance.activations.planned import plan_extraction, planned_bytes
from assonance.errors import AssonanceError
from assonance.models.spectra import mel

# A checksum has 1 to 10 digits. An offset in a header has at most 12 digits, twice a tensor, and
# a number of frames at most 6; headers are padded to 8 bytes.
A_TENSOR, A_SHARD = 9 + 2 * 12 + 6, 8


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Recordings of several rates and lengths, one too short for a frame, one cut into windows."""
    folder = tmp_path_factory.mktemp("mixed")
    for number, rate in enumerate((8000, 16000, 22050, 44100)):
        soundfile.write(folder / f"{rate}.wav", voice(0.5 + 0.13 * number, seed=number), rate)
    soundfile.write(folder / "short.wav", voice(0.01, seed=9), 16000)
    soundfile.write(folder / "long.wav", voice(3.3, seed=8), 16000)
    return Corpus.from_path(folder, window=1.0)


@pytest.fixture(params=["checkpoint", "mel"])
def model(request, checkpoint):
    return mel() if request.param == "mel" else load_model(checkpoint())


def test_frames_times_and_what_is_left_out_are_those_of_extraction(model, mixed, tmp_path):
    planned, done = plan_extraction(model, mixed), extract(model, mixed, tmp_path)
    assert planned.ids == done.ids
    assert [each.id for each in planned.left_out] == [each.id for each in done.left_out]
    assert planned.store.layers == done.store.layers
    for id in done.ids:
        assert planned.store.n_frames(id) == done.store.n_frames(id)
        np.testing.assert_array_equal(planned.store.times(id), done.store.times(id))


def test_bytes_on_disk_are_planned_to_a_few_bytes_a_tensor(model, mixed, tmp_path):
    planned = plan_extraction(model, mixed)
    extract(model, mixed, tmp_path)
    sizes = [path.stat().st_size for path in tmp_path.glob("*.safetensors")]
    tensors = 2 * len(model.layers) + 1
    assert len(sizes) == len(planned.ids)
    assert (
        0
        <= sum(sizes) - planned_bytes({"": planned})
        <= len(sizes) * (tensors * A_TENSOR + A_SHARD)
    )


def test_planned_activations_are_zeros(model, mixed):
    store = plan_extraction(model, mixed).store
    id = store.ids[0]
    frames = store.read(id)
    assert {label: array.shape for label, array in frames.items()} == {
        label: (store.n_frames(id), width) for label, width in model.widths.items()
    }
    assert not any(array.any() for array in [*frames.values(), *store.sums(id).values()])


def test_speech_that_a_model_cannot_use_is_refused(checkpoint, tmp_path):
    soundfile.write(tmp_path / "short.wav", voice(0.01, seed=0), 16000)
    with pytest.raises(AssonanceError, match=r"can use none of the 1 utterances.*too short"):
        plan_extraction(load_model(checkpoint()), Corpus.from_path(tmp_path))

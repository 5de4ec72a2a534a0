"""Any torch module by hooks: a pretrained network of another kind, and what cannot be."""

from importlib.metadata import files

import numpy as np
import pytest
import silero
import soundfile
import torch
from signals import voice
from torch import nn

import assonance
from assonance import testing
from assonance.demo import SPEECH
from assonance.errors import AssonanceError, UnusableAudio
from assonance.models.loading import load_model


@pytest.fixture(scope="module")
def prompt():
    """A bundled recording of someone speaking."""
    samples, rate = soundfile.read(sorted(SPEECH.rglob("*.flac"))[0], dtype="float32")
    assert rate == 16000
    return samples


# A pretrained network that a package ships


def their_name(name):
    """What the package's own program calls a weight."""
    part, _, kind = name.partition(".")
    places = {f"conv{k}": f"encoder.{k - 1}.reparam_conv" for k in (1, 2, 3, 4)}
    places |= {"lstm_cell": "decoder.rnn", "final_conv": "decoder.decoder.2"}
    if part == "stft_conv":
        return "_model.stft.forward_basis_buffer"
    return f"_model.{places[part]}.{kind}"


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_the_network_is_the_one_that_its_package_runs(prompt):
    """The wheel brings its program with weights of another training: on these both must agree.

    And with the weights in safetensors it still knows speech from silence.
    """
    (path,) = [each.locate() for each in files("silero-vad") if each.name == "silero_vad.jit"]
    program, network = torch.jit.load(path).eval(), silero.network()
    whole = torch.from_numpy(prompt[: len(prompt) // 512 * 512])
    with torch.no_grad():
        theirs = torch.cat([program(chunk[None], 16000).flatten() for chunk in whole.split(512)])
        trained = network(whole)
        silence = network(torch.zeros(5120))
        weights = program.state_dict()
        network.load_state_dict({name: weights[their_name(name)] for name in network.state_dict()})
        torch.testing.assert_close(network(whole), theirs, rtol=0, atol=1e-5)
    assert trained.max() > 0.9
    assert silence.max() < 0.1
    assert np.corrcoef(trained, theirs)[0, 1] > 0.9


def test_a_pretrained_network_of_another_kind_conforms():
    model = silero.model()
    testing.check_model(model)
    assert model.layers == ("conv4", "lstm")
    assert model.widths == {"conv4": 128, "lstm": 128}
    assert (model.heads, model.twin(0)) == ({}, None)
    assert model.info.n_parameters == sum(each.numel() for each in silero.network().parameters())


def test_layers_are_what_the_submodules_give(prompt):
    """The probability of a voice follows from the recorded memory by the weights alone."""
    activations = silero.model().run(prompt).activations
    network = silero.network()
    with torch.no_grad():
        memory = torch.from_numpy(activations["lstm"]).relu()
        found = (memory @ network.final_conv.weight[0, :, 0] + network.final_conv.bias).sigmoid()
        torch.testing.assert_close(found, network(torch.from_numpy(prompt)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["module:silero.model"])
def test_a_function_of_a_module_is_called_by_name(name, prompt):
    model = load_model(name)
    assert (model.name, model.layers) == ("silero-vad", ("conv4", "lstm"))
    assert model.fingerprint == silero.model().fingerprint


@pytest.mark.filterwarnings("ignore::assonance.AssonanceWarning")
def test_it_is_compared_like_any_other(speech):
    comparison = assonance.compare(["module:silero.model"], speech, ["cka", "attn_js"])
    cka = comparison.scores["cka"].squeeze()
    np.testing.assert_allclose(np.diag(cka), 1, atol=1e-6)
    assert 0 < float(cka[0, 1]) < 1
    notes = comparison.provenance.notes
    assert any("no model gives attention maps" in each for each in notes)


# Small networks


class Small(nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv1d(1, 6, 400, 320, padding=200)
        self.norm = nn.BatchNorm1d(6)
        self.drop = nn.Dropout(0.5)
        self.unused = nn.Linear(2, 2)

    def forward(self, values, *, scale=1.0):
        return self.drop(self.norm(self.conv(values * scale)))


def small(seed=0, **how):
    how = {
        "hop": 320,
        "receptive": 400,
        "padding": 200,
        "preprocess": lambda samples: torch.from_numpy(samples)[None, None],
        "arrange": lambda output: output[0].T,
    } | how
    layers = how.pop("layers", {"conv": "conv", "out": "drop"})
    with torch.random.fork_rng():
        return assonance.TorchModel(Small(seed), layers, **how)


def test_a_module_is_run_in_evaluation_mode_on_its_own_grid():
    model = small()
    testing.check_model(model)
    assert model.frame_times(16000)[0] == pytest.approx(-0.5 / 16000)
    assert model.name == "Small"
    assert model.meanings == {"conv": "What conv gives.", "out": "What drop gives."}


@pytest.mark.parametrize(
    "preprocess",
    [
        lambda samples: (torch.from_numpy(samples)[None, None],),
        lambda samples: {"values": torch.from_numpy(samples)[None, None], "scale": 1.0},
    ],
)
def test_arguments_may_be_several_or_named(preprocess):
    samples = voice(0.5, seed=1)
    expected = small().run(samples).activations["conv"]
    found = small(preprocess=preprocess).run(samples).activations["conv"]
    np.testing.assert_array_equal(found, expected)


def test_anything_that_decides_activations_changes_the_fingerprint():
    prints = {
        small().fingerprint,
        small(seed=1).fingerprint,
        small(layers={"conv": "conv"}).fingerprint,
        small(layers={"conv": "norm", "out": "drop"}).fingerprint,
        small(preprocess=lambda samples: 2 * torch.from_numpy(samples)[None, None]).fingerprint,
    }
    assert len(prints) == 5
    assert small().fingerprint == small().fingerprint


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"layers": {}}, "Small: no layers; name submodules to record"),
        (
            {"layers": {"a": "convolution"}},
            "has no submodule 'convolution'; it has conv, norm, drop",
        ),
        ({"layers": {"a": "unused"}}, "a is not computed when the module runs"),
        ({"hop": 0}, "hop 0 and receptive field 400 must be positive"),
        ({"padding": 0}, "conv has 51 frames for 16000 samples, but .* give 49"),
        ({"hop": 160}, "conv has 51 frames for 16000 samples"),
        (
            {"arrange": lambda output: output},
            r"conv has shape \(1, 6, 51\), not frames × neurons",
        ),
        ({"preprocess": torch.from_numpy}, "cannot be run on 16000 samples .*check preprocess"),
        ({"device": "cuda:99"}, "device 'cuda:99': cannot be used here"),
    ],
)
def test_what_cannot_be_is_said_when_the_model_is_made(how, words):
    with pytest.raises(AssonanceError, match=words) as caught:
        small(**how)
    assert "\n" not in str(caught.value)


def test_utterances_that_cannot_be_used_are_unusable():
    with pytest.raises(UnusableAudio, match="too short: 0 samples"):
        small(padding=0, layers={"conv": "conv"}, arrange=lambda output: output[0, :, 1:-1].T).run(
            np.zeros(0, np.float32)
        )
    with pytest.raises(UnusableAudio, match="Small gives NaN or infinite values at conv"):
        small().run(np.full(4000, np.nan, np.float32))


# Code that a name stands for

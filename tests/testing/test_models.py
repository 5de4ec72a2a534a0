"""The checks of models fail for models that break the protocol, each with one line."""

from dataclasses import replace

import numpy as np
import pytest

from assonance import testing
from assonance.models import LayerOutputs
from assonance.models.spectra import mel


class Broken:
    """The log-mel baseline with some members replaced."""

    def __init__(self, **members):
        self._model = mel()
        self.__dict__.update(members)

    def __getattr__(self, name):
        return getattr(self._model, name)


def changed(change):
    """A run whose activations are changed."""

    def run(samples, *, attend=None):
        frames = mel().run(samples).activations["mel"]
        return LayerOutputs({"mel": change(frames)})

    return run


def stateful():
    runs = []

    def change(frames):
        runs.append(frames)
        return frames + np.float32(len(runs))

    return changed(change)


def test_the_baseline_passes_every_check():
    testing.check_model(mel())


@pytest.mark.parametrize(
    ("check", "members", "words"),
    [
        (testing.check_layers, {"layers": ("mel", "mel")}, "layer labels are not unique"),
        (testing.check_layers, {"widths": {"other": 80}}, "widths and layers have different"),
        (testing.check_layers, {"meanings": {"mel": " "}}, "mel has no meaning"),
        (testing.check_layers, {"heads": {"other": 2}}, "heads has labels that are not layers"),
        (testing.check_layers, {"run": changed(lambda x: x[:-1])}, "has shape"),
        (testing.check_layers, {"run": changed(lambda x: x * np.nan)}, "is not finite"),
        (testing.check_layers, {"run": changed(lambda x: 0 * x)}, "is the same in every frame"),
        (testing.check_layers, {"run": changed(lambda x: x.astype(float))}, "is float64"),
        (
            testing.check_frames,
            {"frame_times": lambda n_samples: mel().frame_times(n_samples) + 0.02},
            r"\+?-?\d+\.\d ms from their frame_times",
        ),
        (testing.check_frames, {"run": changed(lambda x: x[:-1])}, "but declares"),
        (testing.check_repeatable, {"run": stateful()}, "two runs differ at mel"),
        (testing.check_attention, {"heads": {"mel": 2}}, "returns attention of"),
    ],
)
def test_a_model_that_breaks_the_protocol_fails_in_one_line(check, members, words):
    with pytest.raises(AssertionError, match=words) as caught:
        check(Broken(**members))
    assert "\n" not in str(caught.value)


def test_a_batch_that_differs_from_single_utterances_fails():
    def run_batch(batch):
        outputs = [mel().run(samples) for samples in batch]
        first = {label: values + 1 for label, values in outputs[0].activations.items()}
        return [replace(outputs[0], activations=first), *outputs[1:]]

    with pytest.raises(AssertionError, match="of an utterance in a batch differs"):
        testing.check_batches(Broken(in_batches=True, run_batch=run_batch))
    assert testing.check_batches(Broken(in_batches=False, run_batch=run_batch)) is None

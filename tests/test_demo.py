"""The bundled models and speech show what the demo says they show."""

import numpy as np
import pytest

from assonance import Corpus, compare, load_model
from assonance.demo import MODELS, SPEECH


def test_the_bundled_speech_is_whole():
    corpus = Corpus.from_path(SPEECH)
    assert not corpus.left_out
    assert corpus.seconds >= 300
    assert len(corpus.speakers) == 4
    assert len(corpus.languages) == 5
    assert corpus.sampling_rates == (16000,)


@pytest.mark.parametrize("path", MODELS)
def test_the_bundled_models_load_and_say_what_they_are(path):
    model = load_model(path, offline=True)
    assert model.info.n_parameters < 2e6
    assert model.info.objective in ("contrastive", "predictive")


@pytest.mark.slow
def test_trained_miniatures_share_a_space_and_hardly_a_neuron():
    measures = ["maxcorr", "maxcorr_rotated", "linreg_heldout", "linreg_heldout_r"]
    found = compare(MODELS, SPEECH, measures, offline=True)
    a, b = found.models
    for row, col in ((a, b), (b, a)):
        shared = found.matrix("linreg_heldout", row, col).max("layer_col")
        floor = found.matrix("linreg_heldout", row, found.twin(col)).max("layer_col")
        assert (shared > floor + 0.15).all()
        assert float(np.abs(found.matrix("localisation", row, col)).max()) < 0.3

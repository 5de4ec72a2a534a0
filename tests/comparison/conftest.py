"""One comparison of two models that tests share."""

import pytest

from assonance import compare


@pytest.fixture(scope="package")
def pair(checkpoint):
    return [checkpoint("wav2vec2", seed=1), checkpoint("hubert", seed=2)]


@pytest.fixture(scope="package")
def whole(pair, speech):
    return compare(pair, speech)

"""A comparison of three models, one of them a second seed of another."""

from dataclasses import replace

import pytest
from comparisons import comparison

NAMES = ("hubert-a", "hubert-b", "wav2vec2-c")


@pytest.fixture(scope="module")
def found():
    made = comparison(NAMES, (4, 4, 3))
    models = [
        replace(each, seed_of="hubert-a") if each.name == "hubert-b" else each
        for each in made.provenance.models
    ]
    return replace(made, provenance=replace(made.provenance, models=tuple(models)))

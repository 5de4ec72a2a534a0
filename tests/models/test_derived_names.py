"""Names of random twins and rotated models are read from the outside in."""

import pytest

from assonance.errors import AssonanceError
from assonance.models.derived_names import split_seed, without_prefixes


def test_a_seed_is_what_follows_the_last_at_sign():
    assert split_seed("random:a@main@7", "random:", "random model", "model") == ("a@main", 7)


@pytest.mark.parametrize("name", ["random:a", "random:@1", "random:a@x", "random:a@-1"])
def test_a_name_without_model_or_seed_is_refused(name):
    with pytest.raises(AssonanceError, match="write a random model as random:<model>@<seed>"):
        split_seed(name, "random:", "random model", "model")


@pytest.mark.parametrize("name", ["a@main", "rotated:a@main@1", "rotated:random:a@main@3@1"])
def test_the_checkpoint_is_what_is_left(name):
    assert without_prefixes(name) == "a@main"

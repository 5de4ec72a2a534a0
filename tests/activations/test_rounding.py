"""Half precision on disk: what it changes is measured, and reported."""

import numpy as np
import pytest

from assonance.activations.rounding import largest_error, rounded, rounding
from assonance.activations.store import ActivationStore
from assonance.errors import AssonanceError

MADE_WITH = {"model": "a", "version": "1"}
HALF = np.dtype("float16")


def frames(seed, scale=1.0, offset=0.0):
    draw = np.random.default_rng(seed)
    return (scale * draw.standard_normal((50, 4)) + offset).astype(np.float32)


def test_the_error_is_that_of_all_frames_together():
    parts = [{"a": frames(seed), "b": frames(seed, offset=30)} for seed in range(3)]
    found = []
    for part in parts:
        half = {name: rounded(values, HALF, name) for name, values in part.items()}
        found.append(rounding(part, half))
    layer, error = largest_error(found)
    exact = [part["b"].astype(np.float64) for part in parts]
    errors = sum(np.square(each.astype(np.float16) - each).sum() for each in exact)
    spread = sum(np.square(each - each.mean(0)).sum() for each in exact)
    assert layer == "b"
    assert error == pytest.approx(np.sqrt(errors / spread), rel=1e-12)
    # Each number is rounded by at most half a unit in the last of 11 binary places.
    assert error < 2**-11 * 35


def test_numbers_that_half_precision_has_are_not_changed():
    values = {"a": np.arange(12, dtype=np.float32).reshape(4, 3)}
    half = {"a": rounded(values["a"], HALF, "a")}
    assert largest_error([rounding(values, half)]) == ("a", 0.0)
    assert largest_error([]) is None


def test_numbers_beyond_half_precision_are_refused():
    with pytest.raises(AssonanceError, match=r"encoder\.1: holds 7e\+04, .* --store float32"):
        rounded(np.full((2, 2), 7e4, np.float32), HALF, "encoder.1")


def test_a_store_in_half_precision_holds_half_and_gives_float32(tmp_path):
    values = {"a": frames(0, scale=10)}
    store = ActivationStore(tmp_path, fingerprint=MADE_WITH, layers={"a": 4}, precision="float16")
    store.write("u", values, np.arange(50) / 50, "audio")
    found = store.read("u")["a"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values["a"].astype(np.float16))
    # The sums are those of the frames that are read.
    np.testing.assert_allclose(store.sums("u")["a"], found.sum(0, dtype=np.float64), rtol=1e-14)
    assert store.rounding("u") == {"a": list(rounding(values, {"a": found})["a"])}
    assert "u" in store


def test_a_store_is_of_one_precision(tmp_path):
    ActivationStore(tmp_path, fingerprint=MADE_WITH, layers={"a": 4}, precision="float16")
    with pytest.raises(AssonanceError, match="made with stored as float16, now stored as None"):
        ActivationStore(tmp_path, fingerprint=MADE_WITH, layers={"a": 4})

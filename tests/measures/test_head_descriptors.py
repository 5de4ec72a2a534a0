"""Descriptors tell heads of known kinds apart, and are what they are defined as."""

import numpy as np
import pytest
import torch
from material import make_maps

from assonance.measures import describe_heads
from assonance.statistics import HeadProfiles

LENGTHS = (30, 12, 1)


def described(maps):
    """Values by descriptor of heads given as one array an utterance."""
    profiles = HeadProfiles(len(maps[0]))
    for one in maps:
        profiles.update([torch.from_numpy(np.ascontiguousarray(one))], torch.ones(len(one)).bool())
    return {name: each.values.numpy() for name, each in describe_heads(profiles).items()}


def kinds(length):
    """A head that looks two frames back, one that looks at frame 0, an even one, a mixed one."""
    frames = np.arange(length)
    back = np.eye(length)[np.maximum(frames - 2, 0)]
    vertical = np.eye(length)[np.zeros(length, int)]
    even = np.full((length, length), 1 / length)
    return np.stack([back, vertical, even, make_maps({"a": 1}, (length,))["a"][0][0]])


@pytest.fixture(scope="module")
def found():
    return described([kinds(length) for length in (30, 12)])


def test_a_diagonal_head_is_known_by_its_offset(found):
    # All but the two first frames of each utterance look two back, those at no more than that.
    assert found["diagonality"][0] == pytest.approx((42 - 2) / 42)
    assert found["peak_offset"][0] == -2
    assert found["distance"][0] == pytest.approx((38 * 2 + 2 * 1) / 42)
    assert found["entropy"][0] == pytest.approx(0, abs=1e-12)
    assert found["position_share"][0] > 0.9
    assert found["verticality"][0] < 0.1


def test_a_vertical_head_is_known_by_its_keys(found):
    assert found["verticality"][1] == pytest.approx(1)
    assert found["position_share"][1] < 0.2
    assert found["diagonality"][1] < 0.2


def test_an_even_head_is_known_by_its_entropy(found):
    assert found["evenness"][2] == pytest.approx(1)
    assert found["entropy"][2] == pytest.approx((30 * np.log(30) + 12 * np.log(12)) / 42)
    assert found["verticality"][2] == pytest.approx(0, abs=1e-12)
    assert np.isnan(found["position_share"][2])


def test_descriptors_are_what_they_are_defined_as():
    maps = make_maps({"a": 3}, LENGTHS, sharpness=2)["a"]
    found = described(maps)
    rows = sum(LENGTHS)
    long = [one for one in maps if one.shape[-1] > 1]
    for head in range(3):
        of_rows = [-(row * np.log(row)).sum() for one in maps for row in one[head]]
        assert found["entropy"][head] == pytest.approx(np.mean(of_rows))
        shares = [
            -(row * np.log(row)).sum() / np.log(len(row)) for one in long for row in one[head]
        ]
        assert found["evenness"][head] == pytest.approx(np.mean(shares))
        away = [
            weight * abs(key - query)
            for one in maps
            for (query, key), weight in np.ndenumerate(one[head])
        ]
        assert found["distance"][head] == pytest.approx(sum(away) / rows)
        keys = [one[head].mean(0) for one in long]
        vertical = [1 + (key * np.log(key)).sum() / np.log(len(key)) for key in keys]
        assert found["verticality"][head] == pytest.approx(np.mean(vertical))
        left, whole = 0, 0
        for one in maps:
            length = one.shape[-1]
            nearest = np.zeros((length, length))
            for offset in range(1 - length, length):
                mean = np.diagonal(one[head], offset).mean()
                nearest += np.diag(np.full(length - abs(offset), mean), offset)
            left += ((one[head] - nearest) ** 2).sum()
            whole += ((one[head] - 1 / length) ** 2).sum()
        assert found["position_share"][head] == pytest.approx(1 - left / whole)
        mass = {
            offset: sum(np.trace(one[head], offset) for one in maps) / rows
            for offset in range(-31, 32)
        }
        best = max(mass, key=mass.__getitem__)
        assert found["peak_offset"][head] == best
        assert found["diagonality"][head] == pytest.approx(
            sum(mass.get(best + beside, 0) for beside in (-1, 0, 1))
        )


def test_single_precision_describes_as_double_does():
    maps = make_maps({"a": 3}, LENGTHS, sharpness=2)["a"]
    found, expected = described([one.astype(np.float32) for one in maps]), described(maps)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-6)


def test_a_head_of_which_nothing_was_added_is_not_described():
    for each in describe_heads(HeadProfiles(2)).values():
        assert torch.isnan(each.values).all()


def test_utterances_of_one_frame_have_no_shares():
    found = described([np.ones((1, 1, 1))])
    assert found["entropy"] == 0
    for name in ("evenness", "verticality", "position_share"):
        assert np.isnan(found[name])

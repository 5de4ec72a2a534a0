"""Models of a comparison have unique names, twins of their architectures, and one baseline."""

import pytest

from assonance.errors import AssonanceError
from assonance.models.loading import Loading, load_model
from assonance.models.roster import load_roster, seeds_by_name


def test_twins_and_the_baseline_follow_the_models(checkpoint):
    folder = checkpoint("wav2vec2")
    roster = load_roster([folder, checkpoint("hubert")], 3, Loading())
    first, second = (checkpoint(family).name for family in ("wav2vec2", "hubert"))
    assert list(roster) == [
        first,
        second,
        f"{first}, random weights",
        f"{second}, random weights",
        "mel",
    ]
    twin = roster[f"{first}, random weights"]
    assert twin.twin_of == (first,)
    assert twin.model.fingerprint == load_model(f"random:{folder}@3").fingerprint
    assert [each.control for each in roster.values()] == [False, False, True, True, True]
    assert [name for name, each in roster.items() if each.baseline] == ["mel"]


def test_models_of_one_architecture_share_a_twin_and_no_name(checkpoint):
    folder = checkpoint("wav2vec2")
    roster = load_roster([folder, folder], 0, Loading())
    name = folder.name
    assert list(roster) == [name, f"{name} (2)", f"{name}, random weights", "mel"]
    assert roster[f"{name}, random weights"].twin_of == (name, f"{name} (2)")


def test_without_a_seed_there_are_models_alone(checkpoint):
    assert len(load_roster([checkpoint("wav2vec2")], None, Loading())) == 1


def test_models_without_twins_have_no_baseline():
    assert list(load_roster(["mfcc"], 0, Loading())) == ["mfcc"]


def test_the_options_of_loading_hold_for_models_and_twins(checkpoint):
    roster = load_roster(checkpoint("wav2vec2"), 0, Loading(record=("cnn",)))
    model, twin, _ = roster.values()
    assert tuple(model.model.layers) == tuple(twin.model.layers) == ("cnn",)


def test_no_models_are_refused():
    with pytest.raises(AssonanceError, match="no models to compare"):
        load_roster([], 0, Loading())


def test_second_seeds_are_named_as_the_roster_names_them(checkpoint):
    one, two = checkpoint("wav2vec2", seed=1), checkpoint("wav2vec2", seed=2)
    roster = load_roster([one, two], None, Loading())
    expected = {two.name: one.name}
    assert seeds_by_name(roster, {str(two): str(one)}) == expected
    assert seeds_by_name(roster, {two.name: one.name}) == expected
    with pytest.raises(AssonanceError, match="nobody is none of those compared"):
        seeds_by_name(roster, {"nobody": one.name})
    with pytest.raises(AssonanceError, match="cannot be its own"):
        seeds_by_name(roster, {one.name: one.name})

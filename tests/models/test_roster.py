"""Models of a comparison have unique names and controls, and statements about them resolve."""

from dataclasses import dataclass, replace

import pytest

from assonance.errors import AssonanceError
from assonance.models.loading import Loading, load_model
from assonance.models.roster import (
    BASE,
    SEED,
    RosterEntry,
    load_roster,
    refuse_unknown,
    stated_by_name,
    unique_names,
)
from assonance.models.spectra import mel


@dataclass
class Named:
    """A model that has a name and a source alone."""

    name: str
    source: str

    @property
    def info(self):
        return replace(mel().info, source=self.source)


def roster(**sources):
    entries = {name: RosterEntry(Named(name, source)) for name, source in sources.items()}
    return entries | {"twin": RosterEntry(Named("twin", "twin"), twin_of=("a",))}


MODELS = roster(a="hub/a", b="runs/b", c="c")


@pytest.mark.parametrize("stated", [{"b": "a"}, {"runs/b": "hub/a"}, {"b": "hub/a"}], ids=str)
def test_models_are_stated_by_name_or_as_they_were_given(stated):
    assert stated_by_name(MODELS, stated, BASE) == {"b": "a"}


def test_a_name_is_its_own_models_before_anothers_folder():
    models = {"a": RosterEntry(Named("a", "x/a")), "a (2)": RosterEntry(Named("a", "y/a"))}
    assert stated_by_name(models, {"a (2)": "a"}, BASE) == {"a (2)": "a"}
    assert stated_by_name(models, {"y/a": "x/a"}, BASE) == {"a (2)": "a"}


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"b": "nobody"}, "nobody is none of those compared; name one of a, b, c"),
        ({"b": "twin"}, "twin is none of those compared; name one of a, b, c"),
        ({"b": "runs/b"}, "b cannot be its own"),
        ({"b": "a", "runs/b": "c"}, "b has two, a and c; state one"),
        ({"b": "a", "a": "c", "c": "b"}, "b cannot be its own, through a, c"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(stated, message):
    with pytest.raises(AssonanceError) as caught:
        stated_by_name(MODELS, stated, BASE)
    assert str(caught.value) == f"base of a fine-tuned model: {message}"


@pytest.mark.parametrize("name", ["a", "hub/a", "a (2)", "b", "runs/b", "mel"])
def test_a_name_that_a_model_may_have_passes_before_loading(name):
    refuse_unknown(["hub/a", "other/a@main", "runs/b/", "mel"], {name: "b"}, BASE)


def test_a_name_that_no_model_can_have_is_refused_before_loading():
    with pytest.raises(AssonanceError, match=r"nobody is none of those compared; name one of a, b"):
        refuse_unknown(["hub/a", "runs/b"], {"b": "nobody"}, BASE)


@pytest.mark.parametrize("unsure", ["module:mine.model", "rotated:b@0", mel()], ids=str)
def test_nothing_is_refused_before_loading_if_a_name_is_unknown_until_then(unsure):
    refuse_unknown(["hub/a", unsure], {"nobody": "a"}, BASE)


def test_models_of_one_name_are_numbered():
    models = [Named(name, "") for name in ("a", "b", "a", "a")]
    assert unique_names(models) == ["a", "b", "a (2)", "a (3)"]


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
    assert stated_by_name(roster, {str(two): str(one)}, SEED) == expected
    assert stated_by_name(roster, {two.name: one.name}, SEED) == expected
    with pytest.raises(AssonanceError, match="nobody is none of those compared"):
        stated_by_name(roster, {"nobody": one.name}, SEED)
    with pytest.raises(AssonanceError, match="cannot be its own"):
        stated_by_name(roster, {one.name: one.name}, SEED)

"""By default every pair of layers gets everything."""

from assonance.scoring.pair_rules import EVERY_PAIR


def test_every_pair_is_scored_and_has_an_interval():
    for pair in (("a", "a"), ("a", "b")):
        assert EVERY_PAIR.is_scored(*pair)
        assert EVERY_PAIR.gets_interval(*pair)


def test_a_layer_has_no_null_against_itself_and_is_no_other():
    assert EVERY_PAIR.gets_null("a", "b")
    assert EVERY_PAIR.is_other("a", "b")
    assert not EVERY_PAIR.gets_null("a", "a")
    assert not EVERY_PAIR.is_other("a", "a")

"""Progress that nobody watches."""

from assonance.utils.progress import Silent


def test_a_silent_stage_can_be_advanced_and_shows_nothing(capsys):
    with Silent().stage("reading speech", 10) as advance:
        advance(4)
        advance(6)
    assert capsys.readouterr() == ("", "")

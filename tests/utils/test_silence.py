import logging

import pytest

from assonance.utils.silence import silenced


def test_loggers_are_silent_inside_and_as_before_outside(caplog):
    speaker = logging.getLogger("assonance.tests.speaker")
    speaker.setLevel(logging.INFO)

    def fail():
        with silenced(speaker.name):
            speaker.critical("inside")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    speaker.info("outside")
    assert [record.message for record in caplog.records] == ["outside"]
    assert speaker.level == logging.INFO

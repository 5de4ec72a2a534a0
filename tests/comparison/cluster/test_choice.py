"""Workers are chosen in one way, and refused where nothing can run them."""

import socket

import pytest

from assonance import AssonanceError
from assonance.comparison.cluster import choice
from assonance.comparison.cluster.choice import HERE, Cluster


@pytest.fixture
def listening():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


def test_workers_here_or_elsewhere_or_none_will_do(listening):
    for cluster in (HERE, Cluster(workers=2), Cluster(scheduler=listening)):
        cluster.check()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "somewhere", "tcp://a:b", "tcp://:0"])
def test_an_address_where_nobody_answers_is_named(address):
    with pytest.raises(AssonanceError, match=f"--scheduler {address}: no scheduler answers"):
        Cluster(scheduler=address).check()


def test_both_kinds_of_workers_are_refused():
    with pytest.raises(AssonanceError, match="give one"):
        Cluster(2, "tcp://a:1").check()


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    HERE.check()
    with pytest.raises(AssonanceError, match=r"pip install 'assonance\[cluster\]'"):
        Cluster(workers=2).check()

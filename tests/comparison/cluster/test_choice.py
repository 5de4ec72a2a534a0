"""Workers are chosen in one way, and refused where nothing can run them."""

import importlib.util

import pytest

from assonance import AssonanceError
from assonance.comparison.cluster import choice
from assonance.comparison.cluster.choice import HERE, Cluster


@pytest.mark.parametrize("cluster", [HERE, Cluster(workers=2), Cluster(scheduler="tcp://a:1")])
def test_workers_here_or_elsewhere_or_none_will_do(cluster):
    cluster.check()


def test_both_kinds_of_workers_are_refused():
    with pytest.raises(AssonanceError, match="give one"):
        Cluster(2, "tcp://a:1").check()


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    HERE.check()
    with pytest.raises(AssonanceError, match=r"pip install 'assonance\[cluster\]'"):
        Cluster(workers=2).check()


def test_choosing_imports_no_dask():
    assert importlib.util.find_spec("distributed") is not None
    assert not hasattr(choice, "distributed")

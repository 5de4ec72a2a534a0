"""Every public name has a runnable example, and each example gives what it says."""

import doctest
import warnings

import pytest

import assonance
from assonance import AssonanceWarning, testing

PUBLIC = {
    **{name: getattr(assonance, name) for name in assonance.__all__ if name != "__version__"},
    **{f"testing.{name}": getattr(testing, name) for name in testing.__all__},
}


def examples_of(name):
    finder = doctest.DocTestFinder(recurse=False)
    return [each for each in finder.find(PUBLIC[name], name) if each.examples]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_an_example_that_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = examples_of(name)
    assert examples, f"{name} has no example"
    runner = doctest.DocTestRunner(
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS, verbose=False
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssonanceWarning)  # examples use little speech
        for each in examples:
            report = []
            assert not runner.run(each, out=report.append).failed, "".join(report)

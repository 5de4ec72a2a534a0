"""Imports are cheap for help and saved results, and have no circle."""

import runpy
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest
from comparisons import comparison

import assonance

HEAVY = ("torch", "transformers", "matplotlib")


def imported_by(code: str, *arguments: str) -> list[str]:
    """List the heavy libraries that a new process has imported after running code."""
    program = (
        f"import sys\n{code}\nprint(*[each for each in {HEAVY!r} if each in sys.modules], sep=',')"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    return [each for each in outcome.stdout.splitlines()[-1].split(",") if each]


@pytest.mark.parametrize("command", [[], ["compare"], ["demo"], ["corpus", "check"]], ids=" ".join)
def test_help_imports_no_heavy_library(command):
    code = (
        "from assonance.cli.main import main\n"
        "sys.argv = ['assonance', *sys.argv[1:], '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )
    assert imported_by(code, *command) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "hubert-mini", "--audio", ".", "-m", "ckaa"),
        ("compare", "hubert-mini", "--audio", ".", "--settings", "elkher2024"),
        ("compare", "hubert-mini", "--audio", ".", "--record", "blokcs"),
        ("compare", "hubert-mini", "--audio", ".", "--precision", "flaot16"),
        ("compare", "hubert-mini", "--audio", ".", "--groups", "0"),
        ("compare", "hubert-mni", "--audio", "."),
        ("compare", "random:hubert-mni@0", "--audio", "."),
        ("compare", "hubert-mini", "--audio", "nowhere"),
        ("compare", "hubert-mini", "--audio", "empty"),
        ("diff", "hubert-mini", "hubert-mni", "--audio", "."),
        ("claims", "nowhere"),
        ("claims", ".", "--config", "nowhere.yaml"),
    ],
    ids=" ".join,
)
def test_a_wrong_name_imports_no_heavy_library(arguments, tmp_path):
    code = (
        "import os\n"
        "from assonance.cli.main import main\n"
        "os.chdir(sys.argv[1])\n"
        "sys.argv = ['assonance', *sys.argv[2:]]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 1"
    )
    (tmp_path / "a.wav").touch()
    (tmp_path / "empty").mkdir()
    assert imported_by(code, str(tmp_path), *arguments) == []


def test_loading_a_comparison_imports_no_heavy_library(tmp_path):
    comparison().save(tmp_path / "results.nc")
    code = (
        "import assonance\n"
        "found = assonance.Comparison.load(sys.argv[1])\n"
        "found.to_dataframe()\n"
        "found.save(sys.argv[1])"
    )
    assert imported_by(code, str(tmp_path / "results.nc")) == []


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--json",),
        ("--best", "hubert-a:2"),
        ("--best", "hubert-a:2", "-m", "cka"),
        ("--neurons", "hubert-a:2"),
        ("--heads",),
    ],
    ids=" ".join,
)
def test_showing_a_run_imports_no_heavy_library(options, tmp_path):
    comparison().save(tmp_path / "results.nc")
    code = (
        "from assonance.cli.main import main\n"
        "sys.argv = ['assonance', 'show', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code"
    )
    assert imported_by(code, str(tmp_path), *options) == []


def circles(graph: grimp.ImportGraph) -> list[list[str]]:
    """Find strongly connected components of more than one module (Tarjan's algorithm)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        path.append(module)
        for other in sorted(graph.find_modules_directly_imported_by(module)):
            if other not in number:
                visit(other)
            if other in path:
                lowest[module] = min(lowest[module], lowest[other])
        if lowest[module] == number[module]:
            place = path.index(module)
            if len(path) - place > 1:
                found.append(path[place:])
            del path[place:]

    for module in sorted(graph.modules):
        if module not in number:
            visit(module)
    return found


def test_circles_are_found():
    graph = grimp.ImportGraph()
    for one, other in ("ab", "bc", "ca", "cd"):
        for module in (one, other):
            graph.add_module(module)
        graph.add_import(importer=one, imported=other)
    assert [sorted(each) for each in circles(graph)] == [["a", "b", "c"]]


def test_no_module_imports_itself_through_others():
    """Imports inside functions count; imports for type checkers do not."""
    graph = grimp.build_graph("assonance", exclude_type_checking_imports=True, cache_dir=None)
    assert circles(graph) == []


def test_every_import_is_of_a_declared_dependency():
    check = runpy.run_path(str(Path(__file__).parents[1] / ".ci" / "check_wheel.py"))
    needed, extras = check["declared"]()
    distributions = packages_distributions()
    for name, file in check["imported"](Path(assonance.__file__).parent).items():
        by = {check["normal"](each) for each in distributions.get(name, [name])}
        assert name == "assonance" or by & (needed | extras), f"{file} imports {name}"

"""The house stays easy to read: few rooms, short modules, short functions with few parameters."""

import ast
from pathlib import Path

import pytest

import assonance

HOUSE = Path(assonance.__file__).parent
MODULES = sorted(HOUSE.rglob("*.py"))
# What people call: these take many options, by keyword.
FRONT_DOORS = {"cli/main.py", "comparison/compare.py:compare", "models/torch_module.py:__init__"}


def functions():
    for path in MODULES:
        name = path.relative_to(HOUSE).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                yield name, node


def code_lines(function):
    """Count the lines of a function without its docstring."""
    documented = ast.get_docstring(function) is not None
    doc = function.body[0] if documented else None
    return (
        function.end_lineno - function.lineno + 1 - (doc.end_lineno - doc.lineno + 1 if doc else 0)
    )


def test_a_newcomer_sees_at_most_24_entries():
    entries = [each for each in HOUSE.iterdir() if each.name != "__pycache__"]
    assert len(entries) <= 24


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(HOUSE).as_posix())
def test_no_module_is_longer_than_400_lines(path):
    assert len(path.read_text("utf-8").splitlines()) <= 400


def test_no_function_has_more_than_60_lines_of_code():
    long = [f"{name}:{each.name}" for name, each in functions() if code_lines(each) > 60]
    assert long == []


def test_no_function_but_a_front_door_has_more_than_8_parameters():
    many = set()
    for name, each in functions():
        names = [a.arg for a in (*each.args.posonlyargs, *each.args.args, *each.args.kwonlyargs)]
        if len([a for a in names if a not in ("self", "cls")]) > 8:
            many.add(f"{name}:{each.name}")
    assert {one for one in many if not {one, one.partition(":")[0]} & FRONT_DOORS} == set()


def test_every_room_says_what_it_is_for():
    for path in HOUSE.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), path

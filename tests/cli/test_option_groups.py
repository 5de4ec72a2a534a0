"""A command takes its options in groups, and the command line takes them one by one."""

from dataclasses import dataclass, field
from inspect import signature

from assonance.cli.option_groups import spread


@dataclass
class Size:
    """Options that belong together."""

    width: int
    height: int = 2


def test_fields_stand_in_the_place_of_their_group():
    @spread
    def draw(*, before: str, size: Size, after: str = "z") -> None:
        """Draw."""

    assert draw.__doc__ == "Draw."
    found = signature(draw).parameters
    assert list(found) == ["before", "width", "height", "after"]
    assert (found["width"].annotation, found["height"].default) == (int, 2)
    assert found["width"].default is found["width"].empty


def test_the_command_gets_its_groups_whole():
    got = []

    @spread
    def draw(*, before: str, size: Size, after: str = "z") -> None:
        got.append((before, size, after))

    draw(before="a", width=3, height=4, after="y")
    assert got == [("a", Size(3, 4), "y")]


def test_a_default_that_a_factory_makes_is_the_option_s_default():
    @dataclass
    class Names:
        """Options that belong together."""

        name: list[str] = field(default_factory=lambda: ["a"])

    @spread
    def draw(*, names: Names) -> None:
        """Draw."""

    assert signature(draw).parameters["name"].default == ["a"]

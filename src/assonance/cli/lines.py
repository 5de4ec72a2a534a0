"""Print lines in which nothing from outside can move the cursor, colour or clear the terminal."""

import typer

from assonance.errors import one_line


def say(line: str, *, err: bool = False) -> None:
    """Print a line on standard output, or on standard error, with control characters escaped."""
    typer.echo(one_line(line), err=err)

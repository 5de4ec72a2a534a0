"""Failures that a person can act on, told in one line."""

import sys
from collections.abc import Callable


class RecipeError(Exception):
    """A failure that says what is wrong and what to do."""


def exit_code(command: Callable[[], None]) -> int:
    """Run a command line; print what a person can act on as one line, and return the exit code."""
    try:
        command()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except (RecipeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0

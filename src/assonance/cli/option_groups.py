"""Group the options of commands in dataclasses; the command line takes their fields one by one."""

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter, signature
from typing import Any


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """Replace parameters that are dataclasses by their fields.

    Typer makes an option of each parameter in a function's signature. The returned function has
    the fields of each dataclass in its place, in order, with their annotations and defaults.

    Parameters
    ----------
    command
        A function whose parameters are options, or dataclasses of options.

    Returns
    -------
    callable
        The command with one keyword parameter for each option.
    """
    own = signature(command)
    groups = {
        name: (each.annotation, _parameters(each.annotation))
        for name, each in own.parameters.items()
        if isinstance(each.annotation, type) and is_dataclass(each.annotation)
    }

    @wraps(command)
    def by_field(**given: Any) -> None:
        for name, (group, options) in groups.items():
            given[name] = group(**{each.name: given.pop(each.name) for each in options})
        command(**given)

    flat: list[Parameter] = []
    for name, each in own.parameters.items():
        flat += groups[name][1] if name in groups else [each]
    # By keyword, because a parameter without a default may follow one with a default.
    flat = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in flat]
    by_field.__signature__ = own.replace(parameters=flat)  # type: ignore[attr-defined]
    return by_field


def _parameters(group: Any) -> list[Parameter]:
    """Return the parameters that make a dataclass, with the values of default factories.

    The name of the dataclass is the theme of its options in the help.
    """
    parameters = signature(group).parameters
    made = {
        each.name: each.default_factory()
        for each in fields(group)
        if each.default_factory is not MISSING
    }
    for each in parameters.values():
        for option in getattr(each.annotation, "__metadata__", ()):
            option.rich_help_panel = group.__name__
    return [
        each.replace(default=made[name]) if name in made else each
        for name, each in parameters.items()
    ]

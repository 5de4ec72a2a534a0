"""Options of commands in groups: dataclasses, whose fields the command line takes one by one."""

from collections.abc import Callable
from dataclasses import is_dataclass
from functools import wraps
from inspect import Parameter, signature
from typing import Any


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command be called with each field of the dataclasses that it takes.

    Typer makes an option of each parameter that a function's signature names. This one names the
    fields in the place of their dataclass, in order, with their annotations and defaults.

    Parameters
    ----------
    command
        A function whose parameters are options, or dataclasses of options.

    Returns
    -------
    callable
        The same, to be called by keyword.
    """
    own = signature(command)
    groups = {
        name: (each.annotation, signature(each.annotation).parameters)
        for name, each in own.parameters.items()
        if isinstance(each.annotation, type) and is_dataclass(each.annotation)
    }

    @wraps(command)
    def by_field(**given: Any) -> None:
        for name, (group, options) in groups.items():
            given[name] = group(**{option: given.pop(option) for option in options})
        command(**given)

    flat: list[Parameter] = []
    for name, each in own.parameters.items():
        flat += groups[name][1].values() if name in groups else [each]
    # By keyword, since what follows a field with a default may have none.
    flat = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in flat]
    by_field.__signature__ = own.replace(parameters=flat)  # type: ignore[attr-defined]
    return by_field

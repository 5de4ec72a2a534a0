"""Values computed on first use and kept, from any thread."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class lazy(Generic[Value]):  # noqa: N801 - it is used as the built-in property is
    """As `functools.cached_property`, without the lock that one shares between all objects.

    Up to Python 3.11 that lock makes threads wait that compute the values of different objects.
    Two threads that ask one object at once may both compute, and get equal values.
    """

    def __init__(self, function: Callable[[Any], Value]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "lazy[Value]": ...
    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...
    def __get__(self, instance: object | None, owner: type) -> "lazy[Value] | Value":
        """Compute the value; from then on it is found on the object itself."""
        if instance is None:
            return self
        value = self.function(instance)
        vars(instance)[self.name] = value
        return value

"""Values computed on first use and kept, from any thread."""

from collections.abc import Callable, Hashable
from threading import RLock
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class lazy(Generic[Value]):  # noqa: N801 - it is used as the built-in property is
    """As `functools.cached_property`, computed once however many threads ask at once.

    Each object has a lock of its own: threads that compute the values of different objects do not
    wait for each other, those that ask for the same value wait for the first.
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
        return once(instance, self.name, lambda: self.function(instance))


def once(instance: object, key: Hashable, make: Callable[[], Value]) -> Value:
    """Return what an object keeps under a key, made when it is first asked for."""
    kept: dict[Any, Any] = vars(instance)
    if key not in kept:
        with kept.setdefault("_lock", RLock()):
            if key not in kept:
                kept[key] = make()
    value: Value = kept[key]
    return value

"""Compute values on first use and cache them, safely from several threads."""

from collections.abc import Callable, Hashable
from contextlib import suppress
from threading import RLock
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class lazy(Generic[Value]):  # noqa: N801 - used as the built-in property is
    """Decorator like `functools.cached_property` that computes each value once across threads.

    Each object has its own lock. Threads that compute values of different objects do not wait for
    each other. Threads that read the same value wait for the first to compute it.
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
        """Compute the value and cache it in the instance's attributes, where it is found next."""
        if instance is None:
            return self
        return once(instance, self.name, lambda: self.function(instance))


def once(instance: object, key: Hashable, make: Callable[[], Value]) -> Value:
    """Return the value cached in an object under a key; compute it on first use."""
    cache: dict[Any, Any] = vars(instance)
    with suppress(KeyError):
        found: Value = cache[key]
        return found
    with cache.setdefault("_lock", RLock()):
        if key not in cache:
            cache[key] = make()
        value: Value = cache[key]
        return value


def forget(instance: object, *keys: Hashable) -> None:
    """Let go of cached values that take much memory; they are computed again if needed."""
    cache: dict[Any, Any] = vars(instance)
    with cache.setdefault("_lock", RLock()):
        for key in keys:
            cache.pop(key, None)

"""Read the pickles that torch.save writes as plain data: nothing is imported, called or run.

A pickle is a program for a small machine. This one has only the instructions that tensors and
settings need, and a name in a pickle stays a name: the few names that are allowed stand for data
defined here. Every other instruction or name is refused, and so is any reach beyond a storage.
"""

import pickletools
from collections.abc import Callable, Collection, Iterable
from itertools import chain
from typing import Any

from assonance.errors import printable
from assonance.models.checkpoints.pickled.names import (
    ByteStream,
    Name,
    build,
    element_type,
    fill,
    is_device,
    read_name,
)
from assonance.models.checkpoints.pickled.stored import (
    GET_AGAIN,
    SAVE_AGAIN,
    Record,
    Refused,
    Storage,
    are_counts,
    malformed,
)

MOST_BYTES = 32 * 2**20
"""Size of the largest pickle that is read; storages are kept outside of it."""
_MOST_INSTRUCTIONS = 1_000_000
_MOST_ITEMS = 1_000_000
_DEEPEST = 64


def read_pickle(stream: ByteStream) -> tuple[Any, dict[str, Storage]]:
    """Read one pickle as plain data.

    Parameters
    ----------
    stream
        A stream at the first byte of the pickle. It must not hold more than `MOST_BYTES` bytes.

    Returns
    -------
    content : Any
        A tree of dict, list, tuple, str, numbers, None, `StoredTensor` and `Record`, at most 64
        levels deep and of at most a million items.
    storages : dict
        The storages of its tensors, by key.

    Raises
    ------
    Refused
        The pickle holds an instruction or name that is not allowed, is too large, or is damaged.
    """
    machine = _Machine()
    for _ in range(_MOST_INSTRUCTIONS):
        code = stream.read(1)
        if not code:
            raise Refused(f"is cut short; {GET_AGAIN}")
        if code not in _INSTRUCTIONS:
            raise Refused(_unknown(code))
        run, read_argument = _INSTRUCTIONS[code]
        if run is None:
            return machine.result(), machine.storages
        try:
            argument = read_argument(stream) if read_argument else None
        except Refused:
            raise
        except ValueError as error:  # by pickletools: too few bytes, or bytes that are no text
            raise Refused(f"is cut short or damaged; {GET_AGAIN}") from error
        run(machine, argument)
    raise Refused(f"holds a pickle of more than {_MOST_INSTRUCTIONS} instructions; {SAVE_AGAIN}")


def _unknown(code: bytes) -> str:
    known = {each.code.encode("latin-1"): each.name for each in pickletools.opcodes}
    if code not in known:
        return f"is damaged (no pickle has an instruction {code!r}); {GET_AGAIN}"
    return (
        f"holds the pickle instruction {known[code]}, which torch.save does not write; {SAVE_AGAIN}"
    )


class _Machine:
    """The stack, marks and memo of a pickle that is being read."""

    def __init__(self) -> None:
        self.storages: dict[str, Storage] = {}
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []  # the stacks below each open mark
        self._memo: dict[int, Any] = {}

    def result(self) -> Any:
        """Return the one value that is left, if it is a tree within the bounds."""
        if self._below or len(self._stack) != 1:
            raise malformed("its pickle ends early")
        _check_tree(self._stack[0])
        return self._stack[0]

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> Any:
        if not self._stack:
            raise malformed("its pickle takes from an empty stack")
        return self._stack.pop()

    def top(self) -> Any:
        if not self._stack:
            raise malformed("its pickle takes from an empty stack")
        return self._stack[-1]

    def mark(self) -> None:
        self._below.append(self._stack)
        self._stack = []

    def since_mark(self) -> list[Any]:
        if not self._below:
            raise malformed("its pickle lacks a mark")
        items, self._stack = self._stack, self._below.pop()
        return items

    def tuple_of(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def protocol(self, number: int) -> None:
        if number != 2:
            raise Refused(
                f"is pickled by protocol {number}, and torch.save writes protocol 2; {SAVE_AGAIN}"
            )

    def store(self, index: int) -> None:
        self._memo[index] = self.top()

    def fetch(self, index: int) -> None:
        if index not in self._memo:
            raise malformed("its pickle refers to what it does not hold")
        self.push(self._memo[index])

    def append(self, items: Iterable[Any]) -> None:
        target = self.top()
        if type(target) is not list:
            raise malformed("its pickle adds an item to what is not a list")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        if len(items) % 2:
            raise malformed("its pickle has a key without a value")
        fill(self.top(), zip(items[::2], items[1::2], strict=True))

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def call(self) -> None:
        """Build the data that a name stands for, from its arguments."""
        arguments, name = self.pop(), self.pop()
        if type(name) is not Name or type(arguments) is not tuple:
            raise malformed("its pickle calls what is not a name")
        self.push(build(name.text, arguments))

    def set_state(self) -> None:
        """Give an object its attributes; those of a dictionary are no data and are dropped."""
        state, target = self.pop(), self.top()
        if type(state) is not dict or type(target) not in (dict, Record):
            raise malformed("its pickle gives attributes to what has none")
        if type(target) is Record:
            if not all(type(key) is str for key in state):
                raise malformed("its pickle gives attributes without names")
            target.state.update(state)

    def persistent(self) -> None:
        """Take a storage for the description of it."""
        described = self.pop()
        match described:
            case ("storage", Name(text), str(key), str(device), int(elements), *rest) if is_device(
                device
            ):
                pass
            case _:
                raise malformed("its pickle refers to what is not a storage")
        dtype = element_type(text)
        if dtype is None or rest not in ([], [None]):
            raise malformed("its pickle refers to what is not a storage")
        if not (key.isascii() and key.isdigit() and len(key) <= 20):
            raise malformed(f"a storage is named {printable(key[:40])}, not by a number")
        if not are_counts((elements,)):
            raise malformed(f"storage {key} has {elements} elements")
        storage = Storage(key, dtype, elements)
        if self.storages.setdefault(key, storage) != storage:
            raise malformed(f"storage {key} is described in two ways")
        self.push(storage)


def _check_tree(value: Any) -> None:
    """Refuse what is too deep or too large, counted as a tree: shared items once a reference."""
    level, items = [value], 1
    for _ in range(_DEEPEST):
        groups = [children for each in level if (children := _children(each))]
        items += sum(map(len, groups))
        if items > _MOST_ITEMS:
            raise Refused(f"holds more than {_MOST_ITEMS} items; {SAVE_AGAIN}")
        if not groups:
            return
        level = list(chain.from_iterable(groups))
    raise Refused(f"holds items that are nested more than {_DEEPEST} deep; {SAVE_AGAIN}")


def _children(value: Any) -> Collection[Any]:
    if type(value) is Record:
        value = value.state
    if type(value) is dict:
        return value.values()
    return value if type(value) in (list, tuple) else ()


_Run = Callable[[_Machine, Any], None]
_RUN: dict[str, _Run | None] = {
    "STOP": None,
    "PROTO": _Machine.protocol,
    "GLOBAL": _Machine.push,
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), _Machine.push),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINSTRING", "BINSTRING"), _Machine.push),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "MARK": lambda machine, _: machine.mark(),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.set_item(),
    "SETITEMS": lambda machine, _: machine.set_items(machine.since_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.store),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.fetch),
    "BINPERSID": lambda machine, _: machine.persistent(),
    "REDUCE": lambda machine, _: machine.call(),
    "NEWOBJ": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.set_state(),
}
# By code: what to run, and how pickletools reads the argument.
_INSTRUCTIONS: dict[bytes, tuple[_Run | None, Callable[[Any], Any] | None]] = {
    each.code.encode("latin-1"): (
        _RUN[each.name],
        read_name if each.name == "GLOBAL" else each.arg.reader if each.arg else None,
    )
    for each in pickletools.opcodes
    if each.name in _RUN
}

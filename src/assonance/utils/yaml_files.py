"""Read YAML that others wrote: plain values of bounded size, or an error of one line."""

from pathlib import Path
from typing import Any

import yaml

from assonance.errors import AssonanceError, error_text, printable
from assonance.utils.files import size_of_regular

# Far more than claims, cards and configurations have, and read within a second or two.
_BYTES, _NODES, _DEPTH = 2**20, 20_000, 32


def read_yaml(path: Path) -> Any:
    """Read the one document of a YAML file: mappings, lists, texts, numbers, dates.

    Limits hold before the file is interpreted: on its size, the depth of nesting, and the number of
    values, each counted as often as aliases repeat it. A key that is given twice is refused.

    Raises
    ------
    AssonanceError
        The file cannot be read, is not such YAML, or exceeds a limit.
    """
    try:
        if size_of_regular(path) > _BYTES:
            raise ValueError(f"is larger than {_BYTES} bytes")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise AssonanceError(f"{printable(path)}: cannot be read: {error_text(error)}") from error
    try:
        return _Loader(content).get_single_data()
    except Exception as error:  # values that are none raise anything as they are interpreted
        raise AssonanceError(f"{printable(path)}: is not YAML: {error_text(error)}") from error


class _Loader(yaml.SafeLoader):
    """A loader that counts what it reads, and refuses duplicate keys, which YAML would replace."""

    def __init__(self, content: bytes) -> None:
        self._depth = self._nodes = 0
        self._weights: dict[yaml.Node, int] = {}
        super().__init__(content)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a value; an alias counts all that it repeats."""
        before, alias = self._nodes, self.check_event(yaml.AliasEvent)
        self._depth += 1
        self._count(1)
        if self._depth > _DEPTH:
            raise ValueError(f"is nested more than {_DEPTH} deep")
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is None:
            return None
        if alias:
            if node not in self._weights:
                raise ValueError("a value contains itself")
            self._count(self._weights[node])
        else:
            self._weights[node] = self._nodes - before
        return node

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > _NODES:
            raise ValueError(f"holds more than {_NODES} values")

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Construct a mapping; refuse a key that is given twice."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise ValueError(f"key {key.value!r} is given twice")
                seen.add(key.value)
        return super().construct_mapping(node, deep)

"""Objects of the manifests as trees, in which every entry may have conditions and every value may be an expression."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


class Condition(NamedTuple):
    """A Go template expression that must be true, or false if ``wanted`` is not set.

    ``component`` is the component of the manifests that the expression stands for, if any.
    """

    expression: str
    component: str | None = None
    wanted: bool = True

    def negated(self) -> Condition:
        return self._replace(wanted=not self.wanted)


@dataclass(frozen=True)
class Expression:
    """A value that Helm fills in: the text between the braces, and whether it is YAML of several lines."""

    text: str
    block: bool = False


@dataclass
class Entry:
    """An entry of a Map (with a key) or of a List.

    ``action`` is ``with ...`` or ``range ...`` around the entry; its value refers to ``.`` then. Without a key in a
    Map, the value is a block with further entries.
    """

    value: Node
    key: str | None = None
    when: tuple[Condition, ...] = ()
    action: str | None = None

    def present(self, components: Collection[str]) -> bool:
        """True if the entry is there with exactly these components; conditions of another kind do not count."""
        return all(each.component is None or (each.component in components) == each.wanted for each in self.when)


@dataclass
class Map:
    entries: list[Entry] = field(default_factory=list)


@dataclass
class List:
    entries: list[Entry] = field(default_factory=list)


Node = Map | List | Expression | str | int | bool | None


def tree(plain: Any) -> Node:
    """The tree of a plain value, without conditions."""
    if isinstance(plain, dict):
        return Map([Entry(tree(value), key) for key, value in plain.items()])
    if isinstance(plain, list):
        return List([Entry(tree(value)) for value in plain])
    scalar: str | int | bool | None = plain
    return scalar


def plain(node: Node) -> Any:
    """The plain value of a tree that has neither conditions nor expressions."""
    if isinstance(node, Map):
        return {entry.key: plain(entry.value) for entry in node.entries}
    if isinstance(node, List):
        return [plain(entry.value) for entry in node.entries]
    if isinstance(node, Expression):
        raise TypeError(f"{node.text} has no plain value")
    return node


class Place(NamedTuple):
    """Where a JSON pointer leads: the Map or List, and the position of the entry there.

    The position is the end if there is no such entry.
    """

    inside: Map | List
    position: int
    key: str | None

    @property
    def entry(self) -> Entry:
        """Raises KeyError."""
        if self.position == len(self.inside.entries):
            raise KeyError(self.key)
        return self.inside.entries[self.position]


def place(node: Node, pointer: str, components: Collection[str] = ()) -> Place:
    """The place of a JSON pointer (RFC 6901) in the tree that these components make. Raises KeyError."""
    *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
    for part in parents:
        node = _in(node, part, components, pointer).entry.value
    return _in(node, last, components, pointer)


def _in(node: Node, part: str, components: Collection[str], pointer: str) -> Place:
    if not isinstance(node, Map | List):
        raise KeyError(f"{pointer}: {part} is inside of {node!r}")
    present = [index for index, entry in enumerate(node.entries) if entry.present(components)]
    if isinstance(node, Map):
        index = next((index for index in present if node.entries[index].key == part), len(node.entries))
        return Place(node, index, part)
    if part == "-":
        return Place(node, len(node.entries), None)
    if int(part) >= len(present):
        raise KeyError(f"{pointer}: there are {len(present)} entries")
    return Place(node, present[int(part)], None)


def scalars(node: Node) -> Iterator[tuple[Entry, str]]:
    """Every entry with a text, so that the text can be replaced."""
    if isinstance(node, Map | List):
        for entry in node.entries:
            if isinstance(entry.value, str):
                yield entry, entry.value
            else:
                yield from scalars(entry.value)

"""A value with the place of each of its parts."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from webhook.admission.rules.field_error import echo


class Span(NamedTuple):
    """Characters of a text, from ``start`` up to but not including ``end``."""

    start: int
    end: int


class Duplicate(NamedTuple):
    """A key that an object has again further down, there itself or by a merge."""

    key: str
    place: Span
    is_merged: bool


class Node:
    """A JSON value and its place. ``members`` are those of an object with the places of their keys."""

    __slots__ = ("duplicates", "items", "members", "span", "value")

    def __init__(self, value: Any, span: Span) -> None:
        self.value = value
        self.span = span
        # Most values are scalars, which have no parts.
        is_scalar = not isinstance(value, dict | list)
        self.members: dict[str, Member] = _NO_MEMBERS if is_scalar else {}
        self.items: list[Node] = _NO_ITEMS if is_scalar else []
        self.duplicates: list[Duplicate] = _NO_DUPLICATES if is_scalar else []

    def member(self, *keys: str) -> "Node | None":
        """The node under these keys, None if it is absent."""
        node: Node | None = self
        for key in keys:
            found = None if node is None else node.members.get(key)
            node = None if found is None else found.node
        return node

    def parts(self, path: str = "") -> Iterator[tuple[str, "Node"]]:
        """This node and all in it, each with the path of its field."""
        yield path, self
        for key, member in self.members.items():
            yield from member.node.parts(joined(path, key))
        for index, item in enumerate(self.items):
            yield from item.parts(f"{path}[{index}]")


class Member(NamedTuple):
    """A member of an object: the place of its key, and its node."""

    key: Span
    node: Node


_NO_MEMBERS: Final[dict[str, Member]] = {}
_NO_ITEMS: Final[list[Node]] = []
_NO_DUPLICATES: Final[list[Duplicate]] = []

_is_word: Final = re.compile(r"[-A-Za-z0-9_]{1,63}").fullmatch
_is_key: Final = re.compile(r"[-A-Za-z0-9_./]{1,316}").fullmatch
_INDEX: Final = re.compile(r"\[(\d+)\]")


def joined(path: str, key: str) -> str:
    """The path of a member, as findings spell it."""
    if not path:
        return key
    return f"{path}.{key}" if _is_word(key) else f"{path}[{key if _is_key(key) else echo(key)}]"


class Found(NamedTuple):
    """The place of a field, and its node; None if the field is absent or null."""

    place: Span
    node: Node | None


def located(root: Node, field: str) -> Found:
    """Find a field in an object: the place is that of its value, or of its key if that is null.

    An absent field is at the key of what should contain it; if that has no key, where it begins.
    """
    node, place, rest = root, _opening(root), field
    while rest:
        if index := _INDEX.match(rest):
            number, rest = int(index[1]), rest[index.end() :]
            if number >= len(node.items):
                return Found(place, None)
            node = node.items[number]
            place = _opening(node)
            continue
        found = _member_named(node, rest.removeprefix("."))
        if found is None:
            return Found(place, None)
        (place, node), rest = found
    if node.value is None:
        return Found(place, None)
    return Found(node.span if node.span.start < node.span.end else place, node)


def _member_named(node: Node, rest: str) -> tuple[Member, str] | None:
    """The member that a path begins with, and the rest of the path. Keys may have dots and slashes."""
    for key in sorted(node.members, key=len, reverse=True):
        for spelled in (key, f"[{key}]", f"[{echo(key)}]"):
            if rest.startswith(spelled) and rest[len(spelled) :][:1] in ("", ".", "["):
                return node.members[key], rest[len(spelled) :]
    return None


def _opening(node: Node) -> Span:
    """Where a node without a key begins: its first key, or its first character."""
    for member in node.members.values():
        if member.key.start >= node.span.start:
            return member.key
    return Span(node.span.start, max(node.span.start, min(node.span.end, node.span.start + 1)))

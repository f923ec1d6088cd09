"""The documents of a text: values composed from events, within bounds."""

from collections.abc import Iterator
from typing import Final

from webhook.check.node import Duplicate, Member, Node, Span
from webhook.check.parser_events import Event, Kind, events_of
from webhook.check.scalar import key_of
from webhook.check.source_text import MAX_VALUES, SourceText, Unreadable, check_printable
from webhook.value_bounds import OutOfBounds, ValueBounds

_MERGE: Final = "<<"


class Document:
    """One document: its root, and where the text between the document before it and its first value begins."""

    __slots__ = ("begin", "root")

    def __init__(self, root: Node, begin: int) -> None:
        self.root = root
        self.begin = begin


def documents_of(source: SourceText, *, is_json: bool = False, most_values: int = MAX_VALUES) -> Iterator[Document]:
    """The documents of a text, in order. Raises Unreadable after those before the place that cannot be read."""
    check_printable(source.text)
    bounds = ValueBounds(most_values)
    composer: Composer | None = None
    begin = 0
    for event in events_of(source.text, is_json=is_json, most_values=most_values):
        _check_bounds(bounds, event)
        if event.kind is Kind.DOCUMENT:
            composer = Composer()
        elif composer is not None and composer.add(event):
            yield Document(composer.root, begin)
            begin, composer = composer.root.span.end, None


def _check_bounds(bounds: ValueBounds, event: Event) -> None:
    try:
        if event.kind is Kind.DOCUMENT:
            bounds.begin_document()
        elif event.kind in (Kind.OBJECT, Kind.LIST):
            bounds.begin(event.anchor)
        elif event.kind is Kind.END:
            bounds.end()
        elif event.kind is Kind.ALIAS:
            bounds.alias(event.value)
        else:
            bounds.scalar(event.anchor)
    except OutOfBounds as problem:
        raise Unreadable(problem.problem, index=event.span.start, way_out=problem.way_out) from None


class _Open:
    """An object or list whose end is not reached. ``key`` is the key that waits for its value.

    ``own`` are the keys of the object itself, without merged ones.
    """

    __slots__ = ("anchor", "is_object", "key", "node", "own")

    def __init__(self, event: Event) -> None:
        self.is_object = event.kind is Kind.OBJECT
        self.node = Node({} if self.is_object else [], event.span)
        self.anchor = event.anchor
        self.key: tuple[str, Span, bool] | None = None
        self.own: set[str] = set()


class Composer:
    """Composes one document from its events, which are within bounds."""

    def __init__(self) -> None:
        self.root = Node(None, Span(0, 0))
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}

    def add(self, event: Event) -> bool:
        """Take the next event; True once the root is complete. Raises Unreadable."""
        if event.kind in (Kind.OBJECT, Kind.LIST):
            return self._begin(event)
        if event.kind is Kind.END:
            return self._place(self._finished(event), event)
        if event.kind is Kind.ALIAS:
            return self._place(self._alias(event), event)
        node = Node(event.value, event.span)
        if event.anchor:
            self._anchors[event.anchor] = node
        return self._place(node, event)

    def _begin(self, event: Event) -> bool:
        if self._open and self._open[-1].is_object and self._open[-1].key is None:
            raise Unreadable("a key must be text", index=event.span.start, way_out="put the key in quotes")
        self._open.append(_Open(event))
        return False

    def _finished(self, event: Event) -> Node:
        opened = self._open.pop()
        node = opened.node
        is_bracket = event.span.end > event.span.start
        inside = [*(member.node.span.end for member in node.members.values()), *(item.span.end for item in node.items)]
        node.span = Span(node.span.start, event.span.end if is_bracket else max(inside, default=node.span.end))
        if opened.anchor:
            self._anchors[opened.anchor] = node
        return node

    def _alias(self, event: Event) -> Node:
        target = self._anchors[event.value]
        node = Node(target.value, event.span)
        node.members, node.items = target.members, target.items
        return node

    def _place(self, node: Node, event: Event) -> bool:
        if not self._open:
            self.root = node
            return True
        parent = self._open[-1]
        if not parent.is_object:
            parent.node.items.append(node)
            parent.node.value.append(node.value)
        elif parent.key is None:
            parent.key = self._key(node, event)
        else:
            key, place, is_merge = parent.key
            parent.key = None
            if is_merge:
                self._merge(parent, node)
            else:
                if key in parent.own:
                    parent.node.duplicates.append(Duplicate(key, place, is_merged=False))
                parent.own.add(key)
                self._set(parent.node, key, Member(place, node))
        return False

    @staticmethod
    def _key(node: Node, event: Event) -> tuple[str, Span, bool]:
        key = None if isinstance(node.value, dict | list) else key_of(node.value)
        if key is None:
            raise Unreadable("a key must be text", index=node.span.start, way_out="put the key in quotes")
        return key, node.span, event.is_merge

    def _merge(self, parent: _Open, node: Node) -> None:
        """Add what a merge key brings, as kubectl does: it replaces the members before it, against YAML's own rule."""
        sources = node.items if isinstance(node.value, list) else [node]
        if not all(isinstance(source.value, dict) for source in sources):
            raise Unreadable(
                f"the key {_MERGE} merges objects only", index=node.span.start, way_out="name an anchor of an object"
            )
        for source in reversed(sources):
            for key, member in source.members.items():
                if key in parent.own:
                    parent.node.duplicates.append(Duplicate(key, parent.node.members[key].key, is_merged=True))
                    parent.own.discard(key)
                self._set(parent.node, key, member)

    @staticmethod
    def _set(node: Node, key: str, member: Member) -> None:
        node.members[key] = member
        node.value[key] = member.node.value

"""Trees as text: YAML with the actions of Go templates."""

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any, Final

import yaml

from shipping.chart.nodes import Condition, Entry, Expression, List, Map, Node
from shipping.chart.source import Object, Unsupported

_WIDTH: Final = 110
_FOLDED_FROM: Final = 100
_TOKEN: Final = re.compile(r"xTOKEN(\d+)x")
_NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ACTION_LINE: Final = re.compile(r"^( *)(?:- )?xTOKEN(\d+)x(?:: null)?$")
_BLOCK_LINE: Final = re.compile(r"^([ -]*)(\S+:) xTOKEN(\d+)x$")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        # Lists are indented below their key, as in the manifests.
        super().increase_indent(flow, False)


class _Pairs(list[tuple[str, Any]]):
    """A mapping whose keys may repeat."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # Quotes of an action's output would end a quoted text.
    quoting = "'" in value and _TOKEN.search(value)
    # PyYAML leaves 25921e5 without quotes; Helm and kubectl read a number.
    number = "'" if _NUMBER.fullmatch(value) else None
    style = "|" if "\n" in value else ">" if len(value) > _FOLDED_FROM or quoting else number
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(
    _Pairs, lambda dumper, pairs: dumper.represent_mapping("tag:yaml.org,2002:map", pairs, flow_style=not pairs)
)


class Template:
    """One file of templates. Actions are tokens until PyYAML has written everything around them."""

    def __init__(self) -> None:
        self._actions: list[Expression] = []

    def text(self, objects: Iterable[Object]) -> str:
        """The objects as documents, each inside of its conditions."""
        parts = []
        for when, together in groupby(objects, key=lambda each: each.when):
            body = "".join("---\n" + self._document(each.root) for each in together)
            parts.append("{{- if " + _all_of(when) + " }}\n" + body + "{{- end }}\n" if when else body)
        return "".join(parts)

    def _document(self, root: Map) -> str:
        dumped = yaml.dump(
            self._dumpable(root), Dumper=_Dumper, sort_keys=False, width=_WIDTH, default_flow_style=False
        )
        return "".join(self._line(line) + "\n" for line in dumped.splitlines())

    def _line(self, line: str) -> str:
        if (alone := _ACTION_LINE.match(line)) and (action := self._actions[int(alone[2])]).block:
            if "- " in line and line.endswith(": null"):
                raise Unsupported(f"{action.text}: the first entry of an object in a list cannot have a condition")
            # A block of further entries, at the place of its line.
            return "{{- " + action.text.format(indent=len(alone[1])) + " }}"
        if value := _BLOCK_LINE.match(line):
            action = self._actions[int(value[3])]
            if action.block:
                return f"{value[1]}{value[2]} {{{{- {action.text.format(indent=len(value[1]) + 2)} }}}}"
        return _TOKEN.sub(lambda match: "{{ " + self._actions[int(match[1])].text + " }}", line)

    def _dumpable(self, node: Node) -> Any:
        if isinstance(node, Map):
            return _Pairs((key, value) for entry in self._entries(node.entries) for key, value in [self._pair(entry)])
        if isinstance(node, List):
            return [self._dumpable(entry.value) for entry in self._entries(node.entries)]
        if isinstance(node, Expression):
            return self._token(node)
        return self._escaped(node) if isinstance(node, str) else node

    def _pair(self, entry: Entry) -> tuple[str, Any]:
        if entry.key is None:
            return self._dumpable(entry.value), None
        return entry.key, self._dumpable(entry.value)

    def _entries(self, entries: list[Entry]) -> Iterable[Entry]:
        """The entries with the actions around them as entries of their own."""
        previous: tuple[Condition, ...] = ()
        for entry in entries:
            if entry.when != previous:
                if _are_opposite(previous, entry.when):
                    yield self._action("else")
                else:
                    if previous:
                        yield self._action("end")
                    if entry.when:
                        yield self._action("if " + _all_of(entry.when))
                previous = entry.when
            if entry.action:
                yield self._action(entry.action)
            yield entry
            if entry.action:
                yield self._action("end")
        if previous:
            yield self._action("end")

    def _action(self, text: str) -> Entry:
        return Entry(Expression(text.replace("{", "{{").replace("}", "}}"), block=True))

    def _token(self, expression: Expression) -> str:
        self._actions.append(expression)
        return f"xTOKEN{len(self._actions) - 1}x"

    def _escaped(self, text: str) -> str:
        """A text whose own braces reach the output, and whose actions (between NULs) are tokens."""
        literal = text.replace("{{", '\0"{{"\0')
        return "".join(
            self._token(Expression(part)) if index % 2 else part for index, part in enumerate(literal.split("\0"))
        )


def _all_of(conditions: tuple[Condition, ...]) -> str:
    """The expression that is true if all of the conditions hold."""
    texts = [each.expression if each.wanted else _negated(each.expression) for each in conditions]
    return texts[0] if len(texts) == 1 else "and " + " ".join(f"({text})" if " " in text else text for text in texts)


def _negated(expression: str) -> str:
    if match := re.fullmatch(r"not (?:\((.*)\)|(\S+))", expression):
        return match[1] or match[2]
    return f"not ({expression})" if " " in expression else f"not {expression}"


def _are_opposite(one: tuple[Condition, ...], other: tuple[Condition, ...]) -> bool:
    return len(one) == len(other) == 1 and one[0].negated() == other[0]

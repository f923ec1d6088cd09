"""A text as events with places, the same for YAML and JSON."""

import json
import re
from collections.abc import Generator, Iterator
from enum import Enum, auto
from itertools import islice
from typing import Any, Final, NamedTuple

import yaml

from webhook.check.node import Span
from webhook.check.scalar import is_resolved, resolved
from webhook.check.source_text import Unreadable
from webhook.value_bounds import MAX_DEPTH


class Kind(Enum):
    DOCUMENT = auto()
    SCALAR = auto()
    ALIAS = auto()
    OBJECT = auto()
    LIST = auto()
    END = auto()
    """The end of an object or a list."""


class Event(NamedTuple):
    """``value`` is that of a scalar, or the name of the anchor of an alias; ``anchor`` is the name of a new one."""

    kind: Kind
    span: Span
    value: Any = None
    anchor: str | None = None
    is_merge: bool = False


def events_of(text: str, *, is_json: bool, most_values: int) -> Iterator[Event]:
    """The events of a text, which is JSON, or YAML that may be JSON. Raises Unreadable at the place that is wrong.

    Whether text in braces is JSON is decided on its first ``most_values`` values.
    """
    if is_json or (text.lstrip()[:1] in ("{", "[") and _is_json(text, most_values)):
        return _json_events(text)
    return _yaml_events(text)


try:
    _Loader: Final[Any] = yaml.CSafeLoader
except AttributeError:
    _Loader: Final[Any] = yaml.SafeLoader  # type: ignore[misc, no-redef]

_KINDS: Final[dict[type, Kind]] = {
    yaml.DocumentStartEvent: Kind.DOCUMENT,
    yaml.MappingStartEvent: Kind.OBJECT,
    yaml.SequenceStartEvent: Kind.LIST,
    yaml.MappingEndEvent: Kind.END,
    yaml.SequenceEndEvent: Kind.END,
}
_TAB: Final = "a tab cannot indent YAML"
_WAYS_OUT: Final = {
    "mapping values are not allowed": 'indent this line as the keys around it; a text with ": " in it needs quotes',
    "block sequence entries are not allowed": "begin the list on a line of its own",
    "did not find expected key": "indent this line as the keys around it, or close the quote or bracket before it",
    "did not find expected '-'": 'begin this line with "-", or indent it below the entry before it',
    "did not find expected ','": "put a comma between the values, or close the bracket",
    "unexpected end of stream": "close the quote",
    "cannot start any token": "put the value in quotes",
    "unknown escape character": "double the backslash, or use single quotes",
    "could not find expected ':'": 'write "key: value", or indent the line as the text before it',
    "expected comment or line break": "begin the text on the next line, indented",
    "expected node content": "write a value, or put this one in quotes",
    "expected <document start>": 'begin the next document with a line "---"',
}
"""What to do, by what libyaml says."""
_LOOK: Final = "look at this line and the one before it: the indentation, a colon, a quote or a bracket"


def _yaml_events(text: str) -> Iterator[Event]:
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if event.start_mark is None or event.end_mark is None:
                continue
            span = _without_properties(text, Span(event.start_mark.index, event.end_mark.index))
            if isinstance(event, yaml.ScalarEvent):
                value = resolved(event.value) if is_resolved(event.tag, bool(event.implicit[0])) else event.value
                is_merge = bool(event.implicit[0]) and event.value == "<<"
                yield Event(Kind.SCALAR, _trimmed(text, span), value, event.anchor, is_merge)
            elif isinstance(event, yaml.AliasEvent):
                yield Event(Kind.ALIAS, span, event.anchor)
            elif kind := _KINDS.get(type(event)):
                yield Event(kind, span, anchor=getattr(event, "anchor", None))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        index = min(mark.index, len(text)) if mark else 0
        if text[index : index + 1] == "\t":
            raise Unreadable(_TAB, index=index, way_out="indent with spaces") from None
        problem = " ".join(part for part in (error.context, error.problem) if part)
        way_out = next((way_out for words, way_out in _WAYS_OUT.items() if words in problem), _LOOK)
        raise Unreadable(f"is not YAML: {problem}", index=index, way_out=way_out) from None
    except yaml.YAMLError as error:
        raise Unreadable(f"is not YAML: {str(error).splitlines()[0]}", way_out=_LOOK) from None


_PROPERTIES: Final = re.compile(r"(?:[&!]\S*\s+(?:#.*\s+)*)+")


def _without_properties(text: str, span: Span) -> Span:
    """The place of a value without the anchor and the tag before it."""
    found = _PROPERTIES.match(text, *span)
    return span if found is None else Span(found.end(), span.end)


def _trimmed(text: str, span: Span) -> Span:
    """The place of a scalar without the blank lines at the end, which belong to a block scalar."""
    start, end = span
    while end > start and text[end - 1] in " \t\r\n":
        end -= 1
    return Span(start, end)


_BLANKS: Final = re.compile(r"[ \t\r\n]*")
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"', re.DOTALL)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z]+")
_WORDS: Final = {"true": True, "false": False, "null": None}


def _is_json(text: str, most_values: int) -> bool:
    """True if so many values of the text are JSON that is no deeper than what is read; all else is left to YAML."""
    depth = 0
    # Beside that of its beginning a value has one for its end, and one for its document.
    try:
        for event in islice(_json_events(text), 3 * (most_values + 1)):
            depth += (event.kind in (Kind.OBJECT, Kind.LIST)) - (event.kind is Kind.END)
            if depth > MAX_DEPTH:
                return False
    except Unreadable:
        return False
    return True


def _json_events(text: str) -> Iterator[Event]:
    """The events of JSON values that follow one another."""
    at = _skip(text, 0)
    while at < len(text):
        yield Event(Kind.DOCUMENT, Span(at, at))
        at = yield from _json_value(text, at)
        at = _skip(text, at)


def _json_value(text: str, at: int) -> Generator[Event, None, int]:
    """The events of the value that begins at an index; returns the index after it."""
    closing: list[str] = []
    while True:
        at = _skip(text, at)
        char = text[at : at + 1]
        if char in ("{", "["):
            yield Event(Kind.OBJECT if char == "{" else Kind.LIST, Span(at, at + 1))
            closing.append("}" if char == "{" else "]")
            at = _skip(text, at + 1)
            if text[at : at + 1] != closing[-1]:
                if char == "{":
                    at = yield from _json_key(text, at)
                continue
        else:
            event = _json_scalar(text, at)
            yield event
            at = event.span.end
        while closing:
            at = _skip(text, at)
            char = text[at : at + 1]
            if char == closing[-1]:
                yield Event(Kind.END, Span(at, at + 1))
                closing.pop()
                at += 1
            elif char == ",":
                at = _skip(text, at + 1)
                if closing[-1] == "}":
                    at = yield from _json_key(text, at)
                break
            else:
                raise _not_json(text, at, f'"," or "{closing[-1]}" is missing', "add it")
        if not closing:
            return at


def _json_key(text: str, at: int) -> Generator[Event, None, int]:
    """The event of a key; returns the index after its colon."""
    if text[at : at + 1] != '"':
        raise _not_json(
            text, at, "a key in double quotes is missing", "quote the key, and end the last entry without a comma"
        )
    key = _json_scalar(text, at)
    yield key
    at = _skip(text, key.span.end)
    if text[at : at + 1] != ":":
        raise _not_json(text, at, '":" is missing', "add it between the key and its value")
    return at + 1


def _json_scalar(text: str, at: int) -> Event:
    for pattern in (_STRING, _NUMBER, _WORD):
        if found := pattern.match(text, at):
            break
    else:
        raise _not_json(text, at, "a value is missing", "add one, or remove the comma before it")
    token, span = found[0], Span(*found.span())
    if pattern is _WORD:
        if token not in _WORDS:
            raise _not_json(text, at, f"{token[:32]} is no value", "put a text in double quotes")
        return Event(Kind.SCALAR, span, _WORDS[token])
    if pattern is _NUMBER:
        return Event(Kind.SCALAR, span, resolved(token))
    if "\\" not in token:
        return Event(Kind.SCALAR, span, token[1:-1])
    try:
        return Event(Kind.SCALAR, span, json.loads(token))
    except ValueError:
        raise _not_json(text, at, "an escape in this string is not valid", "double the backslash") from None


def _skip(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _not_json(text: str, at: int, problem: str, way_out: str) -> Unreadable:
    return Unreadable(f"is not JSON: {problem}", index=min(at, len(text)), way_out=way_out)

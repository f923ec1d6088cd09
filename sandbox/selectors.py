"""Label and field selectors, as query parameters and as the LabelSelector of an object."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from sandbox.failures import bad_request
from sandbox.objects import metadata, name_of, namespace_of

Predicate = Callable[[Mapping[str, Any]], bool]
LabelTest = Callable[[Mapping[str, str]], bool]

_TERM: Final = re.compile(
    r"\s*(?P<not>!)?\s*(?P<key>[\w./-]+)\s*"
    r"(?:(?P<op>==|=|!=)\s*(?P<value>[\w.-]*)|(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?\s*(?:,|$)"
)
_FIELDS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "metadata.name": name_of,
    "metadata.namespace": namespace_of,
}


def labels_of(value: Mapping[str, Any]) -> Mapping[str, str]:
    found = metadata(value).get("labels")
    return found if isinstance(found, dict) else {}


def parse_labels(text: str) -> LabelTest:
    """A label selector as ``kubectl -l`` takes it. Raises ApiError 400."""
    tests: list[LabelTest] = []
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            raise bad_request(f"unable to parse requirement: {text[position:]!r}")
        key, values = match["key"], [match["value"]]
        if match["set"]:
            values = [value.strip() for value in match["values"].split(",")]
        if match["op"] or match["set"]:
            tests.append(_has(key, values, wanted=(match["op"] or match["set"]) not in ("!=", "notin")))
        else:
            tests.append(_exists(key, wanted=not match["not"]))
        position = match.end()
    return lambda labels: all(test(labels) for test in tests)


def from_object(selector: Mapping[str, Any] | None) -> LabelTest:
    """A LabelSelector (matchLabels and matchExpressions). Empty selects everything, as does none at all."""
    required = selector or {}
    tests = [_has(key, [value], wanted=True) for key, value in (required.get("matchLabels") or {}).items()]
    for entry in required.get("matchExpressions") or ():
        if entry["operator"] in ("In", "NotIn"):
            tests.append(_has(entry["key"], entry["values"], wanted=entry["operator"] == "In"))
        else:
            tests.append(_exists(entry["key"], wanted=entry["operator"] == "Exists"))
    return lambda labels: all(test(labels) for test in tests)


def _has(key: str, values: Iterable[str], *, wanted: bool) -> LabelTest:
    held = frozenset(values)
    return lambda labels: (labels.get(key) in held) is wanted


def _exists(key: str, *, wanted: bool) -> LabelTest:
    return lambda labels: (key in labels) is wanted


def parse_fields(text: str) -> Predicate:
    """A field selector by name and namespace. Raises ApiError 400 for any other field."""
    tests: list[Predicate] = []
    for term in filter(None, text.split(",")):
        path, equals, wanted = term.partition("=")
        if not equals or path not in _FIELDS:
            raise bad_request(f"field label not supported: {term}: the sandbox selects by {', '.join(_FIELDS)}")
        tests.append(_field_is(_FIELDS[path], wanted.removeprefix("=")))
    return lambda value: all(test(value) for test in tests)


def _field_is(field: Callable[[Mapping[str, Any]], str], wanted: str) -> Predicate:
    return lambda value: field(value) == wanted

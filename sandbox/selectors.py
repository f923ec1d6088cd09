"""Label and field selectors, as query parameters and as the LabelSelector of an object."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from sandbox.failures import bad_request
from sandbox.objects import metadata

Predicate = Callable[[Mapping[str, Any]], bool]
LabelTest = Callable[[Mapping[str, str]], bool]

_TERM: Final = re.compile(
    r"\s*(?:(?P<absent>!\s*(?P<gone>[\w./-]+))"
    r"|(?P<key>[\w./-]+)\s*(?:(?P<op>==|=|!=)\s*(?P<value>[\w.-]*)|\s(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?)"
    r"\s*(?:,|$)"
)
_FIELDS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("", "pods"): ("spec.nodeName", "status.phase"),
    ("", "events"): (
        *(f"involvedObject.{name}" for name in ("apiVersion", "kind", "name", "namespace", "uid")),
        "reason",
        "type",
    ),
}
"""Fields that can be selected by, beside name and namespace."""


def labels_of(value: Mapping[str, Any]) -> Mapping[str, str]:
    found = metadata(value).get("labels")
    return found if isinstance(found, dict) else {}


def parse_labels(text: str) -> LabelTest:
    """A label selector as ``kubectl -l`` takes it. Raises ApiError 400."""
    tests: list[LabelTest] = []
    position = 0
    if not text.strip():
        return lambda labels: True
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None or match.end() == position:
            raise bad_request(f"unable to parse requirement: {text[position:]!r}")
        tests.append(_label_test(match))
        position = match.end()
    return lambda labels: all(test(labels) for test in tests)


def _label_test(match: re.Match[str]) -> LabelTest:
    key, value = match["key"], match["value"]
    if match["absent"]:
        return lambda labels: match["gone"] not in labels
    if match["op"] in ("=", "=="):
        return lambda labels: labels.get(key) == value
    if match["op"] == "!=":
        return lambda labels: labels.get(key) != value
    if match["set"]:
        return _member(key, [v.strip() for v in match["values"].split(",")], wanted=match["set"] == "in")
    return lambda labels: key in labels


def _member(key: str, values: Iterable[str], *, wanted: bool) -> LabelTest:
    held = frozenset(values)
    if wanted:
        return lambda labels: labels.get(key) in held
    return lambda labels: key not in labels or labels[key] not in held


def from_object(selector: Mapping[str, Any] | None) -> LabelTest:
    """A LabelSelector (matchLabels and matchExpressions). Empty selects everything, as does none at all."""
    tests: list[LabelTest] = [
        _member(key, [value], wanted=True) for key, value in ((selector or {}).get("matchLabels") or {}).items()
    ]
    for entry in (selector or {}).get("matchExpressions") or []:
        key, operator, values = entry["key"], entry["operator"], entry.get("values") or []
        if operator in ("In", "NotIn"):
            tests.append(_member(key, values, wanted=operator == "In"))
        elif operator == "Exists":
            tests.append(lambda labels, key=key: key in labels)  # type: ignore[misc]
        else:
            tests.append(lambda labels, key=key: key not in labels)  # type: ignore[misc]
    return lambda labels: all(test(labels) for test in tests)


def parse_fields(text: str, place: tuple[str, str]) -> Predicate:
    """A field selector. Raises ApiError 400 for a field that cannot be selected by."""
    tests: list[Predicate] = []
    for term in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", term)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        path, operator, wanted = match.groups()
        if path not in ("metadata.name", "metadata.namespace", *_FIELDS.get(place, ())):
            raise bad_request(f"field label not supported: {path}")
        tests.append(_field_test(path, wanted, equal=operator != "!="))
    return lambda value: all(test(value) for test in tests)


def _field_test(path: str, wanted: str, *, equal: bool) -> Predicate:
    return lambda value: (_field(value, path) == wanted) is equal


def _field(value: Mapping[str, Any], path: str) -> str:
    found: Any = value
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return "" if found is None else str(found)


def selects(labels: str, fields: str, place: tuple[str, str]) -> Predicate:
    """Both selectors of a request as one predicate over objects."""
    by_label, by_field = parse_labels(labels), parse_fields(fields, place)
    return lambda value: by_label(labels_of(value)) and by_field(value)

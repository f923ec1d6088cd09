"""The rules of the entries of one list of an RO: RO001 to RO004, RO006, RO008 and RO010."""

from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from webhook.admission.rules.field_error import (
    MAX_FINDINGS,
    as_warning,
    duplicate,
    echo,
    in_schema,
    invalid,
    required,
    too_many,
    unsupported,
)
from webhook.admission.rules.table import RO001, RO002, RO003, RO004, RO006, RO008, RO010
from webhook.admission.verdict import Finding
from webhook.api.kinds import MAX_INT32, MAX_REVISIONS
from webhook.api.names import is_subdomain
from webhook.api.target_revision import DIRECTION_DOWN, DIRECTION_STAY, DIRECTION_UP
from webhook.api.wire import is_count
from webhook.api.word import word_of

TARGET: Final = "targetRevisions"
DIRECTIONS: Final = (DIRECTION_UP, DIRECTION_DOWN, DIRECTION_STAY)

_SPELLINGS: Final = (*DIRECTIONS, None, "")
_MAX_DIRECTION: Final = 32
_TYPES: Final = {"latestRevision": 0, "configurationName": 253, "tag": 253, "url": 2048}
"""The longest text in characters; 0 for a boolean."""
_EXAMPLE: Final = "write an entry such as {revisionName: hello-00002, percent: 100}"
_NAMES: Final = "kubectl get revisions lists the names"


def check_list(key: str, revisions: Any, findings: list[Finding]) -> None:
    """Add the findings of a list, which is the member ``key`` of the spec: a JSON value that is not null."""
    if not isinstance(revisions, list):
        finding = invalid(RO001, f"spec.{key}", revisions, problem="must be a list", way_out="write a list of entries")
        findings.append(in_schema(finding))
        return
    if len(revisions) > MAX_REVISIONS:
        # Stop before the list is read: a long one would delay other reviews.
        way_out = "leave out the entries without traffic"
        finding = too_many(RO001, f"spec.{key}", count=len(revisions), most=MAX_REVISIONS, way_out=way_out)
        findings.append(in_schema(finding))
        return
    directions_by_name: dict[str, list[str]] = {}
    for index, revision in enumerate(revisions):
        if len(findings) >= MAX_FINDINGS and not _make_room(findings):
            return
        if not isinstance(revision, dict):
            finding = invalid(RO001, f"spec.{key}[{index}]", revision, problem="must be an object", way_out=_EXAMPLE)
            findings.append(in_schema(finding))
            continue
        direction, name = direction_of(revision), revision.get("revisionName")
        if _is_name(name) and name not in directions_by_name:
            directions_by_name[name] = [direction]
        else:
            _check_name(f"spec.{key}[{index}].revisionName", name, direction, directions_by_name, findings)
        if _is_plain(revision):
            continue
        where = f"spec.{key}[{index}]"
        # RO007 checks the first target.
        _check_percent(where, revision, direction == "up" and (index > 0 or key != TARGET), findings)
        _check_counts(where, revision, findings)
        _check_types(where, revision, findings)
        spelled = revision.get("direction")
        if spelled not in _SPELLINGS:
            findings.append(_direction_finding(f"{where}.direction", spelled, direction))
    _check_total(key, revisions, findings)


def direction_of(revision: Mapping[str, Any]) -> str:
    """The direction of an entry, trimmed and in lower case: absent is up, an unknown one is empty."""
    direction = revision.get("direction")
    if direction in DIRECTIONS:
        return str(direction)
    if direction is None:
        return "up"
    if not isinstance(direction, str):
        return ""
    word = word_of(direction) or "up"
    return word if word in DIRECTIONS else ""


def _is_plain(revision: Mapping[str, Any]) -> bool:
    """A fast check that accepts most entries: True if nothing but the name can be wrong."""
    percent, high = revision.get("percent"), revision.get("maxScale")
    low, target = revision.get("minScale"), revision.get("targetReplicas")
    if type(percent) is not int or not 0 <= percent <= 100 or revision.get("direction") not in _SPELLINGS:
        return False
    if not all(map(_is_typed, _TYPES, map(revision.get, _TYPES))):
        return False
    if high is not None and (type(high) is not int or not 0 <= high <= MAX_INT32):
        return False
    cap = high or MAX_INT32
    return (low is None or (type(low) is int and 0 <= low <= cap)) and (
        target is None or (type(target) is int and 0 <= target <= cap)
    )


def _is_name(name: Any) -> TypeGuard[str]:
    return type(name) is str and is_subdomain(name)


def _check_name(
    field: str, name: Any, direction: str, directions_by_name: dict[str, list[str]], findings: list[Finding]
) -> None:
    """Add the finding for a name that is invalid or repeated."""
    if name is None or name == "":
        findings.append(in_schema(required(RO001, field, problem="must be the name of a revision", way_out=_NAMES)))
    elif not _is_name(name):
        problem = "must be a DNS subdomain: lower-case letters, digits, '-' and '.', at most 253 characters"
        findings.append(in_schema(invalid(RO001, field, name, problem=problem, way_out=_NAMES)))
    else:
        others = directions_by_name[name]
        if {"up", "down"} <= {direction, *others} and direction in ("up", "down"):
            problem, way_out = "goes both up and down in this list", "keep one of the two entries"
            findings.append(in_schema(duplicate(RO001, field, name, problem=problem, way_out=way_out)))
        else:
            problem, way_out = "is listed more than once", "only an entry with a tag of its own needs that"
            findings.append(as_warning(duplicate(RO001, field, name, problem=problem, way_out=way_out)))
        if direction not in others:
            others.append(direction)


def _check_percent(where: str, revision: Mapping[str, Any], needed: bool, findings: list[Finding]) -> None:
    percent = revision.get("percent")
    if percent is None:
        if needed:
            problem = "an entry that goes up needs its share of the traffic"
            findings.append(required(RO006, f"{where}.percent", problem=problem, way_out="set percent, from 0 to 100"))
    elif not is_count(percent) or percent > 100:
        problem, way_out = "must be a whole number from 0 to 100", "set the entry's share of the traffic, such as 20"
        finding = invalid(RO002, f"{where}.percent", percent, problem=problem, way_out=way_out)
        findings.append(finding if _is_integer(percent, 64) else in_schema(finding))


def _check_counts(where: str, revision: Mapping[str, Any], findings: list[Finding]) -> None:
    target, low, high = revision.get("targetReplicas"), revision.get("minScale"), revision.get("maxScale")
    sound = True
    for key, value, way_out in (
        ("targetReplicas", target, "leave it out to have it computed"),
        ("minScale", low, "leave it out for no minimum"),
        ("maxScale", high, "leave it out for no limit"),
    ):
        if value is not None and not is_count(value):
            sound = False
            problem = f"must be a whole number from 0 to {MAX_INT32}"
            finding = invalid(RO002, f"{where}.{key}", value, problem=problem, way_out=way_out)
            findings.append(finding if _is_integer(value, 32) else in_schema(finding))
    if not sound or not high:
        return
    if low and low > high:
        problem = f"must not exceed maxScale ({echo(high)})"
        way_out = "lower it, or raise maxScale (0 stands for no limit)"
        findings.append(invalid(RO003, f"{where}.minScale", low, problem=problem, way_out=way_out))
    if target and target > high:
        problem = f"exceeds maxScale ({echo(high)}), so it cannot be reached"
        way_out = "lower it, or raise maxScale"
        findings.append(invalid(RO010, f"{where}.targetReplicas", target, problem=problem, way_out=way_out))


def _check_types(where: str, revision: Mapping[str, Any], findings: list[Finding]) -> None:
    """Check the types of the members that no other rule reads."""
    for key, longest in _TYPES.items():
        value = revision.get(key)
        if not _is_typed(key, value):
            problem = f"must be text of at most {longest} characters" if longest else "must be true or false"
            finding = invalid(RO001, f"{where}.{key}", value, problem=problem, way_out="correct it, or leave it out")
            findings.append(in_schema(finding))


def _is_typed(key: str, value: Any) -> bool:
    longest = _TYPES[key]
    return value is None or (type(value) is str and len(value) <= longest if longest else type(value) is bool)


def _is_integer(value: Any, bits: int) -> bool:
    """True if the schema accepts a JSON value as an integer with so many bits."""
    is_whole = type(value) is int or (type(value) is float and value.is_integer())
    return is_whole and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)


def _direction_finding(field: str, spelled: Any, direction: str) -> Finding:
    if not direction:
        return in_schema(unsupported(RO004, field, spelled, supported=DIRECTIONS, way_out='leave it out for "up"'))
    if len(spelled) > _MAX_DIRECTION:
        problem = f"must be at most {_MAX_DIRECTION} characters long"
        return in_schema(invalid(RO004, field, spelled, problem=problem, way_out=f'write "{direction}"'))
    problem = f'is read as "{direction}" here, but Knative\'s planner knows the exact words only'
    return as_warning(invalid(RO004, field, spelled, problem=problem, way_out=f'write "{direction}"'))


def _check_total(key: str, revisions: list[Any], findings: list[Finding]) -> None:
    total, tagged = 0, False
    for revision in revisions:
        if isinstance(revision, dict):
            percent = revision.get("percent")
            if type(percent) is int or (type(percent) is float and percent.is_integer()):
                total += int(percent)
            elif percent is not None:
                return
            tagged = tagged or bool(revision.get("tag"))
    if total != 100:
        problem, way_out = "percents must add up to 100", "an entry without percent counts as 0"
        finding = invalid(RO008, f"spec.{key}", total, problem=problem, way_out=way_out)
        findings.append(finding if key == TARGET and not tagged else as_warning(finding))


def _make_room(findings: list[Finding]) -> bool:
    """Drop warnings if there are too many findings; False if enough of them deny, so that the check can stop."""
    denying = [finding for finding in findings if finding.severity == "deny"]
    warning = [finding for finding in findings if finding.severity == "warn"]
    findings[:] = denying + warning[: MAX_FINDINGS // 4]
    return len(denying) < MAX_FINDINGS // 2

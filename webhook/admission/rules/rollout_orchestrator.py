"""The rules of an RO: RO001 to RO011."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Final, TypeGuard

from webhook.admission.rules.field_error import (
    MAX_FINDINGS,
    as_warning,
    duplicate,
    echo,
    in_schema,
    invalid,
    is_date_time,
    required,
    too_many,
    unsupported,
)
from webhook.admission.rules.table import (
    RO001,
    RO002,
    RO003,
    RO004,
    RO005,
    RO006,
    RO007,
    RO008,
    RO009,
    RO010,
    RO011,
)
from webhook.admission.verdict import Finding
from webhook.api.kinds import MAX_INT32, MAX_REVISIONS
from webhook.api.names import is_subdomain
from webhook.api.target_revision import DIRECTION_DOWN, DIRECTION_STAY, DIRECTION_UP
from webhook.api.wire import is_count
from webhook.api.word import word_of
from webhook.strategies.table import DEFAULT_STRATEGY, STRATEGIES

INITIAL: Final = "initialRevisions"
TARGET: Final = "targetRevisions"
STAGE: Final = "stageTargetRevisions"
DIRECTIONS: Final = (DIRECTION_UP, DIRECTION_DOWN, DIRECTION_STAY)

_LISTS: Final = (INITIAL, TARGET, STAGE)
_SPELLINGS: Final = (*DIRECTIONS, None, "")
_MAX_DIRECTION: Final = 32
_STRATEGIES: Final = tuple(STRATEGIES)
_MAX_STRATEGY: Final = 256
_TYPES: Final = {"latestRevision": 0, "configurationName": 253, "tag": 253, "url": 2048}
"""The longest text in characters; 0 for a boolean."""


def findings_of(spec: Any) -> list[Finding]:
    """All findings in the spec of an RO in wire form, ordered by id, then by position."""
    if spec is None:
        return []
    if not isinstance(spec, dict):
        return [in_schema(invalid(RO001, "spec", spec, problem="must be an object"))]
    findings: list[Finding] = []
    for key in _LISTS:
        revisions = spec.get(key)
        if revisions:
            _check_list(key, revisions, findings)
        elif revisions is not None and not isinstance(revisions, list):
            findings.append(in_schema(invalid(RO001, f"spec.{key}", revisions, problem="must be a list")))
    _check_stage(spec.get(STAGE), spec.get(TARGET), findings)
    _check_targets(spec.get(TARGET), findings)
    _check_strategy(spec.get("rolloutStrategy"), findings)
    time = spec.get("targetFinishTime")
    if time is not None and not is_date_time(time):
        problem, way_out = "must be a date and time, such as 2030-01-01T00:00:00Z", "leave it out: the loop sets it"
        findings.append(in_schema(invalid(RO001, "spec.targetFinishTime", time, problem=problem, way_out=way_out)))
    if len(findings) > 1:
        findings.sort(key=attrgetter("id"))
    return findings


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


def _check_list(key: str, revisions: Any, findings: list[Finding]) -> None:
    if not isinstance(revisions, list):
        findings.append(in_schema(invalid(RO001, f"spec.{key}", revisions, problem="must be a list")))
        return
    if len(revisions) > MAX_REVISIONS:
        # Stop before the list is read: a long one would delay other reviews.
        findings.append(in_schema(too_many(RO001, f"spec.{key}", count=len(revisions), most=MAX_REVISIONS)))
        return
    directions_by_name: dict[str, list[str]] = {}
    for index, revision in enumerate(revisions):
        if len(findings) >= MAX_FINDINGS and not _make_room(findings):
            return
        if not isinstance(revision, dict):
            findings.append(in_schema(invalid(RO001, f"spec.{key}[{index}]", revision, problem="must be an object")))
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
        findings.append(in_schema(required(RO001, field, problem="must be the name of a revision")))
    elif not _is_name(name):
        problem = "must be a DNS subdomain: lower-case letters, digits, '-' and '.', at most 253 characters"
        findings.append(in_schema(invalid(RO001, field, name, problem=problem)))
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
        finding = invalid(RO002, f"{where}.percent", percent, problem="must be a whole number from 0 to 100")
        findings.append(finding if _is_integer(percent, 64) else in_schema(finding))


def _check_counts(where: str, revision: Mapping[str, Any], findings: list[Finding]) -> None:
    target, low, high = revision.get("targetReplicas"), revision.get("minScale"), revision.get("maxScale")
    sound = True
    for key, value in (("targetReplicas", target), ("minScale", low), ("maxScale", high)):
        if value is not None and not is_count(value):
            sound = False
            problem = f"must be a whole number from 0 to {MAX_INT32}"
            finding = invalid(RO002, f"{where}.{key}", value, problem=problem)
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
            findings.append(in_schema(invalid(RO001, f"{where}.{key}", value, problem=problem)))


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


def _check_stage(stage: Any, targets: Any, findings: list[Finding]) -> None:
    if isinstance(stage, list) and stage:
        is_read = len(stage) <= MAX_REVISIONS
        if is_read and not any(isinstance(revision, dict) and direction_of(revision) == "up" for revision in stage):
            way_out = 'give one entry the direction "up", or remove the stage'
            findings.append(required(RO005, f"spec.{STAGE}", problem="nothing goes up in this stage", way_out=way_out))
        if not targets:
            way_out = f"set {TARGET}, or remove {STAGE}"
            problem = "a stage needs the targets that it leads to"
            findings.append(required(RO007, f"spec.{TARGET}", problem=problem, way_out=way_out))
    if isinstance(targets, list) and targets:
        first = targets[0]
        if isinstance(first, dict) and first.get("percent") is None:
            problem = "the first target needs its share of the traffic"
            findings.append(
                required(RO007, f"spec.{TARGET}[0].percent", problem=problem, way_out="set percent, from 0 to 100")
            )


def _check_targets(targets: Any, findings: list[Finding]) -> None:
    """RO011. Entries of one revision are one target; a list that is too long is not read."""
    if not isinstance(targets, list) or not 1 < len(targets) <= MAX_REVISIONS:
        return
    names = (target.get("revisionName") for target in targets if isinstance(target, dict))
    count = len({name for name in names if name and isinstance(name, str)})
    if count > 1:
        problem = "several revisions have no stages: all of them go up at once"
        way_out = "name one revision to have stages"
        findings.append(invalid(RO011, f"spec.{TARGET}", count, problem=problem, way_out=way_out))


def _make_room(findings: list[Finding]) -> bool:
    """Drop warnings if there are too many findings; False if enough of them deny, so that the check can stop."""
    denying = [finding for finding in findings if finding.severity == "deny"]
    warning = [finding for finding in findings if finding.severity == "warn"]
    findings[:] = denying + warning[: MAX_FINDINGS // 4]
    return len(denying) < MAX_FINDINGS // 2


def _check_strategy(strategy: Any, findings: list[Finding]) -> None:
    if strategy is None or strategy in _STRATEGIES:
        return
    is_typed = isinstance(strategy, str) and len(strategy) <= _MAX_STRATEGY
    if not is_typed or word_of(strategy) not in ("", *_STRATEGIES):
        way_out = f'leave it out for "{DEFAULT_STRATEGY}"'
        finding = unsupported(RO009, "spec.rolloutStrategy", strategy, supported=_STRATEGIES, way_out=way_out)
        findings.append(finding if is_typed else in_schema(finding))

"""Steering: the annotations of an RO by which people pause, retry and abort its rollout, read into values.

Each of the three has a main annotation, which alone can be written by hand (``kubectl annotate``), and others that
say more about it. Taking the main one away is enough to take it back.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from webhook.api.target_revision import TargetRevision, one_per_revision
from webhook.api.wire import parse_time
from webhook.api.word import BLANKS

PAUSE: Final = "stagegate.dev/pause"
"""The reason of the pause."""
PAUSE_BY: Final = "stagegate.dev/pause-by"
"""The user name of who paused; the webhook fills it in."""
PAUSE_UNTIL: Final = "stagegate.dev/pause-until"
"""The time (RFC 3339) at which the rollout resumes by itself."""
PAUSE_AFTER_STAGE: Final = "stagegate.dev/pause-after-stage"
"""The number of the stage after which the pause begins; 1 is the first stage of the present targets."""

ABORT: Final = "stagegate.dev/abort"
"""The targets that are aborted, as ``targets_text`` writes them; for other targets it is void."""
ABORT_BY: Final = "stagegate.dev/abort-by"
ABORT_REASON: Final = "stagegate.dev/abort-reason"

RETRY: Final = "stagegate.dev/retry"
"""The targets whose failure is cleared once, as ``targets_text`` writes them."""
RETRY_BY: Final = "stagegate.dev/retry-by"

NOT_KNOWN: Final = "not known"
"""Stands for the name of who steered where none was recorded."""

MAX_REASON: Final = 1024
MAX_TARGETS: Final = 20_000
"""Characters."""


class Group(NamedTuple):
    """The annotations of one way to steer: the main one, the one with the user name, and all of them."""

    main: str
    by: str
    keys: tuple[str, ...]


PAUSE_GROUP: Final = Group(PAUSE, PAUSE_BY, (PAUSE, PAUSE_BY, PAUSE_UNTIL, PAUSE_AFTER_STAGE))
ABORT_GROUP: Final = Group(ABORT, ABORT_BY, (ABORT, ABORT_BY, ABORT_REASON))
RETRY_GROUP: Final = Group(RETRY, RETRY_BY, (RETRY, RETRY_BY))
GROUPS: Final = (PAUSE_GROUP, ABORT_GROUP, RETRY_GROUP)
STEERING_KEYS: Final = tuple(key for group in GROUPS for key in group.keys)

_is_time: Final = re.compile(
    r"2\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(Z|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
).fullmatch
_is_stage: Final = re.compile(r"[1-9]\d{0,3}", re.ASCII).fullmatch
_TARGET: Final = r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?(=(100|[1-9]?\d))?"
_are_targets: Final = re.compile(rf"{_TARGET}(,{_TARGET})*", re.ASCII).fullmatch


class SteeringProblem(NamedTuple):
    """An annotation that cannot be read: its key and value, what is wrong, and the way out."""

    key: str
    value: Any
    problem: str
    way_out: str

    @property
    def text(self) -> str:
        return f"{self.key}: {self.problem}; {self.way_out}"


@dataclass(frozen=True, slots=True)
class Pause:
    """``by`` is empty if no name was recorded. None in ``until`` is no end, in ``after_stage`` a pause at once.

    What cannot be read makes the pause longer, never shorter: no end, and at once.
    """

    reason: str
    by: str = ""
    until: datetime | None = None
    after_stage: int | None = None

    def has_ended(self, now: datetime) -> bool:
        return self.until is not None and self.until <= now


@dataclass(frozen=True, slots=True)
class Abort:
    """The abort of these targets; ``by`` and ``reason`` are empty if they were not given."""

    targets: str
    by: str = ""
    reason: str = ""

    def is_for(self, targets: Iterable[TargetRevision]) -> bool:
        return names_targets(self.targets, targets)


@dataclass(frozen=True, slots=True)
class Retry:
    """The retry of these targets; ``by`` is empty if no name was recorded."""

    targets: str
    by: str = ""

    def is_for(self, targets: Iterable[TargetRevision]) -> bool:
        return names_targets(self.targets, targets)


@dataclass(frozen=True, slots=True)
class Steering:
    """How a rollout is steered. An abort or retry that cannot be read is None; ``problems`` says so.

    ``leftovers`` are annotations whose main one is not there; they mean nothing.
    """

    pause: Pause | None = None
    abort: Abort | None = None
    retry: Retry | None = None
    problems: tuple[SteeringProblem, ...] = ()
    leftovers: tuple[str, ...] = ()


def steering_of(annotations: Mapping[str, Any] | None) -> Steering:
    """Read the annotations of an RO on the wire."""
    found = {key: annotations[key] for key in STEERING_KEYS if key in annotations} if annotations else {}
    if not found:
        return Steering()
    problems = {problem.key: problem for problem in map(_problem_of, found, found.values()) if problem is not None}
    sound = {key: value for key, value in found.items() if key not in problems}
    pause = abort = retry = None
    if PAUSE in found:
        until = parse_time(sound.get(PAUSE_UNTIL, ""))
        stage = sound.get(PAUSE_AFTER_STAGE)
        # Without a readable end or stage, it is paused now.
        pause = Pause(sound.get(PAUSE, ""), sound.get(PAUSE_BY, ""), until, int(stage) if stage else None)
    if ABORT in sound:
        abort = Abort(sound[ABORT], sound.get(ABORT_BY, ""), sound.get(ABORT_REASON, ""))
    if RETRY in sound:
        retry = Retry(sound[RETRY], sound.get(RETRY_BY, ""))
    leftovers = tuple(key for group in GROUPS if group.main not in found for key in group.keys if key in found)
    listed = tuple(problem for key, problem in problems.items() if key not in leftovers)
    return Steering(pause, abort, retry, listed, leftovers)


def changed_groups(annotations: Mapping[str, Any] | None, old: Mapping[str, Any] | None) -> list[Group]:
    """The groups of which an update, or a creation (``old`` None), sets or changes something that is there after it."""
    after, before = annotations or {}, old or {}
    return [
        group
        for group in GROUPS
        if any(key in after for key in group.keys)
        and any(_member(after, key) != _member(before, key) for key in group.keys)
    ]


def problems_in(
    annotations: Mapping[str, Any], old: Mapping[str, Any] | None, groups: Iterable[Group]
) -> list[SteeringProblem]:
    """What is wrong with the annotations of these groups; one without its main annotation, if it was set just now."""
    found = []
    for group in groups:
        for key in (key for key in group.keys if key in annotations):
            problem = _problem_of(key, annotations[key])
            is_new = _member(annotations, key) != _member(old or {}, key)
            if problem is None and group.main not in annotations and is_new:
                problem = SteeringProblem(key, annotations[key], f"means nothing without {group.main}", "set both")
            if problem is not None and (group.main in annotations or is_new):
                found.append(problem)
    return found


def problem_of_reason(text: str) -> str | None:
    """What is wrong with the reason of a pause or an abort, and the way out; None if nothing is."""
    problem = _problem_of(PAUSE, text)
    return None if problem is None else f"{problem.problem}; {problem.way_out}"


def targets_text(targets: Iterable[TargetRevision]) -> str:
    """The targets of a rollout as an abort or a retry names them: ``hello-00002=100``."""
    return ",".join(
        target.revision_name if target.percent is None else f"{target.revision_name}={target.percent}"
        for target in one_per_revision(targets)
    )


def names_targets(text: str, targets: Iterable[TargetRevision]) -> bool:
    """True if a text names these targets, in order. A name without percent stands for any percent."""
    named = [part.partition("=") for part in text.split(",")]
    merged = one_per_revision(targets)
    return len(named) == len(merged) and all(
        name == target.revision_name and (not separator or percent == str(target.percent))
        for (name, separator, percent), target in zip(named, merged, strict=True)
    )


def _member(members: Mapping[str, Any], key: str) -> tuple[Any, ...]:
    return (members[key],) if key in members else ()


def _problem_of(key: str, value: Any) -> SteeringProblem | None:
    if not isinstance(value, str):
        return SteeringProblem(key, value, "must be text", "quote it")
    if key in (PAUSE, ABORT_REASON):
        if not value.strip(BLANKS):
            return SteeringProblem(key, value, "must say why", "write the reason into it")
        if len(value) > MAX_REASON:
            return SteeringProblem(key, value, f"must have at most {MAX_REASON} characters", "shorten it")
        if any(unicodedata.category(character) == "Cc" for character in value):
            return SteeringProblem(key, value, "must be one line without control characters", "take them out")
    elif key == PAUSE_UNTIL:
        if _is_time(value) is None or parse_time(value) is None:
            return SteeringProblem(key, value, "must be a time, such as 2030-01-01T12:00:00Z", "write it like that")
    elif key == PAUSE_AFTER_STAGE:
        if _is_stage(value) is None:
            return SteeringProblem(key, value, "must be the number of a stage, from 1 to 9999", "write for example 1")
    elif key in (ABORT, RETRY) and (len(value) > MAX_TARGETS or _are_targets(value) is None):
        problem = "must name the targets of the rollout, such as hello-00002 or hello-00002=100"
        return SteeringProblem(key, value, problem, "copy them from spec.targetRevisions")
    return None

"""The condition set of an RO, by the rules of Knative's own."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from webhook.api import wire
from webhook.api.errors import MalformedObject

TRUE: Final = "True"
FALSE: Final = "False"
UNKNOWN: Final = "Unknown"

READY: Final = "Ready"
STAGE_READY: Final = "StageReady"
LAST_STAGE_READY: Final = "LastStageReady"
STAGE_SCALE_UP_READY: Final = "StageScaleUpReady"
STAGE_SCALE_DOWN_READY: Final = "StageScaleDownReady"
STAGE_TRAFFIC_READY: Final = "StageTrafficReady"
"""Present only while the Route of a Knative Service is held."""
POD_AUTOSCALER_STAGE_READY: Final = "PodAutoscalerStageReady"
ROUTE_HELD: Final = "RouteHeld"
"""True since the Route of the rollout's Knative Service is held, else absent."""
SCALE_TARGET_INITIALIZED: Final = "ScaleTargetInitialized"
"""Of a PodAutoscaler: True once its target has reached its initial scale."""
PAUSED: Final = "Paused"
"""True while people hold the rollout where it is, else absent; its time is since when. Reason Paused, also of Ready."""
ABORTED: Final = "Aborted"
"""True since the rollout leads back to where it began, and once it is there, else absent."""
NO_TRAFFIC_YET: Final = "NoTrafficYet"
"""True while the Route is held and no request reaches the revision that the rollout leads to, else absent."""
STALLED: Final = "Stalled"
RECONCILING: Final = "Reconciling"

_INFO: Final = "Info"
_START_OF_TIME: Final = datetime.min.replace(tzinfo=UTC)
_KNOWN: Final = frozenset({"type", "status", "severity", "reason", "message", "lastTransitionTime"})


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition. An absent string is empty; an absent or unreadable time is None."""

    type: str
    status: str = UNKNOWN
    severity: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], path: str = "") -> "Condition":
        """Read the wire form. Raises MalformedObject on a wrong type."""
        if not isinstance(data, Mapping):
            raise MalformedObject(path or "condition", f"must be an object, not {wire.kind_of(data)}")
        return cls(
            type=wire.text(data, "type", path),
            status=wire.text(data, "status", path),
            severity=wire.text(data, "severity", path),
            reason=wire.text(data, "reason", path),
            message=wire.text(data, "message", path),
            last_transition_time=wire.parse_time(wire.text(data, "lastTransitionTime", path)),
            extra={key: wire.copy_of(value) for key, value in data.items() if key not in _KNOWN},
        )

    def to_dict(self) -> wire.Wire:
        """The wire form, absent members left out."""
        data: wire.Wire = {key: wire.copy_of(value) for key, value in self.extra.items()}
        data |= {"type": self.type, "status": self.status}
        data |= {key: value for key in ("severity", "reason", "message") if (value := getattr(self, key))}
        if self.last_transition_time is not None:
            data["lastTransitionTime"] = wire.format_time(self.last_transition_time)
        return data

    def equals_except_times(self, other: "Condition") -> bool:
        """Equality except for the transition time."""
        return (
            self.type == other.type
            and self.status == other.status
            and self.severity == other.severity
            and self.reason == other.reason
            and self.message == other.message
            and self.extra == other.extra
        )


class ConditionSet:
    """Conditions sorted by type, with a happy one (Ready) that is computed from its dependents.

    Conditions that Ready does not depend on have severity Info. A missing condition counts as Unknown. Every mark takes
    the time; within a set each mark gets a later time than the one before, since Ready repeats the latest unhappy
    condition.
    """

    def __init__(
        self,
        conditions: Iterable[Condition] = (),
        *,
        happy: str = READY,
        dependents: tuple[str, ...] = (STAGE_READY, LAST_STAGE_READY),
    ) -> None:
        self._by_type = {condition.type: condition for condition in conditions}
        self._happy = happy
        self._dependents = dependents
        self._last_mark = _START_OF_TIME

    def __iter__(self) -> Iterator[Condition]:
        return iter(sorted(self._by_type.values(), key=lambda condition: condition.type))

    def __len__(self) -> int:
        return len(self._by_type)

    def get(self, type_: str) -> Condition | None:
        return self._by_type.get(type_)

    def status(self, type_: str) -> str:
        """True, False or Unknown; Unknown if the condition is missing."""
        condition = self._by_type.get(type_)
        return condition.status if condition is not None else UNKNOWN

    def changed_at(self, type_: str) -> datetime | None:
        """When the status of a condition last changed; None if it is missing or does not say."""
        condition = self._by_type.get(type_)
        return condition.last_transition_time if condition is not None else None

    def is_true(self, type_: str) -> bool:
        return self.status(type_) == TRUE

    def is_false(self, type_: str) -> bool:
        return self.status(type_) == FALSE

    def is_unknown(self, type_: str) -> bool:
        return self.status(type_) not in (TRUE, FALSE)

    def initialize(self, now: datetime) -> None:
        """Add missing conditions: Ready as Unknown, then its dependents, as True if Ready is True."""
        if self._happy not in self._by_type:
            self._set(self._happy, UNKNOWN, now)
        status = TRUE if self.is_true(self._happy) else UNKNOWN
        for dependent in self._dependents:
            if dependent not in self._by_type:
                self._set(dependent, status, now)

    def mark_true(self, type_: str, now: datetime) -> None:
        """Set a condition to True without reason and message, and compute Ready from the terminal conditions."""
        self._set(type_, TRUE, now)
        unhappy = self._unhappy()
        if unhappy is not None:
            self._set(self._happy, unhappy.status, now, reason=unhappy.reason, message=unhappy.message)
        elif type_ != self._happy:
            self._set(self._happy, TRUE, now)

    def mark_unknown(self, type_: str, reason: str, message: str, now: datetime) -> None:
        """Set a condition to Unknown. If a dependent is False, Ready becomes False with this reason and message."""
        self._set(type_, UNKNOWN, now, reason=reason, message=message)
        if any(self.is_false(dependent) for dependent in self._dependents):
            if not self.is_false(self._happy):
                self._set(self._happy, FALSE, now, reason=reason, message=message)
        elif type_ in self._dependents:
            self._set(self._happy, UNKNOWN, now, reason=reason, message=message)

    def mark_false(self, type_: str, reason: str, message: str, now: datetime) -> None:
        """Set a condition to False, and Ready with it if Ready depends on it."""
        self._set(type_, FALSE, now, reason=reason, message=message)
        if type_ in self._dependents:
            self._set(self._happy, FALSE, now, reason=reason, message=message)

    def inform(self, type_: str, reason: str, message: str, now: datetime) -> None:
        """Set a condition that Ready does not depend on to True, with a reason; Ready stays as it is."""
        self._set(type_, TRUE, now, reason=reason, message=message)

    def remove(self, type_: str) -> None:
        """Remove a condition that Ready does not depend on, if it is present; Ready stays as it is."""
        self._by_type.pop(type_, None)

    def keep_times_of(self, earlier: "ConditionSet") -> None:
        """Restore the earlier transition time of every condition that equals the earlier one except for it."""
        for type_, condition in self._by_type.items():
            before = earlier.get(type_)
            if before is not None and condition.equals_except_times(before):
                self._by_type[type_] = before

    def equals_except_times(self, other: "ConditionSet") -> bool:
        """Equality except for transition times."""
        return self._by_type.keys() == other._by_type.keys() and all(
            condition.equals_except_times(other._by_type[type_]) for type_, condition in self._by_type.items()
        )

    def copy(self) -> "ConditionSet":
        duplicate = ConditionSet(self._by_type.values(), happy=self._happy, dependents=self._dependents)
        duplicate._last_mark = self._last_mark
        return duplicate

    def _set(self, type_: str, status: str, now: datetime, *, reason: str = "", message: str = "") -> None:
        severity = "" if type_ == self._happy or type_ in self._dependents else _INFO
        condition = Condition(type_, status, severity=severity, reason=reason, message=message)
        before = self._by_type.get(type_)
        if before is not None and condition.equals_except_times(before):
            return
        self._last_mark = max(now, self._last_mark + timedelta(microseconds=1))
        self._by_type[type_] = replace(condition, last_transition_time=self._last_mark)

    def _unhappy(self) -> Condition | None:
        terminal = [c for c in self if not c.severity and c.type != self._happy]
        terminal.sort(key=lambda c: c.last_transition_time or _START_OF_TIME, reverse=True)
        for status in (FALSE, UNKNOWN):
            for condition in terminal:
                if condition.status == status:
                    return condition
        if len(terminal) < len(self._dependents):
            return Condition(self._happy, UNKNOWN)
        return None


def conditions_from(status: Mapping[str, Any], path: str) -> list[Condition]:
    """The conditions of a status in wire form."""
    return [
        Condition.from_dict(entry, f"{wire.join(path, 'conditions')}[{index}]")
        for index, entry in enumerate(wire.sequence(status, "conditions", path))
    ]

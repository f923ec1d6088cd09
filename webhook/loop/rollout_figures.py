"""Figures of the rollouts: what is held and for how long, what has failed, and how long a stage took."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webhook.api import RolloutOrchestrator, wire
from webhook.api.conditions import ABORTED, PAUSED, READY, ROUTE_HELD, STAGE_READY, STALLED, TRUE
from webhook.knative.annotations import HOLD, annotations_of
from webhook.knative.hold import RELEASING, readable_hold_of


@dataclass(frozen=True, slots=True)
class RolloutFigures:
    """Numbers of Services that are held and that are being given back, and of rollouts that failed or are steered.

    ``held_seconds`` is the age of the oldest hold. ``still_seconds`` is the longest time for which no condition has
    changed of a rollout that is held, or neither complete nor failed; 0 if there is none. Where conditions give no
    time, it is the age of the RO; without an RO, that of the Revision that the Route was held for, or of the Route.
    Neither counts rollouts that people paused or aborted, which stand still because somebody wants that; they are
    ``paused`` and ``aborted``, and an aborted one has not failed.
    """

    held: int = 0
    releasing: int = 0
    failed: int = 0
    paused: int = 0
    aborted: int = 0
    held_seconds: float = 0.0
    still_seconds: float = 0.0


def _no_revision(_namespace: str, _name: str) -> None:
    return None


def rollout_figures(
    routes: Iterable[Mapping[str, Any]],
    rollouts: Iterable[Mapping[str, Any]],
    now: datetime,
    revision: Callable[[str, str], Mapping[str, Any] | None] = _no_revision,
) -> RolloutFigures:
    """The figures of Routes and ROs on the wire; ``revision`` finds a Revision by namespace and name."""
    alone = {_key(route): route for route in routes if HOLD in annotations_of(route)}
    phases = {key: _phase(route) for key, route in alone.items()}
    failed, paused, aborted, held_since, changed = 0, 0, 0, [now], [now]
    for ro in rollouts:
        alone.pop(_key(ro), None)
        conditions = list(_conditions(ro))
        true = {one.get("type") for one in conditions if one.get("status") == TRUE}
        failed += STALLED in true and ABORTED not in true
        paused += PAUSED in true
        aborted += ABORTED in true
        if {PAUSED, ABORTED} & true:
            continue
        # A time that is still to come says nothing: a clock that was fast, or a hand, wrote it.
        stated = {str(one.get("type")): wire.parse_time(one.get("lastTransitionTime")) for one in conditions}
        times = {type_: time for type_, time in stated.items() if time is not None and time <= now}
        created = min(_created(ro) or now, now)
        is_held = _key(ro) in phases
        if is_held or not {READY, STALLED} & true:
            changed.append(max(times.values(), default=created))
        if is_held:
            held_since.append(times.get(ROUTE_HELD, created))
    for route in alone.values():
        since = min(_held_at(route, revision) or now, now)
        changed.append(since)
        held_since.append(since)
    releasing = sum(phase == RELEASING for phase in phases.values())
    return RolloutFigures(
        held=len(phases) - releasing,
        releasing=releasing,
        failed=failed,
        paused=paused,
        aborted=aborted,
        held_seconds=(now - min(held_since)).total_seconds(),
        still_seconds=(now - min(changed)).total_seconds(),
    )


def stage_seconds(before: RolloutOrchestrator, after: RolloutOrchestrator) -> float | None:
    """How long the stage took that a reconcile has completed, None if it has completed none."""
    was, now = before.status.conditions.get(STAGE_READY), after.status.conditions.get(STAGE_READY)
    if was is None or now is None or was.status == TRUE or now.status != TRUE:
        return None
    if was.last_transition_time is None or now.last_transition_time is None:
        return None
    return max((now.last_transition_time - was.last_transition_time).total_seconds(), 0.0)


def _key(one: Mapping[str, Any]) -> tuple[str, str]:
    metadata = one.get("metadata") or {}
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def _created(one: Mapping[str, Any] | None) -> datetime | None:
    return wire.parse_time(((one or {}).get("metadata") or {}).get("creationTimestamp"))


def _held_at(route: Mapping[str, Any], revision: Callable[[str, str], Mapping[str, Any] | None]) -> datetime | None:
    """When a Route was held: right before the new Revision was made."""
    hold, (namespace, _) = readable_hold_of(route), _key(route)
    new = _created(revision(namespace, hold.new)) if hold is not None else None
    return new or _created(route)


def _phase(route: Mapping[str, Any]) -> str:
    hold = readable_hold_of(route)
    return hold.phase if hold is not None else ""


def _conditions(ro: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    status = ro.get("status")
    found = status.get("conditions") if isinstance(status, Mapping) else None
    yield from (one for one in found if isinstance(one, Mapping)) if isinstance(found, list) else ()

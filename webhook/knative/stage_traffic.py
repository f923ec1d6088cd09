"""The traffic of a stage: the entries that a held Route gets, and what keeps it from getting or showing them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.api.conditions import READY, STAGE_SCALE_DOWN_READY, Condition
from webhook.api.owner_reference import controller_of
from webhook.api.target_revision import one_per_revision
from webhook.api.wire import Wire
from webhook.knative.hold import HELD, Hold, readable_hold_of
from webhook.knative.revision import newest_of
from webhook.knative.traffic import held_traffic, is_moved, shares
from webhook.planning import RolloutConfig, strategy_in_force
from webhook.strategies import STRATEGIES

_WHOLE = 100
_LONGEST = 200
"""Characters of a message of Knative that is quoted."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The replicas that a revision's PodAutoscaler wants and has, None where it does not say.

    ``minimum`` is the one that it goes by, None where it has none; ``is_initialized`` is True once the revision has run
    it, and is Ready with any replica from then on.
    """

    desired: int | None = None
    actual: int | None = None
    minimum: int | None = None
    is_initialized: bool = False


@dataclass(frozen=True, slots=True)
class StageTraffic:
    """``entries`` are to be written to the Route as it was observed, None if nothing is to be written.

    ``waiting`` is what keeps requests from following the shares of the stage, None once they do.
    """

    route: Wire
    entries: list[Wire] | None = None
    waiting: str | None = None


def held_for(ro: RolloutOrchestrator, route: Mapping[str, Any] | None) -> Hold | None:
    """The hold of a Route on the wire if it holds for this rollout, in its phase held; None otherwise.

    It names the Service that it began under, and the RO its owner: those of a backup are others.
    """
    hold = readable_hold_of(route)
    owner = controller_of(ro.metadata.owner_references)
    return hold if hold and hold.phase == HELD and owner and owner.get("uid") == hold.since else None


def stage_traffic(
    ro: RolloutOrchestrator,
    route: Wire,
    revisions: Mapping[str, Mapping[str, Any]],
    scales: Mapping[str, Scale],
    *,
    redundant: bool = True,
    keeps_floor: bool = True,
) -> StageTraffic:
    """The traffic of the stage of a rollout whose Route is held.

    ``revisions`` are those of the Service on the wire, by name, observed before the Route. A revision gets a share only
    while it is Ready, since one that is not blocks the whole Route, and, with ``keeps_floor``, only once it runs its
    floor. ``redundant`` is that of ``held_traffic``.
    """
    stage = one_per_revision(ro.spec.stage_target_revisions)
    wanted = {entry.revision_name: entry.percent or 0 for entry in stage}
    if sum(wanted.values()) != _WHOLE:
        return StageTraffic(route, waiting=f"the stage gives {sum(wanted.values())}% of the traffic, not {_WHOLE}%")
    # What has its share already is not asked for its floor again: the floor may rise once traffic has moved.
    has = shares((route.get("status") or {}).get("traffic"))
    floors = {
        entry.revision_name: floor_of(ro, entry.revision_name, scales)
        for entry in stage
        if keeps_floor and (entry.percent or 0) > has.get(entry.revision_name, 0)
    }
    obstacles = [text for entry in stage if (text := _obstacle(entry, revisions, scales, floors))]
    if obstacles:
        return StageTraffic(route, waiting="; ".join(obstacles))
    at_zero = [name for name, percent in wanted.items() if not percent and is_ready(revisions.get(name))]
    floats = can_float(route, revisions)
    entries = held_traffic(wanted, at_zero, route["metadata"]["name"], redundant=redundant, floats=floats)
    if (route.get("spec") or {}).get("traffic") != entries:
        return StageTraffic(route, entries, _not_moved(route, wanted))
    return StageTraffic(route, waiting=None if is_moved(route, wanted) else _not_moved(route, wanted))


def can_float(route: Mapping[str, Any], revisions: Mapping[str, Mapping[str, Any]]) -> bool:
    """False while the entry of a held Route that floats would block it.

    It leads to the newest revision that has ever been Ready, which the status names. If that one is not Ready any more,
    the Route would not even move to those that are. The entry comes back when the newest revision is Ready.
    """
    shown, in_spec = ((route.get(part) or {}).get("traffic") or () for part in ("status", "spec"))
    latest = next((str(entry.get("revisionName")) for entry in shown if entry.get("latestRevision")), "")
    if not latest and not any(entry.get("latestRevision") for entry in in_spec):
        latest = newest_of(revisions)
    return latest not in revisions or is_ready(revisions[latest])


def floor_of(ro: RolloutOrchestrator, revision: str, scales: Mapping[str, Scale]) -> int:
    """The replicas that a revision has to run for its share, whatever its own minimum is; 0 if there is no floor.

    It is the target of the stage for a revision that goes up, or that of the stage before where the stage has none, or
    where what goes down has to make room first; at most its maximum. There is none while every revision of the stage
    wants no replica: a service at rest stays there.
    """
    stage = one_per_revision(ro.spec.stage_target_revisions)
    entry = next((entry for entry in stage if entry.revision_name == revision), None)
    if entry is None or not entry.goes_up:
        return 0
    if all(scales.get(one.revision_name, Scale()).desired == 0 for one in stage):
        return 0
    target = entry.target_replicas if _has_room(ro) else None
    if target is None:
        before = (one for one in ro.status.stage_revision_status if one.revision_name == revision)
        target = next((one.target_replicas for one in before), None)
    return min(target or 0, entry.max_scale) if entry.max_scale else target or 0


def floor_when_settled(ro: RolloutOrchestrator, revision: str, running: Mapping[str, int]) -> int:
    """``floor_of`` where every revision wants what it runs."""
    return floor_of(ro, revision, {name: Scale(count, count) for name, count in running.items()})


def is_ready(revision: Mapping[str, Any] | None) -> bool:
    """True for a Revision on the wire whose condition Ready is True."""
    ready = condition_of(revision, READY)
    return ready is not None and ready.status == "True"


def condition_of(one: Mapping[str, Any] | None, type_: str) -> Condition | None:
    """A condition of an object on the wire."""
    listed: Sequence[Mapping[str, Any]] = ((one or {}).get("status") or {}).get("conditions") or ()
    return next((Condition.from_dict(wire) for wire in listed if wire.get("type") == type_), None)


def quoted(condition: Condition | None) -> str:
    """`` (Reason: message)`` of a condition that is not True; empty where it says nothing."""
    if condition is None or condition.status == "True":
        return ""
    words = ": ".join(part for part in (condition.reason, " ".join(condition.message.split())) if part).rstrip(".")
    return f" ({words if len(words) <= _LONGEST else f'{words[: _LONGEST - 4]} ...'})" if words else ""


def described(shares: Mapping[str, int]) -> str:
    """``hello-00001 75%, hello-00002 25%``."""
    return ", ".join(f"{name} {percent}%" for name, percent in sorted(shares.items()) if percent)


def _has_room(ro: RolloutOrchestrator) -> bool:
    """True if what goes up may have the replicas of the stage: at once, or once what goes down has gone."""
    strategy = STRATEGIES[strategy_in_force(ro, RolloutConfig())]
    return strategy.goes_up_first or ro.status.conditions.is_true(STAGE_SCALE_DOWN_READY)


def _obstacle(
    entry: TargetRevision,
    revisions: Mapping[str, Mapping[str, Any]],
    scales: Mapping[str, Scale],
    floors: Mapping[str, int],
) -> str | None:
    """What keeps a revision from taking its share."""
    name = entry.revision_name
    if not entry.percent:
        return None
    if not is_ready(revisions.get(name)):
        why = quoted(condition_of(revisions.get(name), READY)) if name in revisions else " (it does not exist)"
        return f"Revision {name} to be Ready{why}"
    floor = floors.get(name, 0)
    if (scales.get(name, Scale()).actual or 0) < floor:
        return f"{name} to run the {floor} {'replica' if floor == 1 else 'replicas'} of its share"
    return None


def _not_moved(route: Wire, wanted: Mapping[str, int]) -> str:
    ready = condition_of(route, READY)
    # While a Route moves its message changes; only one that says why it does not is quoted.
    why = quoted(ready) if ready is not None and ready.status == "False" else ""
    return f"Route {route['metadata']['name']} to move to {described(wanted)}{why}"

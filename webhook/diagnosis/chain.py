"""The chain of a rollout: RO, SPA, PodAutoscaler, Deployment, ReplicaSet and Pods of each live revision, in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from webhook.api.conditions import READY, ROUTE_HELD, STAGE_READY, TRUE, Condition
from webhook.api.wire import Wire
from webhook.cluster.indexer import key_of
from webhook.cluster.resource import (
    DEPLOYMENTS,
    POD_AUTOSCALERS,
    PODS,
    REPLICA_SETS,
    ROUTES,
    STAGE_POD_AUTOSCALERS,
    Resource,
)
from webhook.diagnosis.pod_problem import pod_problem
from webhook.diagnosis.snapshot import RevisionSnapshot, Snapshot
from webhook.diagnosis.summary import Summary
from webhook.knative.stage_traffic import condition_of, described, quoted
from webhook.strategies.stage import described as described_stage

_MOST_PODS: Final = 10
"""Pods that are not ready, of each revision; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Link:
    """One object: ``says`` is one line; ``is_well`` is False where it holds the rollout up, None if it is not known.

    ``under`` are the objects that it leads to.
    """

    kind: str
    name: str
    says: str
    is_well: bool | None = True
    since: datetime | None = None
    under: tuple["Link", ...] = ()


def chain_of(snapshot: Snapshot, summary: Summary) -> Link:
    """The chain from the RO down to the pods, for the live revisions of its summary."""
    ro = snapshot.ro
    ready = ro.status.conditions.get(STAGE_READY)
    says = described_stage(ro.spec.stage_target_revisions) or "no stage"
    if not snapshot.exists:
        says = "does not exist"
    is_well = None if ready is None else ready.status == TRUE or summary.state in ("Progressing", "Complete")
    if summary.state in ("Pending", "Waiting", "Aborting"):
        is_well = None
    under = [*_route(snapshot), *(_revision(snapshot, one.name) for one in summary.revisions)]
    return Link("RolloutOrchestrator", snapshot.name, says, is_well, _time(ready), tuple(under))


def _route(snapshot: Snapshot) -> Iterator[Link]:
    route = snapshot.route
    if route is None:
        if not snapshot.sees(ROUTES):
            yield _hidden("Route", snapshot.name)
        return
    ready = condition_of(route, READY)
    held = snapshot.ro.status.conditions.get(ROUTE_HELD)
    hold = snapshot.hold
    words = f"traffic {described(snapshot.traffic or {}) or 'none'}"
    if hold is not None:
        words += f", {hold.phase} for {hold.new}"
    yield Link("Route", snapshot.name, f"{words}{quoted(ready)}", _is_true(ready), _time(held) or _time(ready))


def _revision(snapshot: Snapshot, name: str) -> Link:
    seen = snapshot.of(name)
    ready = condition_of(seen.revision, READY)
    if seen.revision is None:
        says, is_well = (seen.absence, False) if seen.absence else ("not seen", None)
    else:
        says, is_well = f"Ready {ready.status if ready is not None else 'Unknown'}{quoted(ready)}", _is_true(ready)
    return Link("Revision", name, says or "", is_well, _time(ready), (_spa(snapshot, seen),))


def _spa(snapshot: Snapshot, seen: RevisionSnapshot) -> Link:
    under = (_pod_autoscaler(snapshot, seen),)
    spa = seen.spa
    if spa is None:
        return _absent(snapshot, STAGE_POD_AUTOSCALERS, seen.name, under)
    low, high = ("-" if bound is None else str(bound) for bound in spa.bounds)
    says = f"bounds {low}..{high}, wants {_count(spa.desired_scale)}, runs {_count(spa.actual_scale)}"
    if spa.replicas_terminating:
        says += f", {spa.replicas_terminating} ending"
    return Link("StagePodAutoscaler", seen.name, says, spa.is_stage_ready or None, None, under)


def _pod_autoscaler(snapshot: Snapshot, seen: RevisionSnapshot) -> Link:
    under = _deployment(snapshot, seen)
    if seen.pod_autoscaler is None:
        return _absent(snapshot, POD_AUTOSCALERS, seen.name, under)
    ready = condition_of(seen.pod_autoscaler, READY)
    is_at_rest = seen.desired == 0 and seen.running == 0
    says = f"wants {_count(seen.desired)}, runs {_count(seen.running)}{quoted(ready)}"
    return Link("PodAutoscaler", seen.name, says, True if is_at_rest else _is_true(ready), _time(ready), under)


def _deployment(snapshot: Snapshot, seen: RevisionSnapshot) -> tuple[Link, ...]:
    """The Deployment; what is under it where there is none but pods, or where it cannot be seen, or none is wanted."""
    under = tuple(_replica_set(snapshot, seen, one) for one in seen.replica_sets if _is_in_use(one))
    if not under:
        under = tuple(_pods(snapshot, seen, seen.pods))
    if seen.deployment is None:
        is_missed = snapshot.sees(DEPLOYMENTS) and not seen.pods and bool(seen.desired)
        return (_absent(snapshot, DEPLOYMENTS, f"{seen.name}-deployment", under),) if is_missed else under
    wanted, available = (
        _number(seen.deployment, "spec", "replicas"),
        _number(seen.deployment, "status", "availableReplicas"),
    )
    says = f"{available or 0} of {_count(wanted)} replicas available"
    is_well = (available or 0) >= (wanted or 0)
    return (Link("Deployment", key_of(seen.deployment)[1], says, is_well, None, under),)


def _replica_set(snapshot: Snapshot, seen: RevisionSnapshot, one: Wire) -> Link:
    name = key_of(one)[1]
    mine = [pod for pod in seen.pods if _owner(pod) in ("", name)]
    wanted, made = _number(one, "spec", "replicas") or 0, _number(one, "status", "replicas") or 0
    failure = condition_of(one, "ReplicaFailure")
    says = f"{made} of {wanted} pods made"
    if failure is not None and failure.status == TRUE:
        says += f" ({' '.join((failure.message or failure.reason).split())})"
    return Link("ReplicaSet", name, says, made >= wanted, _time(failure), tuple(_pods(snapshot, seen, tuple(mine))))


def _pods(snapshot: Snapshot, seen: RevisionSnapshot, pods: tuple[Wire, ...]) -> Iterator[Link]:
    if not snapshot.sees(PODS):
        yield _hidden("Pod", f"{seen.name}-...")
        return
    problems = [problem for pod in pods if (problem := pod_problem(pod, snapshot.at)) is not None]
    ready = len(pods) - len(problems)
    if ready:
        yield Link("Pod", f"{ready} ready", "", True)
    for problem in problems[:_MOST_PODS]:
        is_well = None if problem.kind in ("starting", "ending") else False
        yield Link("Pod", problem.pod, problem.says, is_well, problem.since)
    if len(problems) > _MOST_PODS:
        yield Link("Pod", f"{len(problems) - _MOST_PODS} more", "not ready", None)


def _absent(snapshot: Snapshot, resource: Resource, name: str, under: tuple[Link, ...] = ()) -> Link:
    if snapshot.sees(resource):
        return Link(resource.kind, name, "does not exist", False, None, under)
    return _hidden(resource.kind, name, under)


def _hidden(kind: str, name: str, under: tuple[Link, ...] = ()) -> Link:
    return Link(kind, name, "not seen", None, None, under)


def _is_in_use(one: Wire) -> bool:
    return bool(_number(one, "spec", "replicas") or _number(one, "status", "replicas"))


def _owner(pod: Mapping[str, Any]) -> str:
    references = (pod.get("metadata") or {}).get("ownerReferences") or ()
    return next((str(one.get("name")) for one in references if one.get("kind") == REPLICA_SETS.kind), "")


def _number(one: Mapping[str, Any], part: str, member: str) -> int | None:
    members = one.get(part)
    value = members.get(member) if isinstance(members, Mapping) else None
    return value if type(value) is int else None


def _count(number: int | None) -> str:
    return "?" if number is None else str(number)


def _is_true(condition: Condition | None) -> bool | None:
    return None if condition is None or condition.status not in (TRUE, "False") else condition.status == TRUE


def _time(condition: Condition | None) -> datetime | None:
    return condition.last_transition_time if condition is not None else None

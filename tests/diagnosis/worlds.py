"""Worlds: what a cluster shows of the rollout hello in its first stage, to be changed by the rows of a test."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.objects import entry
from webhook.api.kinds import CONFIGURATION_LABEL, LEASE_NAME, LEASE_NAMESPACE, REVISION_LABEL, SERVICE_LABEL
from webhook.api.wire import format_time
from webhook.cluster.resource import (
    DEPLOYMENTS,
    EVENTS,
    KNATIVE_SERVICES,
    LEASES,
    POD_AUTOSCALERS,
    PODS,
    REPLICA_SETS,
    RESOURCE_QUOTAS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    STAGE_POD_AUTOSCALERS,
    Resource,
)
from webhook.diagnosis.causes import causes_of
from webhook.diagnosis.snapshot import Snapshot, snapshot_of
from webhook.diagnosis.world import Unread, World, world_of

Wire = dict[str, Any]

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
OLD, NEW = "hello-00001", "hello-00002"
START = [entry(OLD, 100, minScale=4, maxScale=10)]
TARGET = [entry(NEW, 100, latestRevision=True, minScale=4, maxScale=10)]
STAGE = [
    entry(OLD, 75, "down", minScale=4, maxScale=10, targetReplicas=3),
    entry(NEW, 25, "up", latestRevision=True, minScale=4, maxScale=10, targetReplicas=1),
]
BEGUN = {"StageReady": "Unknown", "LastStageReady": "Unknown", "Ready": "Unknown", "StageScaleUpReady": "Unknown"}


def ago(seconds: float) -> str:
    """A time so many seconds before the snapshot."""
    return format_time(NOW - timedelta(seconds=seconds))


def ro(conditions: dict[str, Any] | None = None, **changes: Any) -> Wire:
    """The RO in its first stage; ``conditions`` are a status each, or members of a condition."""
    metadata = {"name": "hello", "namespace": "default", "uid": "uid-hello", "generation": 3}
    spec = {
        "initialRevisions": START,
        "targetRevisions": TARGET,
        "stageTargetRevisions": STAGE,
        "rolloutStrategy": "availability",
        "targetFinishTime": format_time(NOW + timedelta(seconds=80)),
    }
    status = {
        "observedGeneration": 3,
        "conditions": [condition(type_, one) for type_, one in {**BEGUN, **(conditions or {})}.items()],
    }
    one: Wire = {"metadata": metadata, "spec": spec, "status": status}
    for path, value in changes.items():
        part, _, key = path.partition("__")
        one[part][key] = value
    return one


def condition(type_: str, of: Any) -> Wire:
    members = {"status": of} if isinstance(of, str) else dict(of)
    return {"type": type_, "lastTransitionTime": ago(40), **members}


def spa(name: str, minimum: int | None, maximum: int | None, *, desired: int, actual: int, ending: int = 0) -> Wire:
    bounds = {"stageMinScale": minimum, "stageMaxScale": maximum}
    return {
        "metadata": named(name),
        "spec": {key: value for key, value in bounds.items() if value is not None},
        "status": {"desiredScale": desired, "actualScale": actual, "replicasTerminating": ending},
    }


def pod_autoscaler(name: str, desired: int | None, actual: int | None, **conditions: Any) -> Wire:
    scales = {"desiredScale": desired, "actualScale": actual}
    status: Wire = {key: value for key, value in scales.items() if value is not None}
    status["conditions"] = [condition(type_, one) for type_, one in conditions.items()]
    return {"metadata": named(name), "status": status}


def revision(name: str, ready: Any = "True", service: str = "hello") -> Wire:
    labels = {SERVICE_LABEL: service, CONFIGURATION_LABEL: service}
    return {"metadata": {**named(name), "labels": labels}, "status": {"conditions": [condition("Ready", ready)]}}


def deployment(name: str, wanted: int, available: int, *conditions: Wire) -> Wire:
    return {
        "metadata": {**named(name), "name": f"{name}-deployment"},
        "spec": {"replicas": wanted},
        "status": {"replicas": wanted, "availableReplicas": available, "conditions": list(conditions)},
    }


def replica_set(name: str, wanted: int, made: int, *conditions: Wire) -> Wire:
    return {
        "metadata": {**named(name), "name": f"{name}-deployment-abc"},
        "spec": {"replicas": wanted},
        "status": {"replicas": made, "conditions": list(conditions)},
    }


def pod(name: str, number: int = 0, *, status: Wire | None = None, **metadata: Any) -> Wire:
    """A pod of a revision; ready where no status says otherwise."""
    ready = {"phase": "Running", "conditions": [condition("PodScheduled", "True"), condition("Ready", "True")]}
    made = {**named(name), "name": f"{name}-pod-{number}", "creationTimestamp": ago(50), **metadata}
    return {"metadata": made, "status": ready if status is None else status}


def route(
    traffic: dict[str, int], *, ready: Any = "True", generation: int = 1, hold: str = "", **conditions: Any
) -> Wire:
    annotations = {"stagegate.dev/hold": hold} if hold else {}
    entries = [{"revisionName": name, "percent": percent} for name, percent in traffic.items()]
    listed = [condition(type_, one) for type_, one in {"Ready": ready, **conditions}.items()]
    return {
        "metadata": {"name": "hello", "namespace": "default", "generation": generation, "annotations": annotations},
        "spec": {"traffic": entries},
        "status": {"observedGeneration": 1, "traffic": entries, "conditions": listed},
    }


def service(ready: Any = "Unknown", **annotations: str) -> Wire:
    metadata = {"name": "hello", "namespace": "default", "uid": "uid-service", "annotations": annotations}
    return {"metadata": metadata, "status": {"conditions": [condition("Ready", ready)]}}


def lease(holder: str = "loop-a", renewed: float = 1.0, seconds: int = 15, *, namespace: str = LEASE_NAMESPACE) -> Wire:
    """The Lease of a loop, renewed so many seconds ago."""
    time = (NOW - timedelta(seconds=renewed)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": holder, "renewTime": time, "leaseDurationSeconds": seconds}
    return {"metadata": {"name": LEASE_NAME, "namespace": namespace}, "spec": spec}


def event(kind: str, name: str, reason: str, message: str, seconds: float = 5.0, type_: str = "Warning") -> Wire:
    """An Event that happened last so many seconds ago."""
    return {
        "metadata": {"name": f"{name}.{reason}.{seconds}", "namespace": "default"},
        "involvedObject": {"kind": kind, "name": name, "namespace": "default"},
        "type": type_,
        "reason": reason,
        "message": message,
        "lastTimestamp": ago(seconds),
    }


def named(name: str) -> Wire:
    labels = {SERVICE_LABEL: "hello", REVISION_LABEL: name}
    return {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": labels}


def base() -> dict[Resource, list[Wire]]:
    """The new revision starts its first replica; everything else is as it should be."""
    return {
        ROLLOUT_ORCHESTRATORS: [ro()],
        STAGE_POD_AUTOSCALERS: [spa(OLD, 4, 10, desired=4, actual=4), spa(NEW, 1, 1, desired=1, actual=0)],
        POD_AUTOSCALERS: [pod_autoscaler(OLD, 4, 4), pod_autoscaler(NEW, 1, 0)],
        REVISIONS: [revision(OLD), revision(NEW, "Unknown")],
        KNATIVE_SERVICES: [],
        ROUTES: [],
        DEPLOYMENTS: [deployment(OLD, 4, 4), deployment(NEW, 1, 0)],
        REPLICA_SETS: [replica_set(OLD, 4, 4), replica_set(NEW, 1, 1)],
        PODS: [*(pod(OLD, number) for number in range(4)), pod(NEW, status=STARTING)],
        RESOURCE_QUOTAS: [],
        LEASES: [lease()],
        EVENTS: [],
    }


STARTING: Wire = {
    "phase": "Pending",
    "conditions": [condition("PodScheduled", "True"), {**condition("Ready", "False"), "lastTransitionTime": ago(8)}],
    "containerStatuses": [
        {"name": "user-container", "ready": False, "state": {"waiting": {"reason": "ContainerCreating"}}}
    ],
}


def world(changes: dict[Resource, list[Wire]] | None = None, unread: Iterable[Unread] = ()) -> World:
    """The base world with the objects of these resources in place of its own."""
    objects = {**base(), **(changes or {})}
    return world_of(((resource, one) for resource, listed in objects.items() for one in listed), NOW, unread)


def snapshot(changes: dict[Resource, list[Wire]] | None = None, unread: Iterable[Unread] = ()) -> Snapshot:
    """The snapshot of hello in that world."""
    found = snapshot_of(world(changes, unread), "default", "hello")
    assert found is not None
    return found


def causes(changes: dict[Resource, list[Wire]] | None = None, unread: Iterable[Unread] = ()) -> list[str]:
    """The causes in that world, one line each: ``id effect: what it says``."""
    return [f"{one.id} {one.effect}: {one.says}" for one in causes_of(snapshot(changes, unread))]

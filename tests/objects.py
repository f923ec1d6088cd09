"""Short ways to write an entry, an RO and an SPA in a test, in Kubernetes' JSON."""

from typing import Any

from webhook.api import RolloutOrchestrator, StagePodAutoscaler, TargetRevision
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL

Json = Any
SERVICE, NAMESPACE = "hello", "default"
ROLLING = "Still in the progress of rolling the new revision."
STARTING = "Rolling out a new stage."


def entry(name: str, percent: int | None = None, direction: str = "", **members: Json) -> dict[str, Json]:
    """A target revision on the wire; members as ``targetReplicas=3``."""
    data = {"revisionName": name, "percent": percent, "direction": direction or None, **members}
    return {key: value for key, value in data.items() if value is not None}


def revision(name: str, percent: int | None = None, direction: str = "", **members: Json) -> TargetRevision:
    return TargetRevision.from_dict(entry(name, percent, direction, **members))


def rollout(
    stage: list[Json],
    *,
    initial: list[Json] | None = None,
    target: list[Json] | None = None,
    strategy: str = "availability",
    conditions: dict[str, str] | None = None,
    recorded: list[Json] | None = None,
    generation: int = 1,
    observed: int = 1,
    **metadata: Json,
) -> RolloutOrchestrator:
    """An RO that has begun a stage; ``conditions`` by type, with a status each."""
    return RolloutOrchestrator.from_dict(
        {
            "metadata": {
                "name": SERVICE,
                "namespace": NAMESPACE,
                "uid": "uid-hello",
                "generation": generation,
                "resourceVersion": "7",
                **metadata,
            },
            "spec": {
                "initialRevisions": initial or [],
                "targetRevisions": target or [],
                "stageTargetRevisions": stage,
                "rolloutStrategy": strategy,
            },
            "status": {
                "conditions": [
                    {"type": type_, "status": status, "lastTransitionTime": "2024-05-01T10:00:00Z"}
                    for type_, status in (conditions or {}).items()
                ],
                "stageRevisionStatus": recorded or [],
                "observedGeneration": observed,
            },
        }
    )


def spa(
    name: str,
    minimum: int | None = None,
    maximum: int | None = None,
    *,
    desired: int | None = None,
    actual: int | None = None,
    terminating: int | None = 0,
    reported: bool = True,
    service: str = SERVICE,
    version: str = "",
) -> dict[str, Json]:
    """An SPA on the wire; ``reported`` is its condition PodAutoscalerStageReady."""
    status = {"desiredScale": desired, "actualScale": actual, "replicasTerminating": terminating}
    return {
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": {REVISION_LABEL: name, SERVICE_LABEL: service},
            **({"resourceVersion": version} if version else {}),
        },
        "spec": _present({"stageMinScale": minimum, "stageMaxScale": maximum}),
        "status": {
            **_present(status),
            "conditions": [{"type": "PodAutoscalerStageReady", "status": "True" if reported else "Unknown"}],
        },
    }


def running(name: str, replicas: int, minimum: int | None = None, maximum: int | None = None) -> dict[str, Json]:
    """An SPA whose revision runs and wants that many replicas, with none terminating."""
    return spa(name, minimum, maximum, desired=replicas, actual=replicas)


def spa_view(*args: Json, **kwargs: Json) -> StagePodAutoscaler:
    return StagePodAutoscaler.from_dict(spa(*args, **kwargs))


def _present(members: dict[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in members.items() if value is not None}

"""Short forms for the inputs of planning: entries, ROs, and the call."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from webhook.api import Condition, ConditionSet, ObjectMeta, RolloutOrchestrator, RolloutSpec, RolloutStatus
from webhook.api import TargetRevision as Revision
from webhook.planning import RolloutConfig, StagePlan, plan_stages

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)

REACHED = {"StageReady": "True", "LastStageReady": "Unknown"}
IN_PROGRESS = {"StageReady": "Unknown", "LastStageReady": "Unknown"}
COMPLETE = {"StageReady": "True", "LastStageReady": "True"}
FAILED = {"StageReady": "False", "LastStageReady": "False"}


def up(name: str, percent: int | None, target: int | None = None, **members: Any) -> Revision:
    return Revision(name, percent=percent, target_replicas=target, direction="up", **members)


def down(name: str, percent: int | None, target: int | None = None, **members: Any) -> Revision:
    return Revision(name, percent=percent, target_replicas=target, direction="down", **members)


def stay(name: str, percent: int | None, target: int | None = None, **members: Any) -> Revision:
    return Revision(name, percent=percent, target_replicas=target, direction="stay", **members)


def plain(name: str, percent: int | None = 100, **members: Any) -> Revision:
    return Revision(name, percent=percent, **members)


def rollout(
    *,
    start: Sequence[Revision] = (),
    target: Sequence[Revision] = (),
    stage: Sequence[Revision] = (),
    recorded: Sequence[Revision] = (),
    conditions: Mapping[str, str] | None = None,
    strategy: str = "",
    annotations: Mapping[str, str] | None = None,
    generation: int = 1,
    observed: int = 1,
    finish_time: str | None = None,
) -> RolloutOrchestrator:
    metadata: dict[str, Any] = {"name": "hello", "namespace": "default", "generation": generation}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return RolloutOrchestrator(
        metadata=ObjectMeta(metadata),
        spec=RolloutSpec(
            initial_revisions=list(start),
            target_revisions=list(target),
            stage_target_revisions=list(stage),
            rollout_strategy=strategy,
            target_finish_time=finish_time,
        ),
        status=RolloutStatus(
            conditions=ConditionSet([Condition(kind, status) for kind, status in (conditions or {}).items()]),
            stage_revision_status=list(recorded),
            observed_generation=observed,
        ),
    )


def ask(
    ro: RolloutOrchestrator,
    scales: Mapping[str, int | None],
    *,
    ratio: int = 10,
    enabled: bool = True,
    timeout: int = 2,
    strategy: str = "availability",
) -> StagePlan:
    """Plan the next stage; ``scales`` are the PodAutoscalers, all with an SPA."""
    config = RolloutConfig(ratio, enabled, timeout, "0", strategy)
    return plan_stages(ro, config, scales, set(scales), NOON)

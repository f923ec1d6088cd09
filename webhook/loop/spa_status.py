"""SPA status: what it says about the PodAutoscaler and the pods of its revision."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from webhook.api import ConditionSet, StagePodAutoscaler, wire
from webhook.api.conditions import POD_AUTOSCALER_STAGE_READY, conditions_from

NOT_READY: Final = "PodAutoscalerStageNotReady"


def spa_status(
    spa: StagePodAutoscaler, pod_autoscaler: Mapping[str, Any] | None, terminating: int, now: datetime
) -> wire.Wire:
    """The status of an SPA on the wire, as upstream's reconciler of StagePodAutoscalers sets it.

    ``pod_autoscaler`` is the one of the same name, None when there is none; ``terminating`` counts the revision's pods.
    Scales are taken over only when both are there, else the last ones stay. ``observedGeneration`` is kept up to date
    where upstream has left one, and not added where there is none, since it would cost a write for each new bound.
    """
    status = spa.status_dict()
    before = ConditionSet(conditions_from(status, "status"), happy="Ready", dependents=(POD_AUTOSCALER_STAGE_READY,))
    conditions = before.copy()
    conditions.initialize(now)
    if "observedGeneration" in status:
        status["observedGeneration"] = spa.metadata.generation
    if pod_autoscaler is None:
        problem = f"The PodAutoscaler {spa.namespace}/{spa.name} was not found."
        _mark_not_ready(conditions, problem, now)
    else:
        status["replicasTerminating"] = terminating
        scales = wire.mapping(pod_autoscaler, "status", "")
        desired = wire.integer(scales, "desiredScale", "status", 32)
        actual = wire.integer(scales, "actualScale", "status", 32)
        if desired is not None and actual is not None:
            status |= {"desiredScale": desired, "actualScale": actual}
            conditions.mark_true(POD_AUTOSCALER_STAGE_READY, now)
        else:
            problem = f"The ActualScale or DesiredScale for the PodAutoscaler {spa.namespace}/{spa.name} was not ready."
            _mark_not_ready(conditions, problem, now)
    conditions.keep_times_of(before)
    status["conditions"] = [condition.to_dict() for condition in conditions]
    return status


def _mark_not_ready(conditions: ConditionSet, problem: str, now: datetime) -> None:
    # Upstream adds a full stop to a sentence that ends with one.
    conditions.mark_unknown(
        POD_AUTOSCALER_STAGE_READY, NOT_READY, f"The stage pod autoscaler is not ready: {problem}.", now
    )

"""The objects: typed views of the wire form. This package imports no other one."""

from webhook.api.conditions import Condition, ConditionSet
from webhook.api.errors import InvalidRollout, MalformedObject, MissingObservation
from webhook.api.object_meta import ObjectMeta
from webhook.api.rollout_orchestrator import RolloutOrchestrator, RolloutSpec, RolloutStatus
from webhook.api.stage_pod_autoscaler import StagePodAutoscaler
from webhook.api.target_revision import TargetRevision

__all__ = [
    "Condition",
    "ConditionSet",
    "InvalidRollout",
    "MalformedObject",
    "MissingObservation",
    "ObjectMeta",
    "RolloutOrchestrator",
    "RolloutSpec",
    "RolloutStatus",
    "StagePodAutoscaler",
    "TargetRevision",
]

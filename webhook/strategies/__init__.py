"""How a stage is executed and verified: upstream's public package, in Python's spelling."""

from webhook.strategies.protocols import (
    EventSink,
    ObservedRevision,
    PodClient,
    RevisionConditionLister,
    RevisionConditions,
    RevisionLister,
    SPAClient,
    SPALister,
    TerminatingPod,
    TrafficClient,
)
from webhook.strategies.readiness import is_stage_scale_down_ready, is_stage_scale_up_ready
from webhook.strategies.rollout import BaseScaleStep, Rollout, RolloutStep
from webhook.strategies.scale_down import ScaleDownStep
from webhook.strategies.scale_up import ScaleUpStep
from webhook.strategies.stage_bounds import (
    create_base_stage_pod_autoscaler,
    update_spa_for_rev_down,
    update_spa_for_rev_up,
)
from webhook.strategies.table import (
    AVAILABILITY_STRATEGY,
    DEFAULT_STRATEGY,
    RESOURCE_UTIL_STRATEGY,
    STRATEGIES,
    Strategy,
    new_rollout_strategy,
    normalise_strategy,
    strategy_named,
)
from webhook.strategies.traffic_step import TrafficStep

__all__ = [
    "AVAILABILITY_STRATEGY",
    "DEFAULT_STRATEGY",
    "RESOURCE_UTIL_STRATEGY",
    "STRATEGIES",
    "BaseScaleStep",
    "EventSink",
    "ObservedRevision",
    "PodClient",
    "RevisionConditionLister",
    "RevisionConditions",
    "RevisionLister",
    "Rollout",
    "RolloutStep",
    "SPAClient",
    "SPALister",
    "ScaleDownStep",
    "ScaleUpStep",
    "Strategy",
    "TerminatingPod",
    "TrafficClient",
    "TrafficStep",
    "create_base_stage_pod_autoscaler",
    "is_stage_scale_down_ready",
    "is_stage_scale_up_ready",
    "new_rollout_strategy",
    "normalise_strategy",
    "strategy_named",
    "update_spa_for_rev_down",
    "update_spa_for_rev_up",
]

"""Which stage comes next. Pure arithmetic: no cluster, no clock; everything it needs is passed in."""

from webhook.planning.config import (
    STRATEGY_ANNOTATION,
    RolloutConfig,
    rollout_config,
    strategy_in_force,
)
from webhook.planning.effective_bounds import Bounds, breaks_stage, scale_bounds
from webhook.planning.errors import PlanningError, UnreadableSettings
from webhook.planning.next_stage import plan_stages
from webhook.planning.plan import Note, StagePlan
from webhook.planning.retarget import restart, targets_differ, update_initial_final_targets
from webhook.planning.shift import TrafficShift, shift_traffic_next_stage
from webhook.planning.targets import (
    RevisionRecord,
    final_target_revisions,
    initial_target_revisions,
    newest_revision_name,
    revision_records,
)
from webhook.planning.traffic import RouteTraffic, route_traffic

__all__ = [
    "STRATEGY_ANNOTATION",
    "Bounds",
    "Note",
    "PlanningError",
    "RevisionRecord",
    "RolloutConfig",
    "RouteTraffic",
    "StagePlan",
    "TrafficShift",
    "UnreadableSettings",
    "breaks_stage",
    "final_target_revisions",
    "initial_target_revisions",
    "newest_revision_name",
    "plan_stages",
    "restart",
    "revision_records",
    "rollout_config",
    "route_traffic",
    "scale_bounds",
    "shift_traffic_next_stage",
    "strategy_in_force",
    "targets_differ",
    "update_initial_final_targets",
]

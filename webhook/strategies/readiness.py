"""Whether a revision has the replicas that its stage wants, by the scales in its SPA."""

from webhook.api import StagePodAutoscaler, TargetRevision


def is_stage_scale_up_ready(spa: StagePodAutoscaler, revision: TargetRevision) -> bool:
    """True if a revision that goes up has the replicas it needs; False while a scale is absent.

    Mirrors ``IsStageScaleUpReady``: without a target the actual scale has to lie within the bounds of the entry, with
    one both scales have to reach the target, or the minimum where that is lower. A maximum of 0 is no limit.
    """
    desired, actual = spa.desired_scale, spa.actual_scale
    if desired is None or actual is None:
        return False
    minimum, target = revision.min_scale or 0, revision.target_replicas
    if target is None:
        return minimum <= actual and (not revision.max_scale or actual <= revision.max_scale)
    return min(desired, actual) >= min(minimum, target)


def is_stage_scale_down_ready(spa: StagePodAutoscaler, revision: TargetRevision) -> bool:
    """True if a revision that goes down has shrunk far enough; False while a scale is absent.

    Mirrors ``IsStageScaleDownReady``: both scales are at or below the target, or the maximum where there is no target.
    A maximum of 0 is no limit.
    """
    desired, actual = spa.desired_scale, spa.actual_scale
    if desired is None or actual is None:
        return False
    limit = revision.target_replicas
    if limit is None:
        limit = revision.max_scale or None
    return limit is None or max(desired, actual) <= limit

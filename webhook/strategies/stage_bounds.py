"""The stage bounds of a revision: at first, while it goes up, and while it goes down."""

from typing import Final

from webhook.api import InvalidRollout, ObjectMeta, RolloutOrchestrator, StagePodAutoscaler, TargetRevision
from webhook.api.kinds import MAX_INT32, REVISION_LABEL, SERVICE_LABEL, is_label_value
from webhook.api.owner_reference import rollout_owner_reference

_WHOLE: Final = 100
_ONE: Final = 1
"""The maximum of a revision that is scaled to zero; 0 would mean no limit."""


def create_base_stage_pod_autoscaler(ro: RolloutOrchestrator, revision: TargetRevision) -> StagePodAutoscaler:
    """The SPA a revision starts with: labels, owner reference and the bounds of the entry, absent ones absent.

    Mirrors ``CreateBaseStagePodAutoscaler``. Labels of the RO are not inherited; an empty revision name
    leaves the name out. A name that is too long for a label is left out of the labels.
    """
    name = {"name": revision.revision_name} if revision.revision_name else {}
    labels = {REVISION_LABEL: revision.revision_name, SERVICE_LABEL: ro.name}
    return StagePodAutoscaler(
        metadata=ObjectMeta(
            {
                **name,
                "namespace": ro.namespace,
                "labels": {key: value for key, value in labels.items() if is_label_value(value)},
                "ownerReferences": [rollout_owner_reference(ro.name, ro.metadata.uid)],
            }
        ),
        stage_min_scale=revision.min_scale,
        stage_max_scale=revision.max_scale,
    )


def update_spa_for_rev_up(
    spa: StagePodAutoscaler,
    revision: TargetRevision,
    scale_up_ready: bool,
) -> StagePodAutoscaler:
    """The SPA with the bounds of a revision that goes up; ``scale_up_ready`` has no influence.

    Mirrors ``UpdateSPAForRevUp``. Raises InvalidRollout when the target is below the minimum and the percent is absent,
    where upstream dereferences a null.
    """
    minimum, target = revision.min_scale, revision.target_replicas
    if target is not None and target < (minimum or 0):
        if revision.percent is None:
            raise InvalidRollout("percent", "is required where targetReplicas is below minScale")
        if revision.percent < _WHOLE:
            minimum = target
    return spa.with_bounds(minimum, revision.max_scale)


def not_below(spa: StagePodAutoscaler, minimum: int | None, maximum: int | None) -> StagePodAutoscaler:
    """The SPA with each bound raised to the one given here where it is lower.

    An absent bound is the revision's own, which no bound exceeds; a maximum of 0 is no limit.
    """
    lowest, highest = spa.stage_min_scale, spa.stage_max_scale
    if lowest is not None:
        lowest = max(lowest, minimum) if minimum is not None else None
    if highest:
        highest = max(highest, maximum) if maximum else maximum
    return spa.with_bounds(lowest, highest)


def update_spa_for_rev_down(
    spa: StagePodAutoscaler, revision: TargetRevision, scale_up_ready: bool
) -> StagePodAutoscaler:
    """The SPA with the bounds of a revision that goes down, once what goes up is ready.

    Mirrors ``UpdateSPAForRevDown``, but a maximum of 0 is no limit to compare the target with.
    """
    if not scale_up_ready or not revision.revision_name.strip():
        return spa
    target = revision.target_replicas
    if revision.percent is None:
        return spa.with_bounds(0, _ONE)
    if target is None or target >= (revision.max_scale or MAX_INT32):
        return spa.with_bounds(revision.min_scale, revision.max_scale)
    if target == 0:
        return spa.with_bounds(0, _ONE)
    minimum = revision.min_scale
    if minimum is not None and target < minimum:
        minimum = target
    return spa.with_bounds(minimum, target)

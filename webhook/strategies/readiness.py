"""Whether a revision has the replicas that its stage wants, and has shown that it can run.

A revision that goes up gets no traffic without evidence that it can.
"""

from typing import Final

from webhook.api import StagePodAutoscaler, TargetRevision
from webhook.api.conditions import FALSE, TRUE, Condition
from webhook.strategies.protocols import RevisionConditions

_LONGEST: Final = 300
"""Characters of a quoted condition; an Event holds 1,024 in all."""


def is_stage_scale_up_ready(spa: StagePodAutoscaler, revision: TargetRevision) -> bool:
    """True if a revision that goes up has the replicas it needs; False while a scale is absent.

    Mirrors ``IsStageScaleUpReady``: without a target the actual scale has to lie within the bounds of the entry, with
    one both scales have to reach the target, or the minimum where that is lower. A maximum of 0 is no limit.
    """
    desired, actual = spa.desired_scale, spa.actual_scale
    if desired is None or actual is None:
        return False
    needed = replicas_needed(revision)
    if revision.target_replicas is None:
        return needed <= actual and (not revision.max_scale or actual <= revision.max_scale)
    return min(desired, actual) >= needed


def replicas_needed(revision: TargetRevision) -> int:
    """The least replicas that an entry that goes up has to run: its minimum, or its target where that is lower."""
    minimum, target = revision.min_scale or 0, revision.target_replicas
    return minimum if target is None else min(minimum, target)


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


class NoConditions:
    """A condition lister without conditions."""

    def conditions(self, namespace: str, revision: str) -> RevisionConditions:
        return RevisionConditions()


def can_run(spa: StagePodAutoscaler | None, revision: TargetRevision, seen: RevisionConditions) -> bool:
    """True if an entry that goes up has shown that it can run, or gets no traffic; False while a scale is absent.

    A revision that runs a replica can run. One that wants replicas and runs none has not shown it, whatever its
    conditions are. At desired 0 and actual 0 it has if its PodAutoscaler's ScaleTargetInitialized or its Revision's
    Ready is True, or if neither condition exists. Upstream has no such check.
    """
    if not gets_traffic(revision):
        return True
    if spa is None or spa.desired_scale is None or spa.actual_scale is None:
        return False
    if spa.actual_scale > 0:
        return True
    return spa.desired_scale <= 0 and _has_run(seen)


def gets_traffic(revision: TargetRevision) -> bool:
    """True if the stage gives this entry traffic."""
    return revision.percent is not None and revision.percent > 0


def missing_evidence(spa: StagePodAutoscaler | None, revision: TargetRevision, seen: RevisionConditions) -> str | None:
    """A sentence that the entry has not shown that it can run (see ``can_run``), with Knative's reasons; else None.

    It is None for a revision that has neither scales nor conditions yet. It does not change while the revision starts.
    """
    has_scales = spa is not None and spa.desired_scale is not None and spa.actual_scale is not None
    if can_run(spa, revision, seen) or (not has_scales and _has_run(seen)):
        return None
    quoted = _quoted(seen)
    return f"{revision.revision_name} runs no replica yet{f' ({quoted})' if quoted else ''}"


def _has_run(seen: RevisionConditions) -> bool:
    """True if a condition says that the revision has run, or if there is no condition."""
    known = [one for one in (seen.scale_target_initialized, seen.revision_ready) if one is not None]
    return not known or any(one.status == TRUE for one in known)


def _quoted(seen: RevisionConditions) -> str:
    """The PodAutoscaler's reason; also the Revision's if that has failed, or if the PodAutoscaler gives none."""
    autoscaler = _speaking(seen.pod_autoscaler_ready) or _speaking(seen.scale_target_initialized)
    revision = _speaking(seen.revision_ready)
    if autoscaler is not None and revision is not None and revision.status != FALSE:
        revision = None
    parts = (("PodAutoscaler", autoscaler), ("Revision", revision))
    return "; ".join(f"{kind}: {_in_short(one)}" for kind, one in parts if one is not None)


def _speaking(condition: Condition | None) -> Condition | None:
    """The condition if it is not True and gives a reason or a message."""
    if condition is None or condition.status == TRUE or not (condition.reason or condition.message):
        return None
    return condition


def _in_short(condition: Condition) -> str:
    words = ": ".join(part for part in (condition.reason, " ".join(condition.message.split())) if part).rstrip(".")
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 4]} ..."

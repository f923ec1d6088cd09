"""Evidence that a revision can run: without it, a revision that goes up gets no traffic."""

from typing import Final

from webhook.api import StagePodAutoscaler, TargetRevision
from webhook.api.conditions import FALSE, TRUE, Condition
from webhook.strategies.protocols import RevisionConditions

_LONGEST: Final = 300
"""Characters of a quoted condition; an Event holds 1,024 in all."""


class NoConditions:
    """A condition lister that sees nothing."""

    def conditions(self, namespace: str, revision: str) -> RevisionConditions:
        return RevisionConditions()


def can_run(spa: StagePodAutoscaler | None, revision: TargetRevision, seen: RevisionConditions) -> bool:
    """Whether an entry that goes up has shown that it can run, or gets no traffic; False while a scale is absent.

    It has while it runs a replica. While it wants one and runs none it has not, whatever its conditions say. At desired
    0 and actual 0 it has if its PodAutoscaler's ScaleTargetInitialized or its Revision's Ready is True, or if neither
    condition exists. Upstream does not ask.
    """
    if not gets_traffic(revision):
        return True
    if spa is None or spa.desired_scale is None or spa.actual_scale is None:
        return False
    if spa.actual_scale > 0:
        return True
    return spa.desired_scale <= 0 and _has_run(seen)


def gets_traffic(revision: TargetRevision) -> bool:
    """Whether the stage gives an entry a share of the traffic."""
    return revision.percent is not None and revision.percent > 0


def missing_evidence(spa: StagePodAutoscaler | None, revision: TargetRevision, seen: RevisionConditions) -> str | None:
    """That an entry has not shown that it can run (see ``can_run``), and the reasons that Knative gives; else None.

    None also for a revision that has neither scales nor conditions yet. The words stay the same while it starts.
    """
    has_scales = spa is not None and spa.desired_scale is not None and spa.actual_scale is not None
    if can_run(spa, revision, seen) or (not has_scales and _has_run(seen)):
        return None
    quoted = _quoted(seen)
    return f"{revision.revision_name} runs no replica yet{f' ({quoted})' if quoted else ''}"


def _has_run(seen: RevisionConditions) -> bool:
    """Whether Knative says that it once ran, or says nothing of it."""
    known = [one for one in (seen.scale_target_initialized, seen.revision_ready) if one is not None]
    return not known or any(one.status == TRUE for one in known)


def _quoted(seen: RevisionConditions) -> str:
    """What the PodAutoscaler says; what the Revision says if that is a failure, or the PodAutoscaler is silent."""
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

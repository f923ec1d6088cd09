"""Terminating pods of a revision that goes down: which to delete, and when to check again."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from webhook.api import StagePodAutoscaler, TargetRevision
from webhook.strategies.protocols import TerminatingPod

POD_REMOVED: Final = "TerminatingPodRemoved"
"""Reason of the Event for each deleted pod."""

_SOON: Final = 1.0


def is_held(spa: StagePodAutoscaler, revision: TargetRevision) -> bool:
    """True if a revision that goes up is held at the bounds 0/0 until those that go down have made room.

    An SPA without bounds does not hold it (upstream dereferences a null there), nor does an SPA whose revision has the
    bounds 0/0 itself.
    """
    return (spa.stage_min_scale, spa.stage_max_scale) == (0, 0) and (revision.min_scale, revision.max_scale) != (0, 0)


def plan_terminations(
    pods: Sequence[TerminatingPod], held: bool, now: datetime
) -> Iterator[tuple[TerminatingPod, float | None]]:
    """Each pod to delete now, with None, or to check again, with the seconds until then.

    A pod past its deletion time is deleted, and every pod while a revision is held (see ``is_held``). Otherwise it is
    checked again when its grace period or its deletion time is over, whichever comes first, after at least a second;
    upstream waits for the whole grace period. A pod without a grace period is left out.
    """
    for pod in pods:
        if held or pod.deletion_time <= now:
            yield pod, None
        elif pod.grace_period_seconds is not None:
            yield pod, max(_SOON, min(pod.grace_period_seconds, (pod.deletion_time - now).total_seconds()))

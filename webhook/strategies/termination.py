"""Pods that terminate while a revision goes down: which to remove, and when to look again."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from webhook.api import StagePodAutoscaler, TargetRevision
from webhook.strategies.protocols import TerminatingPod

POD_REMOVED: Final = "TerminatingPodRemoved"
"""Reason of the Event for each pod that is removed."""

_SOON: Final = 1.0


def is_held(spa: StagePodAutoscaler, revision: TargetRevision) -> bool:
    """Whether a revision that goes up waits, at bounds 0/0, for those that go down to make room.

    An SPA without bounds holds nothing, where upstream dereferences a null; neither does one whose revision has the
    bounds 0/0 of its own.
    """
    return (spa.stage_min_scale, spa.stage_max_scale) == (0, 0) and (revision.min_scale, revision.max_scale) != (0, 0)


def plan_terminations(
    pods: Sequence[TerminatingPod], held: bool, now: datetime
) -> Iterator[tuple[TerminatingPod, float | None]]:
    """For each pod None, to remove it now, or the seconds after which to look again; no entry when neither.

    A pod past its deletion time is removed, and any pod while a revision is held (see ``is_held``). Otherwise look
    again when its grace period or its deletion time is over, whichever comes first, and not within a second; upstream
    waits for the whole grace period. A pod without a grace period asks for nothing.
    """
    for pod in pods:
        if held or pod.deletion_time <= now:
            yield pod, None
        elif pod.grace_period_seconds is not None:
            yield pod, max(_SOON, min(pod.grace_period_seconds, (pod.deletion_time - now).total_seconds()))

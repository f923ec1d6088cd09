"""The next stage of a rollout, from the one it has reached."""

from collections.abc import Container, Mapping
from datetime import datetime

from webhook.api import RolloutOrchestrator
from webhook.planning.config import RolloutConfig
from webhook.planning.plan import StagePlan


def plan_stages(
    ro: RolloutOrchestrator,
    config: RolloutConfig,
    pod_autoscalers: Mapping[str, int | None],
    spas: Container[str],
    now: datetime,
) -> StagePlan:
    """Decide the next stage; to be called on every pass, since it is this function that sees whether one is due.

    ``pod_autoscalers`` holds the actual scale by revision name: None where the object has none yet, no entry where the
    object does not exist. ``spas`` holds the names of the SPAs that exist. ``now`` has a zone; the time by which the
    stage should be done is ``now`` plus the time-out, in RFC 3339.

    A stage is due when there is none, or when StageReady is True and LastStageReady is not. Nothing is due while
    StageReady is False and the generation is the observed one. Never raises: see StagePlan.error.
    Mirrors ``updateRolloutOrchestrator``.
    """
    raise NotImplementedError

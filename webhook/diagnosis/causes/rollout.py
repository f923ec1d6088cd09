"""Causes in the rollout itself: its spec, its revisions and its conditions."""

from collections.abc import Iterator

from webhook.api.conditions import STAGE_READY
from webhook.api.reasons import OWNERSHIP_CONFLICT
from webhook.diagnosis.cause import STOPS, Cause
from webhook.diagnosis.snapshot import Snapshot


def failed(snapshot: Snapshot) -> Iterator[Cause]:
    """StageReady is False at the observed generation."""
    ro = snapshot.ro
    condition = ro.status.conditions.get(STAGE_READY)
    if ro.has_failed and condition is not None:
        yield Cause(
            "failed",
            STOPS,
            condition.message or "the rollout is marked failed",
            f"RolloutOrchestrator {ro.name}",
            condition.last_transition_time,
            "correct the spec that the message names; any change of the spec starts the rollout anew",
            "nothing: a failed rollout stays as it is until its spec changes",
        )


def revision_shared(snapshot: Snapshot) -> Iterator[Cause]:
    """Another rollout moves a revision of this one."""
    condition = snapshot.ro.status.conditions.get(STAGE_READY)
    if condition is not None and condition.reason == OWNERSHIP_CONFLICT:
        yield Cause(
            "revision-shared",
            STOPS,
            condition.message,
            f"RolloutOrchestrator {snapshot.name}",
            condition.last_transition_time,
            "let only one of the rollouts name the revision, or set the label serving.knative.dev/service of its"
            f" StagePodAutoscaler to {snapshot.name}",
            "the rollout goes on as soon as the revision is its own",
        )


def revision_missing(snapshot: Snapshot) -> Iterator[Cause]:
    """A Revision that the stage moves does not exist, so its replicas can never come."""
    names = snapshot.stage.moved or [entry.revision_name for entry in snapshot.ro.spec.target_revisions]
    for name in dict.fromkeys(names):
        absence = snapshot.of(name).absence
        if absence is not None:
            yield Cause(
                "revision-missing",
                STOPS,
                f"{absence}, so the stage cannot be done",
                f"Revision {name}",
                None,
                "restore the Revision, or set spec.targetRevisions to one that exists",
                "the rollout goes on once the Revision exists",
            )

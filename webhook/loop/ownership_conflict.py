"""Ownership conflict: a revision that two rollouts name, and that only the one it belongs to may move."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from webhook.api import RolloutOrchestrator
from webhook.api.conditions import READY, STAGE_READY
from webhook.api.target_revision import one_per_revision
from webhook.loop.stage_status import observe_generation
from webhook.planning.next_stage import has_failed

OWNERSHIP_CONFLICT: Final = "RevisionShared"
"""Reason of the condition and of the Event."""


def revisions_moved_by(ro: RolloutOrchestrator) -> list[str]:
    """The revisions whose bounds the rollout sets: those that its stage moves, or all if it has no stage."""
    spec = ro.spec
    if spec.stage_target_revisions:
        stage = one_per_revision(spec.stage_target_revisions)
        entries = [entry for entry in stage if entry.goes_up or entry.goes_down]
    else:
        entries = [*spec.initial_revisions, *spec.target_revisions]
    return sorted({entry.revision_name for entry in entries})


def owners_in_conflict(
    ro: RolloutOrchestrator, owners: Mapping[str, str | None], listing: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, str]:
    """The revisions that the rollout moves although they belong to another, each with the name of that one.

    By revision name, ``owners`` holds the rollout that its SPA belongs to, None for nobody, no entry without an SPA;
    ``listing`` the ROs, on the wire, that name it. Upstream knows one service of a Revision, the one that the label of
    its SPA names; two rollouts that name one Revision set its SPA back and forth there, without end. An SPA that
    belongs to nobody is nobody's to move while two name it.
    """
    if is_over(ro):
        return {}
    found: dict[str, str] = {}
    for revision in revisions_moved_by(ro):
        if revision in owners:
            owner = owners[revision] or next(iter(_others(ro, listing.get(revision, ()))), ro.name)
            if owner != ro.name:
                found[revision] = owner
    return found


def is_over(ro: RolloutOrchestrator) -> bool:
    """True if the rollout is complete or has failed for its present spec, so that it moves nothing."""
    conditions = ro.status.conditions
    is_complete = conditions.is_true(READY) and ro.status.observed_generation == ro.metadata.generation
    return is_complete or has_failed(ro)


def block(ro: RolloutOrchestrator, owners: Mapping[str, str], now: datetime) -> None:
    """State in the conditions that the rollout moves nothing, and why. ``owners`` is from ``owners_in_conflict``."""
    observe_generation(ro, now)
    ro.status.observed_generation = ro.metadata.generation
    ro.mark_last_stage_in_progress(now)
    ro.status.conditions.mark_unknown(STAGE_READY, OWNERSHIP_CONFLICT, conflict_message(owners), now)


def conflict_message(owners: Mapping[str, str]) -> str:
    """Why the rollout is blocked, and the way out."""
    revisions = ", ".join(f"{revision} belongs to RolloutOrchestrator {owner}" for revision, owner in owners.items())
    return f"The rollout moves nothing: {revisions}; let only one of them name it."


def _others(ro: RolloutOrchestrator, listing: Sequence[Mapping[str, Any]]) -> list[str]:
    alive = (one["metadata"] for one in listing if not one["metadata"].get("deletionTimestamp"))
    return sorted(str(metadata["name"]) for metadata in alive if metadata["name"] != ro.name)

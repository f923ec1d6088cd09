"""Planned targets: the record of the targets that a stage was planned for, compared with those of the spec."""

import json
from typing import Final

from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.api.target_revision import one_per_revision
from webhook.planning import targets_differ

PLANNED_TARGETS: Final = "stagegate.dev/planned-targets"
"""Key in the RO's ``status.annotations``: revision names and percents, in order, as JSON; each revision once."""


def record_of(targets: list[TargetRevision]) -> str:
    """The record of a list of targets; the same targets give the same bytes."""
    entries = [[target.revision_name, target.percent] for target in one_per_revision(targets)]
    return json.dumps(entries, separators=(",", ":"))


def recorded_targets(ro: RolloutOrchestrator) -> list[TargetRevision] | None:
    """The targets that the stage was planned for; None if there is no record that can be read."""
    try:
        entries = json.loads(ro.status.annotations[PLANNED_TARGETS])
        return [TargetRevision(revision_name=str(name), percent=percent) for name, percent in entries]
    except (KeyError, TypeError, ValueError):
        return None


def has_new_targets(ro: RolloutOrchestrator) -> bool:
    """True if the stage was planned for other targets than the spec names now, so that the rollout starts anew.

    A stage that leads to the present targets was planned for them, whatever the record says: it is stored before the
    record is. Raises InvalidRollout when a target that has to be compared has no percent.
    """
    recorded = recorded_targets(ro)
    stage = ro.spec.stage_target_revisions
    if recorded is None and not stage:
        return False
    if recorded is not None and not targets_differ(ro.spec.target_revisions, recorded):
        # A stage for other targets was stored, but not its record; and then these were stated again.
        is_one = len(one_per_revision(ro.spec.target_revisions)) == 1
        is_overtaken = is_one and ro.metadata.generation != ro.status.observed_generation
        return is_overtaken and bool(stage) and not _leads_to(stage, ro.spec.target_revisions)
    return not stage or not _leads_to(stage, ro.spec.target_revisions)


def _leads_to(stage: list[TargetRevision], targets: list[TargetRevision]) -> bool:
    if not targets_differ(targets, stage):
        return True
    return len(one_per_revision(targets)) == 1 and any(
        entry.goes_up and entry.revision_name == targets[0].revision_name for entry in one_per_revision(stage)
    )

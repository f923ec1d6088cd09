"""The recorded status of a rollout: what it has reached, and the targets that its stage was planned for."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.api.conditions import STAGE_READY
from webhook.api.target_revision import one_per_revision
from webhook.loop.stage_status import reached_by_stage
from webhook.planning import Note, targets_differ

PLANNED_TARGETS: Final = "stagegate.dev/planned-targets"
"""Key in the RO's ``status.annotations``: revision names and percents, in order, as JSON; each revision once."""
RECORD_IGNORED: Final = "RecordIgnored"
"""Reason of the Event for a recorded status that nothing is planned from."""

_PATH: Final = "status.stageRevisionStatus"


def with_sound_record(ro: RolloutOrchestrator) -> tuple[RolloutOrchestrator, tuple[Note, ...]]:
    """The RO with a record that can be planned from, and a note where its own had to be ignored.

    What nobody could state in ``spec.initialRevisions`` must not be copied there. In its place stands the stage, where
    it was reached, or no record.
    """
    problem = problem_of(ro.status.stage_revision_status)
    if problem is None:
        return ro, ()
    is_reached = ro.status.conditions.is_true(STAGE_READY) and bool(ro.spec.stage_target_revisions)
    reached = reached_by_stage(ro) if is_reached else []
    status = ro.status.copy()
    status.stage_revision_status = reached if problem_of(reached) is None else []
    note = Note(RECORD_IGNORED, f"{problem}; the recorded status is ignored: the loop writes it, nobody else should")
    return replace(ro, status=status), (note,)


def problem_of(recorded: Sequence[TargetRevision]) -> str | None:
    """The first entry of a record that no stage can have reached, with its field; None if there is none."""
    for index, entry in enumerate(recorded):
        field = f"{_PATH}[{index}]"
        if not entry.revision_name.strip():
            return f"{field}.revisionName: must not be empty"
        if entry.percent is not None and not 0 <= entry.percent <= 100:
            return f"{field}.percent: {entry.percent} is not from 0 to 100"
        counts = {"targetReplicas": entry.target_replicas, "minScale": entry.min_scale, "maxScale": entry.max_scale}
        for name, count in counts.items():
            if count is not None and count < 0:
                return f"{field}.{name}: {count} is below 0"
    return None


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

"""The recorded status of a rollout: what it has reached, if that can be planned from."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.api.conditions import STAGE_READY
from webhook.loop.stage_status import reached_by_stage
from webhook.planning import Note

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

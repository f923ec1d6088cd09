"""The number of a stage: how many stages a rollout has done for its present targets, as the loop records it."""

from typing import Final

from webhook.api import RolloutOrchestrator
from webhook.api.conditions import STAGE_READY
from webhook.planning.abort import abort_record
from webhook.planning.planned_targets import PLANNED_TARGETS, record_of

STAGES_DONE: Final = "stagegate.dev/stages-done"
"""Key in the RO's ``status.annotations``: the stages done since the targets were set."""


def stages_done(ro: RolloutOrchestrator) -> int | None:
    """The stages that are done for the present targets; None if that was not recorded.

    What was recorded for other targets does not count, so that none is done until the first stage is planned. Those of
    an aborted rollout are counted on its way back.
    """
    record = abort_record(ro)
    targets = ro.spec.target_revisions if record is None else record.end
    if ro.status.annotations.get(PLANNED_TARGETS, record_of(targets)) != record_of(targets):
        return 0
    text = ro.status.annotations.get(STAGES_DONE, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else None


def stage_number(ro: RolloutOrchestrator) -> int | None:
    """The number of the present stage, 1 for the first; between two stages that of the one done. None as above."""
    done = stages_done(ro)
    if done is None:
        return None
    return done if ro.status.conditions.is_true(STAGE_READY) and done else done + 1

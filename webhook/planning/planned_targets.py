"""The targets that a stage was planned for, as the loop records them in the status of an RO."""

import json
from collections.abc import Iterable
from typing import Final

from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.api.target_revision import one_per_revision

PLANNED_TARGETS: Final = "stagegate.dev/planned-targets"
"""Key in the RO's ``status.annotations``: revision names and percents, in order, as JSON; each revision once."""


def record_of(targets: Iterable[TargetRevision]) -> str:
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


def has_unplanned_targets(ro: RolloutOrchestrator) -> bool:
    """True while the record of a stage does not name the targets of the spec, whatever they are."""
    return ro.status.annotations.get(PLANNED_TARGETS) != record_of(ro.spec.target_revisions)

"""An abort: where an aborted rollout leads back to, as it is recorded, and the RO as it is carried out then."""

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from webhook.api import MalformedObject, RolloutOrchestrator, TargetRevision
from webhook.api.conditions import ABORTED, TRUE
from webhook.api.reasons import ABORT_COMPLETE
from webhook.api.steering import targets_text
from webhook.api.target_revision import entries_by_revision
from webhook.strategies import AVAILABILITY_STRATEGY

ABORT_RECORD: Final = "stagegate.dev/aborted"
"""Key in the RO's ``status.annotations``: the abort that is carried out, as JSON."""


COMPLETE: Final = "the rollout is complete; to go back, roll out the former revision"


@dataclass(frozen=True, slots=True)
class AbortRecord:
    """The targets that were aborted, by ``targets_text``; where the way back starts, and the revisions it leads to."""

    targets: str
    start: tuple[TargetRevision, ...]
    end: tuple[TargetRevision, ...]

    def to_annotation(self) -> str:
        """Compact JSON; the same record gives the same text."""
        lists = {"start": self.start, "end": self.end}
        members = {key: [entry.to_dict() for entry in entries] for key, entries in lists.items()}
        return json.dumps({"targets": self.targets, **members}, sort_keys=True, separators=(",", ":"))


def abort_record(ro: RolloutOrchestrator) -> AbortRecord | None:
    """The abort that the loop recorded; None if there is none, or none that can be read."""
    text = ro.status.annotations.get(ABORT_RECORD)
    if text is None:
        return None
    try:
        value = json.loads(text)
        start, end = (tuple(map(TargetRevision.from_dict, value[key])) for key in ("start", "end"))
        return AbortRecord(str(value["targets"]), start, end)
    except (ValueError, KeyError, TypeError, RecursionError, MalformedObject):
        return None


def initial_of(ro: RolloutOrchestrator) -> list[TargetRevision]:
    """The revisions with traffic that a rollout began with, as targets."""
    return as_start(ro.spec.initial_revisions)


def obstacle_to_abort(ro: RolloutOrchestrator) -> str | None:
    """Why a rollout that was planned for its targets cannot be aborted; None if it can."""
    end = initial_of(ro)
    if ro.is_complete:
        return COMPLETE
    if not end:
        return "spec.initialRevisions names no revision with traffic, so that there is no way back"
    if _shares(end) == _shares(ro.spec.target_revisions):
        return "the rollout ends where it began"
    return None


def as_start(entries: Sequence[TargetRevision]) -> list[TargetRevision]:
    """The entries with traffic as a start: without directions and replicas of the way there."""
    return [_as_start(entry, entry.percent) for entry in entries if entry.percent]


def entries_with(ro: RolloutOrchestrator, live: Mapping[str, int]) -> list[TargetRevision]:
    """The entries of a start with these percents by revision, and the bounds that the RO states for each."""
    spec = ro.spec
    known = entries_by_revision(
        spec.stage_target_revisions, ro.status.stage_revision_status, spec.initial_revisions, spec.target_revisions
    )
    return [_as_start(known.get(name, TargetRevision(revision_name=name)), live[name]) for name in sorted(live)]


def as_aborted(ro: RolloutOrchestrator, record: AbortRecord) -> RolloutOrchestrator:
    """The RO with the way back as its start and targets. What it names itself stays its author's."""
    spec = replace(ro.spec.copy(), initial_revisions=list(record.start), target_revisions=list(record.end))
    return replace(ro, spec=spec)


def as_carried(ro: RolloutOrchestrator) -> RolloutOrchestrator:
    """The RO as the loop carries it out: one whose abort is in force goes back."""
    record = abort_record(ro)
    return ro if record is None or not ro.status.conditions.is_true(ABORTED) else as_aborted(ro, record)


def is_back(ro: RolloutOrchestrator) -> bool:
    """True for an aborted rollout that is back where it began."""
    aborted = ro.status.conditions.get(ABORTED)
    return aborted is not None and aborted.status == TRUE and aborted.reason == ABORT_COMPLETE


def around_failed(ro: RolloutOrchestrator, failed: Container[str], live: Mapping[str, int]) -> RolloutOrchestrator:
    """The RO of a way back on which revisions that have failed lose all of their share in one stage.

    A stage that leaves them a share of a held Route cannot be reached, since they block it as a whole. Replicas go up
    first, whatever the strategy: those that have failed serve nothing, and their share needs others.
    """
    spec = replace(ro.spec.copy(), rollout_strategy=AVAILABILITY_STRATEGY)
    if any(entry.percent and entry.revision_name in failed for entry in spec.stage_target_revisions):
        spec = replace(spec, stage_target_revisions=[], target_finish_time=None)
    if not spec.stage_target_revisions:
        spec = replace(spec, initial_revisions=entries_with(ro, live))
    return replace(ro, spec=spec)


def git_must_change(name: str, end: Sequence[TargetRevision], *, is_held: bool) -> str:
    """What has to be changed where the objects come from, so that they state what runs after an abort to ``end``."""
    if is_held:
        return f"in Git change the template of Service {name}: the revision of its next edit is rolled out"
    return f"in Git set spec.targetRevisions of {name} to {targets_text(end)}, or to another revision"


def _as_start(entry: TargetRevision, percent: int | None) -> TargetRevision:
    return replace(entry, percent=percent, direction="", target_replicas=None, latest_revision=None)


def _shares(entries: Sequence[TargetRevision]) -> dict[str, Any]:
    return {entry.revision_name: entry.percent for entry in entries if entry.percent}

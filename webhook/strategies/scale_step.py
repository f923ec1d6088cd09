"""What every step of a stage has in common, and what a step is built with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from webhook.api import InvalidRollout, RolloutOrchestrator, StagePodAutoscaler, TargetRevision
from webhook.api.conditions import STAGE_READY
from webhook.api.target_revision import index_of
from webhook.strategies.protocols import (
    EventSink,
    PodClient,
    RevisionConditionLister,
    RevisionLister,
    SPAClient,
    SPALister,
    TrafficClient,
)
from webhook.strategies.stage_bounds import create_base_stage_pod_autoscaler

Clock = Callable[[], datetime]
EnqueueAfter = Callable[[RolloutOrchestrator, float], None]
"""Requests that a rollout is reconciled again after a number of seconds."""
UpdateSPA = Callable[[StagePodAutoscaler, TargetRevision, bool], StagePodAutoscaler]
Entries = Mapping[str, TargetRevision]
"""Entries of a stage by revision name."""


class RolloutStep(Protocol):
    """Scale up, scale down or move traffic, for all revisions of a stage that it concerns."""

    def execute(self, ro: RolloutOrchestrator, rev_scaling_up: Entries, rev_scaling_down: Entries) -> None:
        """Write the SPAs that differ. Raises InvalidRollout, or the client's error."""
        ...

    def verify(
        self,
        ro: RolloutOrchestrator,
        rev_scaling_up: Entries,
        rev_scaling_down: Entries,
        enqueue_after: EnqueueAfter,
    ) -> bool:
        """Whether the revisions are where the stage wants them. Raises MissingObservation, or the client's error."""
        ...

    def modify_status(self, ro: RolloutOrchestrator, ready: bool = True) -> None:
        """Record the outcome of ``verify`` in the RO's conditions."""
        ...


@dataclass(frozen=True, slots=True)
class BaseScaleStep:
    """Reads and writes the SPAs of a step."""

    client: SPAClient
    spa_lister: SPALister

    def create_or_update_spa_rev(
        self, ro: RolloutOrchestrator, target_rev: TargetRevision, scale_up_ready: bool, fn: UpdateSPA
    ) -> StagePodAutoscaler:
        """The SPA of a revision as stored, with the bounds that ``fn`` gives it; created where there is none.

        Mirrors ``CreateOrUpdateSPARev``, but an update that would change nothing is not sent. Raises InvalidRollout
        with the path of the entry, or the client's error.
        """
        present = self.spa_lister.get(ro.namespace, target_rev.revision_name)
        before = present or create_base_stage_pod_autoscaler(ro, target_rev)
        try:
            wanted = fn(before, target_rev, scale_up_ready)
        except InvalidRollout as invalid:
            raise InvalidRollout(f"{_path_of(ro, target_rev)}.{invalid.field}", invalid.problem) from None
        if present is None:
            return self.client.create(wanted)
        if wanted.bounds == present.bounds:
            return present
        return self.client.update(wanted)


@dataclass(frozen=True, slots=True)
class StepTools:
    """Everything that a step may be built with. ``force_delete`` False never deletes a terminating pod."""

    base: BaseScaleStep
    pods: PodClient
    clock: Clock
    events: EventSink
    revisions: RevisionLister
    conditions: RevisionConditionLister
    traffic: TrafficClient
    force_delete: bool = True


class StrategyRow(Protocol):
    """What a step reads of its strategy; see ``webhook.strategies.table``."""

    @property
    def goes_up_first(self) -> bool: ...
    @property
    def holds_at_zero(self) -> bool: ...
    @property
    def force_deletes_pods(self) -> bool: ...


def record_step(ro: RolloutOrchestrator, type_: str, ready: bool, now: datetime, detail: str = "") -> None:
    """The outcome of a step in the RO's conditions: its own (``type_``) True, or the stage in progress.

    ``detail`` is what the step waits for.
    """
    if ready:
        ro.status.conditions.mark_true(type_, now)
        return
    ro.mark_stage_in_progress(type_, now, detail)
    ro.mark_stage_in_progress(STAGE_READY, now, detail)
    ro.mark_last_stage_in_progress(now)


def _path_of(ro: RolloutOrchestrator, revision: TargetRevision) -> str:
    try:
        return f"spec.stageTargetRevisions[{index_of(revision.revision_name, ro.spec.stage_target_revisions)}]"
    except ValueError:
        return f"spec.stageTargetRevisions ({revision.revision_name})"

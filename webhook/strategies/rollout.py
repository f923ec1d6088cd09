"""A strategy carried out: what a step is, what it is built with, and the steps of a stage in order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol, Self

from webhook.api import InvalidRollout, RolloutOrchestrator, StagePodAutoscaler, TargetRevision
from webhook.api.conditions import STAGE_READY
from webhook.api.target_revision import index_of
from webhook.strategies.protocols import (
    EventSink,
    ObservedRevision,
    PodClient,
    RevisionConditionLister,
    RevisionLister,
    SPAClient,
    SPALister,
    TrafficClient,
)
from webhook.strategies.stage import Entries, Stage
from webhook.strategies.stage_bounds import create_base_stage_pod_autoscaler

Clock = Callable[[], datetime]
EnqueueAfter = Callable[[RolloutOrchestrator, float], None]
"""Requests that a rollout is reconciled again after a number of seconds."""
UpdateSPA = Callable[[StagePodAutoscaler, TargetRevision, bool], StagePodAutoscaler]


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


class StageStep(RolloutStep, Protocol):
    """A step of the table of strategies: also what it is built of, and what conditions and Events say of it.

    ``condition`` is the type of its condition on the RO, ``reason`` that of the Event once it is done. With
    ``is_optional`` the condition is there only while the step has something to do.
    """

    condition: ClassVar[str]
    reason: ClassVar[str]
    is_optional: ClassVar[bool]

    @classmethod
    def build(cls, tools: "StepTools", strategy: "StrategyRow") -> Self: ...

    @classmethod
    def waits_for(cls, stage: Stage) -> str | None:
        """What the step waits for, in words that stay the same while it does; None if it moves nothing."""
        ...

    @classmethod
    def has_reached(cls, stage: Stage, running: Mapping[str, int | None]) -> str:
        """What the step has reached; ``running`` holds the replicas that run, by revision, None where not known."""
        ...

    @classmethod
    def obstacles(cls, stage: Stage, seen: Mapping[str, ObservedRevision]) -> list[str]:
        """What the revisions report that keeps the step from being done, each a sentence."""
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


class NothingHeld:
    """A traffic client where no Route is held."""

    def is_held(self, ro: RolloutOrchestrator) -> bool:
        return False

    def move(self, ro: RolloutOrchestrator) -> None:
        """Nothing to move."""

    def waiting_for(self, ro: RolloutOrchestrator) -> str | None:
        return None


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


class Rollout:
    """Executes and verifies the steps of a stage. Mirrors ``Rollout``."""

    def __init__(self, rollout_steps: Sequence[RolloutStep]) -> None:
        self.rollout_steps = tuple(rollout_steps)

    def reconcile(
        self,
        ro: RolloutOrchestrator,
        rev_scaling_up: Entries,
        rev_scaling_down: Entries,
        enqueue_after: EnqueueAfter,
    ) -> bool:
        """Execute and, while the stage is in progress, verify each step; stop at the first that is not ready.

        Returns True if there is nothing to wait for: every step is ready, or the stage was not in progress, in which
        case only the first step was executed. Raises what the steps raise.
        """
        for step in self.rollout_steps:
            step.execute(ro, rev_scaling_up, rev_scaling_down)
            if not ro.status.conditions.is_unknown(STAGE_READY):
                return True
            ready = step.verify(ro, rev_scaling_up, rev_scaling_down, enqueue_after)
            step.modify_status(ro, ready)
            if not ready:
                return False
        return True


def _path_of(ro: RolloutOrchestrator, revision: TargetRevision) -> str:
    try:
        return f"spec.stageTargetRevisions[{index_of(revision.revision_name, ro.spec.stage_target_revisions)}]"
    except ValueError:
        return f"spec.stageTargetRevisions ({revision.revision_name})"

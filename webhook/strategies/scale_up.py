"""The step in which revisions go up."""

from collections.abc import Mapping
from typing import ClassVar, Final, Self

from webhook.api import MissingObservation, RolloutOrchestrator, StagePodAutoscaler, TargetRevision
from webhook.api.conditions import READY, STAGE_SCALE_UP_READY, UNKNOWN
from webhook.api.target_revision import entries_by_revision
from webhook.strategies.protocols import ObservedRevision, RevisionConditionLister, TrafficClient
from webhook.strategies.readiness import (
    NoConditions,
    can_run,
    gets_traffic,
    is_stage_scale_up_ready,
    missing_evidence,
    replicas_needed,
)
from webhook.strategies.rollout import (
    BaseScaleStep,
    Clock,
    EnqueueAfter,
    NothingHeld,
    StepTools,
    StrategyRow,
    UpdateSPA,
    record_step,
)
from webhook.strategies.stage import Entries, Stage, described_as_running, described_as_wanted
from webhook.strategies.stage_bounds import not_below, update_spa_for_rev_down, update_spa_for_rev_up

_SETTLING: Final = 15.0
"""Seconds in which Knative's autoscaler takes away what a minimum no longer keeps; it halves every two seconds."""


class ScaleUpStep:
    """Raises the bounds of the revisions that go up, and waits until they run. Mirrors ``ScaleUpStep``.

    A revision that is to get traffic must also have shown that it can run; upstream accepts zero replicas if the bounds
    allow them.
    """

    condition: ClassVar[str] = STAGE_SCALE_UP_READY
    reason: ClassVar[str] = "ScaledUp"
    is_optional: ClassVar[bool] = False

    def __init__(
        self,
        base: BaseScaleStep,
        *,
        clock: Clock,
        conditions: RevisionConditionLister | None = None,
        keeps_start: bool = False,
        traffic: TrafficClient | None = None,
    ) -> None:
        """``conditions`` reads what Knative says of a revision (nothing when absent).

        With ``keeps_start``, a start revision that goes up is not lowered before the others that go up are ready.
        ``traffic`` has the held Routes (there are none when absent).
        """
        self._base = base
        self._clock = clock
        self._conditions = conditions or NoConditions()
        self._keeps_start = keeps_start
        self._traffic = traffic or NothingHeld()

    @classmethod
    def build(cls, tools: StepTools, strategy: StrategyRow) -> Self:
        return cls(
            tools.base,
            clock=tools.clock,
            conditions=tools.conditions,
            keeps_start=strategy.goes_up_first,
            traffic=tools.traffic,
        )

    def execute(self, ro: RolloutOrchestrator, rev_scaling_up: Entries, rev_scaling_down: Entries) -> None:
        """Create or update the SPA of every revision that goes up.

        If several go up, one of them may be a start revision that runs already. A strategy that goes up first does not
        lower its bounds before the others that are to get traffic are ready; upstream does so at once.
        """
        for revision in rev_scaling_up.values():
            if self._settles_for(ro, revision) > 0:
                continue
            start = self._start_to_keep(ro, revision, rev_scaling_up)
            update = self._raise_only(ro, start) if start is not None else update_spa_for_rev_up
            self._base.create_or_update_spa_rev(ro, revision, False, update)

    def verify(
        self,
        ro: RolloutOrchestrator,
        rev_scaling_up: Entries,
        rev_scaling_down: Entries,
        enqueue_after: EnqueueAfter,
    ) -> bool:
        """True if every revision that goes up runs. Until then, those that go down keep their bounds.

        Raises MissingObservation when an SPA cannot be found.
        """
        settling = max((self._settles_for(ro, revision) for revision in rev_scaling_up.values()), default=0.0)
        if settling > 0:
            enqueue_after(ro, settling)
            return False
        if all(self._is_up(ro, name, rev_scaling_up) for name in rev_scaling_up):
            return True
        for revision in rev_scaling_down.values():
            self._base.create_or_update_spa_rev(ro, revision, False, update_spa_for_rev_down)
        return False

    def modify_status(self, ro: RolloutOrchestrator, ready: bool = True) -> None:
        """StageScaleUpReady True, or the stage in progress."""
        record_step(ro, self.condition, ready, self._clock())

    @classmethod
    def waits_for(cls, stage: Stage) -> str | None:
        wanted = described_as_wanted(stage.up.values())
        return f"scaling up: waiting for {wanted}" if wanted else None

    @classmethod
    def has_reached(cls, stage: Stage, running: Mapping[str, int | None]) -> str:
        return f"up: {described_as_running(stage.up.values(), running)}"

    @classmethod
    def obstacles(cls, stage: Stage, seen: Mapping[str, ObservedRevision]) -> list[str]:
        """The evidence that is missing, see ``missing_evidence``."""
        found = ((entry, seen.get(name, ObservedRevision())) for name, entry in stage.up.items())
        missing = (missing_evidence(one.spa, entry, one.conditions) for entry, one in found)
        return [text for text in missing if text]

    def _settles_for(self, ro: RolloutOrchestrator, revision: TargetRevision) -> float:
        """Seconds for which a revision may still lose replicas that only a former minimum keeps; 0 if it does not.

        A revision that is raised before that looks ready at once, and loses replicas after requests follow its new
        share. One that runs more than its own minimum, or still runs more after a while, needs them for its traffic.
        """
        spa = self._base.spa_lister.get(ro.namespace, revision.revision_name)
        if spa is None or spa.stage_min_scale is None or not self._traffic.is_held(ro):
            return 0.0
        if not spa.stage_min_scale < (spa.actual_scale or 0) <= (revision.min_scale or 0):
            return 0.0
        waiting = ro.status.conditions.get(self.condition)
        since = waiting.last_transition_time if waiting is not None and waiting.status == UNKNOWN else None
        return _SETTLING if since is None else max(0.0, _SETTLING - (self._clock() - since).total_seconds())

    def _start_to_keep(
        self, ro: RolloutOrchestrator, revision: TargetRevision, rev_scaling_up: Entries
    ) -> TargetRevision | None:
        """The start entry of this revision if it must not be lowered yet, else None."""
        if not self._keeps_start or ro.status.conditions.is_true(READY):
            return None
        name = revision.revision_name
        start = entries_by_revision(ro.spec.initial_revisions).get(name)
        others = (other for other in rev_scaling_up.values() if other.revision_name != name)
        return start if start is not None and not all(self._has_come(ro, other) for other in others) else None

    def _has_come(self, ro: RolloutOrchestrator, revision: TargetRevision) -> bool:
        """True if a revision can run and has at least the replicas that this stage needs, or gets no traffic."""
        if not gets_traffic(revision):
            return True
        spa = self._base.spa_lister.get(ro.namespace, revision.revision_name)
        if spa is None or not can_run(spa, revision, self._conditions.conditions(ro.namespace, spa.name)):
            return False
        return (spa.actual_scale or 0) >= replicas_needed(revision)

    def _raise_only(self, ro: RolloutOrchestrator, start: TargetRevision) -> UpdateSPA:
        present = self._base.spa_lister.get(ro.namespace, start.revision_name)
        minimum, maximum = start.min_scale, start.max_scale
        if present is not None:
            minimum, maximum = present.stage_min_scale, present.stage_max_scale

        def update(spa: StagePodAutoscaler, revision: TargetRevision, scale_up_ready: bool) -> StagePodAutoscaler:
            return not_below(update_spa_for_rev_up(spa, revision, scale_up_ready), minimum, maximum)

        return update

    def _is_up(self, ro: RolloutOrchestrator, name: str, rev_scaling_up: Entries) -> bool:
        spa = self._base.spa_lister.get(ro.namespace, name)
        if spa is None:
            raise MissingObservation(f"StagePodAutoscaler {ro.namespace}/{name} does not exist yet")
        revision = rev_scaling_up[name]
        if not (spa.is_stage_ready and is_stage_scale_up_ready(spa, revision)):
            return False
        return can_run(spa, revision, self._conditions.conditions(ro.namespace, name))

"""The step in which revisions go up."""

from webhook.api import MissingObservation, RolloutOrchestrator
from webhook.api.conditions import STAGE_SCALE_UP_READY
from webhook.strategies.bounds import update_spa_for_rev_down, update_spa_for_rev_up
from webhook.strategies.evidence import NoConditions, can_run
from webhook.strategies.protocols import RevisionConditionLister
from webhook.strategies.readiness import is_stage_scale_up_ready
from webhook.strategies.step import BaseScaleStep, Clock, EnqueueAfter, Revisions, record_step


class ScaleUpStep:
    """Raises the bounds of the revisions that go up, and waits until they run. Mirrors ScaleUpStep.

    A revision that is to get traffic has to have shown that it can run, too; upstream takes zero replicas where the
    bounds allow them.
    """

    def __init__(self, base: BaseScaleStep, *, clock: Clock, conditions: RevisionConditionLister | None = None) -> None:
        """``conditions`` reads what Knative says of a revision (nothing when absent)."""
        self._base = base
        self._clock = clock
        self._conditions = conditions or NoConditions()

    def execute(self, ro: RolloutOrchestrator, rev_scaling_up: Revisions, rev_scaling_down: Revisions) -> None:
        """Create or update the SPA of every revision that goes up."""
        for revision in rev_scaling_up.values():
            self._base.create_or_update_spa_rev(ro, revision, False, update_spa_for_rev_up)

    def verify(
        self,
        ro: RolloutOrchestrator,
        rev_scaling_up: Revisions,
        rev_scaling_down: Revisions,
        enqueue_after: EnqueueAfter,
    ) -> bool:
        """Whether every revision that goes up runs; until then those that go down keep the bounds they have.

        Raises MissingObservation when an SPA cannot be found.
        """
        if all(self._is_up(ro, name, rev_scaling_up) for name in rev_scaling_up):
            return True
        for revision in rev_scaling_down.values():
            self._base.create_or_update_spa_rev(ro, revision, False, update_spa_for_rev_down)
        return False

    def modify_status(self, ro: RolloutOrchestrator, ready: bool = True) -> None:
        """StageScaleUpReady True, or the stage in progress."""
        record_step(ro, STAGE_SCALE_UP_READY, ready, self._clock())

    def _is_up(self, ro: RolloutOrchestrator, name: str, rev_scaling_up: Revisions) -> bool:
        spa = self._base.spa_lister.get(ro.namespace, name)
        if spa is None:
            raise MissingObservation(f"StagePodAutoscaler {ro.namespace}/{name} is not there yet")
        revision = rev_scaling_up[name]
        if not (spa.is_stage_ready and is_stage_scale_up_ready(spa, revision)):
            return False
        return can_run(spa, revision, self._conditions.conditions(ro.namespace, name))

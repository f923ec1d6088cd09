"""The step in which traffic moves: on stock Knative only, where the Route of the Service is held."""

from collections.abc import Mapping
from typing import ClassVar, Self

from webhook.api import RolloutOrchestrator
from webhook.api.conditions import STAGE_TRAFFIC_READY
from webhook.strategies.protocols import ObservedRevision, TrafficClient
from webhook.strategies.rollout import Clock, EnqueueAfter, StepTools, StrategyRow, record_step
from webhook.strategies.stage import Entries, Stage, described_traffic


class TrafficStep:
    """Sets the shares of the stage, and waits until requests follow them. Upstream has no such step.

    Without a held Route it is ready at once, plans nothing, and leaves no condition.
    """

    condition: ClassVar[str] = STAGE_TRAFFIC_READY
    reason: ClassVar[str] = "TrafficMoved"
    is_optional: ClassVar[bool] = True

    def __init__(self, traffic: TrafficClient, *, clock: Clock) -> None:
        self._traffic = traffic
        self._clock = clock

    @classmethod
    def build(cls, tools: StepTools, strategy: StrategyRow) -> Self:
        return cls(tools.traffic, clock=tools.clock)

    def execute(self, ro: RolloutOrchestrator, rev_scaling_up: Entries, rev_scaling_down: Entries) -> None:
        """Set the shares of the stage."""
        if self._traffic.is_held(ro):
            self._traffic.move(ro)

    def verify(
        self,
        ro: RolloutOrchestrator,
        rev_scaling_up: Entries,
        rev_scaling_down: Entries,
        enqueue_after: EnqueueAfter,
    ) -> bool:
        """True if requests follow the shares of the stage, or if the Route is not held."""
        return not self._traffic.is_held(ro) or self._traffic.waiting_for(ro) is None

    def modify_status(self, ro: RolloutOrchestrator, ready: bool = True) -> None:
        """StageTrafficReady True, or the stage in progress with what the traffic waits for; absent without a hold."""
        if not self._traffic.is_held(ro):
            ro.status.conditions.remove(self.condition)
            return
        detail = "" if ready else self._traffic.waiting_for(ro) or ""
        record_step(ro, self.condition, ready, self._clock(), detail)

    @classmethod
    def waits_for(cls, stage: Stage) -> str | None:
        return f"moving traffic: waiting for {described_traffic(stage.entries)}"

    @classmethod
    def has_reached(cls, stage: Stage, running: Mapping[str, int | None]) -> str:
        return f"traffic: {described_traffic(stage.entries)}"

    @classmethod
    def obstacles(cls, stage: Stage, seen: Mapping[str, ObservedRevision]) -> list[str]:
        return []

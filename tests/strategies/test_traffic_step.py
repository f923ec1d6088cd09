"""The step in which traffic moves, where the Route is held, and where it is not."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from webhook.api import RolloutOrchestrator
from webhook.api.conditions import STAGE_READY, STAGE_TRAFFIC_READY
from webhook.strategies import STRATEGIES, Rollout, TrafficStep
from webhook.strategies.rollout import NothingHeld

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class Traffic:
    """A traffic client with prepared responses."""

    waiting: str | None
    held: bool = True
    moves: list[str] = field(default_factory=list)

    def is_held(self, ro: RolloutOrchestrator) -> bool:
        return self.held

    def move(self, ro: RolloutOrchestrator) -> None:
        self.moves.append(ro.name)

    def waiting_for(self, ro: RolloutOrchestrator) -> str | None:
        return self.waiting


def rolling() -> RolloutOrchestrator:
    condition = {"type": STAGE_READY, "status": "Unknown"}
    return RolloutOrchestrator.from_dict({"metadata": {"name": "hello"}, "status": {"conditions": [condition]}})


def taken(traffic: Traffic | NothingHeld, ro: RolloutOrchestrator) -> bool:
    step = TrafficStep(traffic, clock=lambda: NOON)
    return Rollout([step]).reconcile(ro, {}, {}, lambda ro, seconds: None)


def test_a_stage_waits_until_requests_follow_its_shares() -> None:
    ro, traffic = rolling(), Traffic("Route hello to move to hello-00001 75%, hello-00002 25%")
    assert taken(traffic, ro) is False
    assert traffic.moves == ["hello"]
    for type_ in (STAGE_TRAFFIC_READY, STAGE_READY):
        condition = ro.status.conditions.get(type_)
        assert condition is not None
        assert condition.message == (
            "Rolling out a new stage: Route hello to move to hello-00001 75%, hello-00002 25%."
        )
    traffic.waiting = None
    assert taken(traffic, ro) is True
    assert ro.status.conditions.is_true(STAGE_TRAFFIC_READY)


def test_the_condition_only_informs() -> None:
    ro = rolling()
    taken(Traffic(None), ro)
    condition = ro.status.conditions.get(STAGE_TRAFFIC_READY)
    assert condition is not None
    assert condition.severity == "Info"


def test_without_a_held_route_the_step_is_ready_at_once_and_leaves_no_trace() -> None:
    ro = rolling()
    taken(Traffic("something"), ro)
    traffic = Traffic("something", held=False)
    assert taken(traffic, ro) is True
    assert traffic.moves == []
    assert ro.status.conditions.get(STAGE_TRAFFIC_READY) is None
    assert taken(NothingHeld(), ro) is True


def test_availability_lowers_only_after_the_traffic_and_resourceutil_before() -> None:
    orders = {name: [step.condition for step in strategy.steps] for name, strategy in STRATEGIES.items()}
    assert orders["availability"].index(STAGE_TRAFFIC_READY) == 1
    assert orders["resourceutil"].index(STAGE_TRAFFIC_READY) == 2

"""The figures of rollouts: Routes and ROs of a cluster at noon, and what the metrics say of them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.loop.knative import Knative, carry
from tests.loop.world import World
from webhook.api import RolloutOrchestrator
from webhook.knative.hold import HELD, RELEASING, Hold
from webhook.loop.rollout_figures import RolloutFigures, rollout_figures, stage_seconds

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def route(name: str, annotation: str | None = None, namespace: str = "default") -> dict[str, Any]:
    annotations = {} if annotation is None else {"stagegate.dev/hold": annotation}
    return {"metadata": {"name": name, "namespace": namespace, "annotations": annotations}}


def created(one: dict[str, Any], time: str) -> dict[str, Any]:
    """The object as it was made at this time of the day."""
    return {**one, "metadata": {**one["metadata"], "creationTimestamp": f"2026-01-01T{time}Z"}}


def ro(name: str, namespace: str = "default", /, **conditions: tuple[str, str]) -> dict[str, Any]:
    """An RO whose conditions have this status since this time of the day."""
    listed = [
        {"type": type_, "status": status, "lastTransitionTime": f"2026-01-01T{time}Z"}
        for type_, (status, time) in conditions.items()
    ]
    return {"metadata": {"name": name, "namespace": namespace}, "status": {"conditions": listed}}


HOLDS = Hold(HELD, {"a": 100}, "b", "uid").to_annotation()
RELEASES = Hold(RELEASING, {"a": 100}, "b", "uid").to_annotation()
SINCE_ELEVEN = ro(
    "a", RouteHeld=("True", "11:00:00"), StageReady=("Unknown", "11:50:00"), Ready=("Unknown", "11:00:01")
)

UNTOLD = {"metadata": {"name": "a", "namespace": "default", "creationTimestamp": "2026-01-01T10:00:00Z"}}


@pytest.mark.parametrize(
    ("routes", "rollouts", "figures"),
    [
        ([], [], RolloutFigures()),
        ([route("a"), route("b")], [ro("a", Ready=("True", "09:00:00"))], RolloutFigures()),
        ([route("a", HOLDS)], [], RolloutFigures(held=1)),
        ([route("a", HOLDS)], [ro("a")], RolloutFigures(held=1)),
        ([route("a", HOLDS)], [SINCE_ELEVEN], RolloutFigures(held=1, held_seconds=3600, still_seconds=600)),
        ([route("a", HOLDS, "other")], [SINCE_ELEVEN], RolloutFigures(held=1, still_seconds=600)),
        ([route("a", "?")], [SINCE_ELEVEN], RolloutFigures(held=1, held_seconds=3600, still_seconds=600)),
        (
            [route("a", RELEASES), route("b", HOLDS)],
            [SINCE_ELEVEN, ro("b", RouteHeld=("True", "11:30:00"), StageReady=("Unknown", "11:30:00"))],
            RolloutFigures(held=1, releasing=1, held_seconds=3600, still_seconds=1800),
        ),
        ([], [ro("a", Stalled=("True", "09:00:00")), ro("b", Ready=("True", "09:00:00"))], RolloutFigures(failed=1)),
        (
            [route("a", HOLDS), route("b", HOLDS)],
            [
                ro(
                    "a", RouteHeld=("True", "01:00:00"), Paused=("True", "02:00:00"), StageReady=("Unknown", "01:00:00")
                ),
                ro("b", RouteHeld=("True", "01:00:00"), Aborted=("True", "02:00:00"), Stalled=("True", "03:00:00")),
            ],
            RolloutFigures(held=2, paused=1, aborted=1),
        ),
        ([route("a", HOLDS)], [{"metadata": {"name": "a"}, "status": {"conditions": "?"}}], RolloutFigures(held=1)),
        ([route("a", HOLDS)], [UNTOLD], RolloutFigures(held=1, held_seconds=7200, still_seconds=7200)),
        ([], [UNTOLD], RolloutFigures(still_seconds=7200)),
        ([], [ro("a", Ready=("Unknown", "11:00:00"))], RolloutFigures(still_seconds=3600)),
        ([], [ro("a", Ready=("True", "11:00:00"))], RolloutFigures()),
        ([], [ro("a", Ready=("Unknown", "11:00:00"), Paused=("True", "11:30:00"))], RolloutFigures(paused=1)),
        (
            [route("a", HOLDS)],
            [ro("a", RouteHeld=("True", "11:00:00"), StageReady=("Unknown", "13:00:00"))],
            RolloutFigures(held=1, held_seconds=3600, still_seconds=3600),
        ),
    ],
    ids=[
        "nothing",
        "at rest",
        "pinned a moment ago",
        "before the loop has written anything",
        "held since eleven, and nothing has changed for ten minutes",
        "an RO of another namespace",
        "a hold that cannot be read",
        "two, of which one is being given back",
        "one that has failed",
        "a paused and an aborted one stand still because people want that",
        "conditions that make no sense",
        "a held one whose status is never written",
        "one by hand whose status is never written",
        "one by hand that stands still",
        "one by hand that is complete",
        "one by hand that is paused",
        "a time that is still to come",
    ],
)
def test_figures(routes: list[dict[str, Any]], rollouts: list[dict[str, Any]], figures: RolloutFigures) -> None:
    assert rollout_figures(routes, rollouts, NOON) == figures


@pytest.mark.parametrize(
    ("held", "revision", "seconds"),
    [
        (HOLDS, created(route("b"), "11:00:00"), 3600),
        (RELEASES, created(route("b"), "11:00:00"), 3600),
        (HOLDS, created(route("b"), "13:00:00"), 0),
        (HOLDS, None, 7200),
        ("?", None, 7200),
    ],
    ids=["held", "being given back", "a time that is still to come", "without its Revision", "one that cannot be read"],
)
def test_a_held_route_without_a_rollout_stands_still(
    held: str, revision: dict[str, Any] | None, seconds: float
) -> None:
    other = created(route("c"), "01:00:00")
    known = {("default", "b"): revision}

    figures = rollout_figures(
        [created(route("a", held), "10:00:00"), other], [], NOON, lambda namespace, name: known.get((namespace, name))
    )

    assert (figures.still_seconds, figures.held_seconds) == (seconds, seconds)


@pytest.mark.parametrize(
    ("before", "after", "seconds"),
    [
        (("Unknown", "11:00:00"), ("True", "11:00:42"), 42),
        (("False", "11:00:00"), ("True", "11:01:00"), 60),
        (("Unknown", "11:00:00"), ("Unknown", "11:00:00"), None),
        (("True", "11:00:00"), ("True", "11:00:00"), None),
        (("True", "11:00:00"), ("Unknown", "11:00:42"), None),
        (None, ("True", "11:00:00"), None),
        (("Unknown", "11:00:01"), ("True", "11:00:00"), 0),
    ],
)
def test_how_long_a_stage_took(before: tuple[str, str] | None, after: tuple[str, str], seconds: float | None) -> None:
    was = ro("a") if before is None else ro("a", StageReady=before)

    assert stage_seconds(parsed(was), parsed(ro("a", StageReady=after))) == seconds


def parsed(wire: dict[str, Any]) -> RolloutOrchestrator:
    return RolloutOrchestrator.from_dict(wire)


@pytest.fixture
def knative() -> Knative:
    """A Service with four pods, and stages of a quarter, carried by the whole loop."""
    world = World()
    world.settings(over_consumption_ratio="25")
    knative = Knative(world).start(min_scale="4")
    world.settle()
    return knative


def sample(knative: Knative, name: str, **labels: str) -> float | None:
    return knative.world.metrics.registry.get_sample_value(name, labels)


def test_a_held_service_is_counted_until_it_is_given_back(knative: Knative) -> None:
    assert sample(knative, "stagegate_loop_held_services", phase="held") == 0

    knative.edit(2)
    knative.world.settle()
    assert sample(knative, "stagegate_loop_held_services", phase="held") == 1

    carry(knative)
    assert sample(knative, "stagegate_loop_held_services", phase="held") == 0
    assert sample(knative, "stagegate_loop_service_rollouts_total", outcome="started") == 1
    assert sample(knative, "stagegate_loop_service_rollouts_total", outcome="complete") == 1
    assert sample(knative, "stagegate_loop_stage_seconds_count") == 4


def test_a_rollout_that_stands_still_grows_older(knative: Knative) -> None:
    knative.edit(2)
    carry(knative, lambda: knative.pods.get("hello-00002") == 1)
    knative.stalled = True
    for _ in range(5):
        knative.turn()
        knative.world.settle()
    before = sample(knative, "stagegate_loop_still_seconds")

    knative.world.clock.advance(600)

    assert before is not None
    assert sample(knative, "stagegate_loop_still_seconds") == before + 600


def test_a_loop_that_stands_by_has_no_figures(knative: Knative) -> None:
    knative.edit(2)
    knative.world.settle()

    knative.world.loop.pause()

    assert sample(knative, "stagegate_loop_held_services", phase="held") == 0

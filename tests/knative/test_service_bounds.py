"""The bounds of the Revisions of a Service: those of the stage while it is held, and their own again after it."""

from dataclasses import replace
from typing import Any

import pytest

from tests.knative.moments import NEW, OLD, THIRD, decide, done, halfway, releasing, rolling, seen
from tests.knative.services import (
    after,
    by_name,
    entry,
    hold,
    lowered,
    named,
    pinned,
    revision,
    ro,
    route,
    service,
    shown,
)
from webhook.knative.service_seen import ServiceOptions, ServiceSeen
from webhook.knative.stage_traffic import Scale


def told_writes(world: ServiceSeen) -> list[str]:
    decision = decide(world)
    assert shown(decide(after(world, decision))) == []
    return shown(decision)


@pytest.mark.parametrize(
    ("stage_bounds", "writes"),
    [
        ({}, []),
        ({OLD: (4, None), NEW: (1, None)}, []),
        ({OLD: (3, 3), NEW: (1, None)}, [f"Revision {OLD}: min-scale=3"]),
        ({OLD: (3, 3), NEW: (2, None)}, [f"Revision {OLD}: min-scale=3", f"Revision {NEW}: min-scale=2"]),
        ({NEW: (4, None)}, [f"Revision {NEW}: min-scale=4, record removed"]),
        ({NEW: (0, 0)}, [f"Revision {NEW}: min-scale=0"]),
    ],
)
def test_the_bounds_of_the_stage_take_the_place_of_the_revisions_own(
    stage_bounds: dict[str, tuple[int | None, int | None]], writes: list[str]
) -> None:
    world = seen(ro=rolling(), stage_bounds=stage_bounds)
    if stage_bounds == {NEW: (0, 0)}:
        world = replace(world, ro=rolling([entry(OLD, 100, direction="down"), entry(NEW, 0, direction="up")]))
    assert shown(decide(world)) == writes
    assert shown(decide(after(world, decide(world)))) == []


@pytest.mark.parametrize(
    ("shares", "shown", "actual", "writes"),
    [
        # Born at 75 %, or left there by a stage that an edit replaced.
        ({OLD: 75, NEW: 25}, None, 4, [f"Revision {OLD}: min-scale=3"]),
        ({OLD: 34, NEW: 66}, None, 4, [f"Revision {OLD}: min-scale=2"]),
        # What requests do not follow yet does not count.
        ({OLD: 75, NEW: 25}, {OLD: 100}, 4, []),
        # Its traffic keeps it there, whatever its minimum is.
        ({OLD: 75, NEW: 25}, None, 5, []),
    ],
)
@pytest.mark.parametrize("direction", ["stay", "down"])
def test_a_revision_that_does_not_go_up_keeps_what_its_share_takes_of_its_own_minimum(
    shares: dict[str, int], shown: dict[str, int] | None, actual: int, writes: list[str], direction: str
) -> None:
    entries = pinned(**{name.replace("-", "_"): percent for name, percent in shares.items()})
    stage = [
        entry(OLD, shares[OLD], direction=direction, minScale=4),
        entry(NEW, 0, direction="down", minScale=4),
        entry(THIRD, shares[NEW], direction="up", minScale=4),
    ]
    world = seen(
        route=route(hold(new=THIRD), entries, shown=shown),
        revisions=by_name(revision(OLD, min_scale="4"), lowered(NEW), lowered(THIRD)),
        ro=ro(
            [entry(OLD, shares[OLD], minScale=4), entry(NEW, shares[NEW], minScale=4)],
            [entry(THIRD, 100, minScale=4)],
            stage,
        ),
        stage_bounds={OLD: (4, None)},
        scales={OLD: Scale(4, actual)},
    )
    assert told_writes(world) == writes


@pytest.mark.parametrize(
    ("old", "ready", "writes"),
    [
        (revision(OLD, min_scale="4"), "Unknown", []),
        (revision(OLD, min_scale="4"), "True", [f"Revision {OLD}: min-scale=3"]),
        # Lowered while the Route was Ready: it moves again, for another revision.
        (lowered(OLD, to="3"), "Unknown", []),
    ],
)
def test_shares_that_the_ingress_does_not_have_yet_lower_and_raise_nothing(
    old: dict[str, Any], ready: str, writes: list[str]
) -> None:
    """The status of a Route shows them before it is Ready."""
    stage = [entry(OLD, 75, direction="down", minScale=4), entry(NEW, 25, direction="up", minScale=4)]
    world = seen(
        route=route(hold(), pinned(hello_00001=75, hello_00002=25), ready=ready),
        revisions=by_name(old, lowered(NEW)),
        ro=ro([entry(OLD, 100, minScale=4)], [entry(NEW, 100, minScale=4)], stage),
        stage_bounds={OLD: (4, None)},
        scales={OLD: Scale(4, 4)},
    )
    assert told_writes(world) == writes


@pytest.mark.parametrize(
    ("scales", "keeps_floor", "minimum"),
    [
        ({OLD: Scale(4, 4), NEW: Scale(1, 1)}, True, "2"),
        ({OLD: Scale(0, 0), NEW: Scale(0, 0)}, True, None),
        ({OLD: Scale(4, 4), NEW: Scale(1, 1)}, False, None),
        ({}, True, "2"),
    ],
)
def test_a_traffic_driven_revision_keeps_the_pods_of_its_share(
    scales: dict[str, Scale], keeps_floor: bool, minimum: str | None
) -> None:
    stage = [
        entry(OLD, 50, direction="down", targetReplicas=2),
        entry(NEW, 50, direction="up", targetReplicas=2),
    ]
    world = seen(
        revisions=by_name(revision(OLD), revision(NEW)),
        ro=ro([entry(OLD, 100)], [entry(NEW, 100)], stage),
        stage_bounds={OLD: (None, None), NEW: (None, None)},
        scales=scales,
    )
    decision = decide(world, ServiceOptions(keeps_floor=keeps_floor))
    assert shown(decision) == ([] if minimum is None else [f"Revision {NEW}: min-scale={minimum}"])


# Restored


def test_bounds_that_the_floor_raised_are_restored_before_the_route_is_given_back() -> None:
    raised = revision(NEW, own={"set": {"min-scale": "3"}}, min_scale="3")
    world = done(revisions=by_name(revision(OLD), raised), ro=ro([entry(OLD, 100)], [entry(NEW, 100)], ready="True"))
    assert shown(decide(world)) == [
        f"Revision {NEW}: min-scale=None, record removed",
        "Route: releasing, traffic latest=100",
    ]


@pytest.mark.parametrize(
    ("revisions", "writes"),
    [
        # A revision that the Route still leads to would start pods with its own minimum.
        ((lowered(OLD, to="0"), revision(NEW, min_scale="4")), []),
        ((lowered(OLD, to="0", state="pending"), revision(NEW, min_scale="4")), []),
        (
            (lowered(OLD, to="0", state="reserve"), revision(NEW, min_scale="4")),
            [f"Revision {OLD}: min-scale=4, record removed"],
        ),
        # What has traffic gets its own back at once.
        ((revision(OLD, min_scale="4"), lowered(NEW)), [f"Revision {NEW}: min-scale=4, record removed"]),
        # Traffic floats to the newest, so that it never goes to reserve, whether it becomes Ready or not.
        (
            (revision(OLD, min_scale="4"), lowered(NEW, ready="False")),
            [f"Revision {NEW}: min-scale=4, record removed"],
        ),
        # The hold goes last.
        ((revision(OLD, min_scale="4"), revision(NEW, min_scale="4")), ["Route: no hold"]),
    ],
)
def test_bounds_are_restored_when_the_revision_has_traffic_or_is_left(
    revisions: tuple[dict[str, Any], ...], writes: list[str]
) -> None:
    decision = decide(releasing(*revisions))
    assert shown(decision) == writes
    assert not decision.carries_on
    assert decision.waiting == ("" if writes else f"{OLD} to be left by the Route")


def test_a_newest_revision_that_the_service_does_not_name_waits_until_the_route_has_left_it() -> None:
    named_old = service(traffic=[named(OLD, 100)])
    revisions = revision(OLD, min_scale="4"), lowered(NEW, ready="False")
    decision = decide(releasing(*revisions, service=named_old))
    assert (shown(decision), decision.waiting) == ([], f"{NEW} to be left by the Route")


@pytest.mark.parametrize(
    ("traffic", "old", "new"),
    [
        # The newest floats in as soon as it is Ready, and Knative keeps it reachable until then.
        (None, revision(OLD, min_scale="4"), lowered(NEW, ready="Unknown")),
        ([named(OLD, 100), named(NEW, 0)], revision(OLD, min_scale="4"), lowered(NEW)),
        (
            [named(OLD, 100), {"latestRevision": True, "percent": 0, "tag": "new"}],
            revision(OLD, min_scale="4"),
            lowered(NEW),
        ),
    ],
)
def test_bounds_are_restored_of_a_revision_that_stays_reachable_without_a_share(
    traffic: list[dict[str, Any]] | None, old: dict[str, Any], new: dict[str, Any]
) -> None:
    shares = {OLD: 100}
    world = replace(
        releasing(old, new), service=service(traffic=traffic), route=route(hold("releasing"), traffic, shown=shares)
    )
    assert shown(decide(world)) == [f"Revision {NEW}: min-scale=4, record removed"]


def test_without_a_hold_a_newest_revision_that_is_not_ready_gets_its_bounds_back() -> None:
    revisions = by_name(revision(OLD, min_scale="4"), lowered(NEW, ready="False"))
    decision = decide(halfway(route=route(shown={OLD: 100}), revisions=revisions))
    assert f"Revision {NEW}: min-scale=4, record removed" in shown(decision)
    assert decision.waiting == ""

"""The traffic of a stage: what a held Route gets, what keeps it from that, and the floor of a share."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.knative.services import FLOATING, by_name, entry, hold, named, pinned, revision, ro, route
from webhook.api import RolloutOrchestrator
from webhook.knative.stage_traffic import Scale, floor_of, held_for, stage_traffic

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
OLD, NEW, GONE = "hello-00001", "hello-00002", "hello-00003"


def rolling(*stage: dict[str, Any], **more: Any) -> RolloutOrchestrator:
    return ro([entry(OLD, 100)], [entry(NEW, 100)], list(stage), **more)


def halves(new: Any = 25, target: int | None = 1, **more: Any) -> RolloutOrchestrator:
    up = entry(NEW, new, direction="up", **({} if target is None else {"targetReplicas": target}), **more)
    return rolling(entry(OLD, 100 - (new or 0), direction="down", targetReplicas=3), up)


REVISIONS = by_name(revision(OLD), revision(NEW))
RUNNING = {OLD: Scale(4, 4), NEW: Scale(1, 1)}
MOVED = pinned(hello_00001=75, hello_00002=25)


def test_the_shares_of_the_stage_are_written_by_name() -> None:
    found = stage_traffic(halves(), route(hold(), pinned(hello_00001=100)), REVISIONS, RUNNING)
    assert found.entries == [named(OLD, 75), named(NEW, 25), FLOATING, named(OLD, 0)]
    assert found.waiting == f"Route hello to move to {OLD} 75%, {NEW} 25%"


def test_what_the_stage_gives_no_share_keeps_its_place_in_the_route_while_it_is_ready() -> None:
    last = rolling(entry(OLD, direction="down", targetReplicas=0), entry(NEW, 100, direction="up"))
    found = stage_traffic(last, route(hold(), MOVED), REVISIONS, RUNNING)
    assert found.entries == [named(NEW, 100), named(OLD, 0), FLOATING, named(NEW, 0)]
    broken = by_name(revision(OLD, ready="False"), revision(NEW))
    assert stage_traffic(last, route(hold(), MOVED), broken, RUNNING).entries == [
        named(NEW, 100),
        FLOATING,
        named(NEW, 0),
    ]


LATEST_NEW = {"status": {"traffic": [named(OLD, 75), named(NEW, 25), named(NEW, 0) | {"latestRevision": True}]}}
LATEST_OLD = {"status": {"traffic": [named(OLD, 100), named(OLD, 0) | {"latestRevision": True}]}}
WITHOUT = {"status": {"traffic": [named(OLD, 100)]}, "spec": {"traffic": [named(OLD, 100), named(OLD, 0)]}}


@pytest.mark.parametrize(
    ("one", "ready", "floats"),
    [
        (LATEST_NEW, "True", True),
        # Knative would move nothing while an entry leads to a revision that has been Ready and is not any more.
        (LATEST_NEW, "False", False),
        (LATEST_NEW, "Unknown", False),
        # A new revision that was never Ready: the entry leads to the old one, and keeps the new one reachable.
        (LATEST_OLD, "False", True),
        (LATEST_OLD, "Unknown", True),
        # Left out before: it comes back with the revision.
        (WITHOUT, "False", False),
        (WITHOUT, "True", True),
    ],
)
def test_the_entry_that_floats_is_left_out_while_it_would_block_the_route(
    one: dict[str, Any], ready: str, floats: bool
) -> None:
    given_back = rolling(entry(OLD, 100, direction="up"), entry(NEW, 0, direction="down"))
    held = route(hold(), MOVED)
    held = {**held, **one, "spec": one.get("spec", held["spec"])}
    revisions = by_name(revision(OLD), revision(NEW, ready=ready))
    found = stage_traffic(given_back, held, revisions, RUNNING).entries
    shown = held["spec"]["traffic"] if found is None else found
    assert (FLOATING in shown) is floats
    assert named(OLD, 100) in shown


@pytest.mark.parametrize(
    ("one", "waiting"),
    [
        (route(hold(), MOVED), None),
        (route(hold(), MOVED, shown={OLD: 100}), f"Route hello to move to {OLD} 75%, {NEW} 25%"),
        (
            route(hold(), MOVED, ready="False", reason="IngressNotConfigured", message="no ingress."),
            f"Route hello to move to {OLD} 75%, {NEW} 25% (IngressNotConfigured: no ingress)",
        ),
        (
            route(hold(), MOVED, ready="Unknown", reason="Uninitialized"),
            f"Route hello to move to {OLD} 75%, {NEW} 25%",
        ),
    ],
)
def test_requests_follow_once_the_route_is_ready_and_shows_the_shares(one: dict[str, Any], waiting: str | None) -> None:
    found = stage_traffic(halves(), one, REVISIONS, RUNNING)
    assert (found.entries, found.waiting) == (None, waiting)


@pytest.mark.parametrize(
    ("revisions", "scales", "waiting"),
    [
        (by_name(revision(OLD)), RUNNING, f"Revision {NEW} to be Ready (it does not exist)"),
        (by_name(revision(OLD), revision(NEW, ready="Unknown")), RUNNING, f"Revision {NEW} to be Ready"),
        (by_name(revision(OLD, ready="False"), revision(NEW)), RUNNING, f"Revision {OLD} to be Ready"),
        (REVISIONS, {OLD: Scale(4, 4)}, f"{NEW} to run the 1 replica of its share"),
        (REVISIONS, {OLD: Scale(4, 4), NEW: Scale(1, 0)}, f"{NEW} to run the 1 replica of its share"),
    ],
)
def test_no_share_is_given_to_what_cannot_serve_it(
    revisions: dict[str, Any], scales: dict[str, Scale], waiting: str
) -> None:
    found = stage_traffic(halves(), route(hold(), pinned(hello_00001=100)), revisions, scales)
    assert (found.entries, found.waiting) == (None, waiting)


def test_knatives_reason_is_quoted() -> None:
    broken = revision(NEW)
    broken["status"]["conditions"] = [
        {"type": "Ready", "status": "False", "reason": "ContainerMissing", "message": "Unable to fetch\n image."}
    ]
    found = stage_traffic(halves(), route(hold(), pinned(hello_00001=100)), by_name(revision(OLD), broken), RUNNING)
    assert found.waiting == f"Revision {NEW} to be Ready (ContainerMissing: Unable to fetch image)"


def test_without_the_floor_a_share_needs_no_pods() -> None:
    found = stage_traffic(
        halves(), route(hold(), pinned(hello_00001=100)), REVISIONS, {OLD: Scale(4, 4)}, keeps_floor=False
    )
    assert found.entries is not None


def test_what_has_its_share_keeps_it_whatever_it_runs() -> None:
    found = stage_traffic(halves(target=3), route(hold(), MOVED), REVISIONS, RUNNING)
    assert (found.entries, found.waiting) == (None, None)


def test_a_stage_whose_percents_do_not_add_up_moves_nothing() -> None:
    odd = rolling(entry(OLD, 75, direction="down"), entry(NEW, 20, direction="up"))
    found = stage_traffic(odd, route(hold(), pinned(hello_00001=100)), REVISIONS, RUNNING)
    assert (found.entries, found.waiting) == (None, "the stage gives 95% of the traffic, not 100%")


@pytest.mark.parametrize(
    ("one", "scales", "floor"),
    [
        (halves(target=2), RUNNING, 2),
        (halves(target=2), {}, 2),
        (halves(target=2, maxScale=1), RUNNING, 1),
        (halves(target=2, maxScale=0), RUNNING, 2),
        (halves(target=2), {OLD: Scale(0, 0), NEW: Scale(0, 0)}, 0),
        (halves(target=2), {OLD: Scale(0, 0), NEW: Scale(2, 0)}, 2),
        (rolling(entry(NEW, 100), recorded=[entry(OLD, 25), entry(NEW, 75, targetReplicas=3)]), RUNNING, 3),
        (rolling(entry(NEW, 100)), RUNNING, 0),
    ],
)
def test_the_floor_is_the_target_of_the_stage_or_of_the_one_before(
    one: RolloutOrchestrator, scales: dict[str, Scale], floor: int
) -> None:
    assert floor_of(one, NEW, scales) == floor
    assert floor_of(one, OLD, scales) == 0
    assert floor_of(one, GONE, scales) == 0


def test_where_replicas_go_down_first_the_floor_rises_once_there_is_room() -> None:
    def resourceutil(down: str) -> RolloutOrchestrator:
        one = rolling(
            entry(OLD, 50, direction="down", targetReplicas=2),
            entry(NEW, 50, direction="up", targetReplicas=2),
            recorded=[entry(OLD, 75), entry(NEW, 25, targetReplicas=1)],
        )
        one.spec.rollout_strategy = "resourceutil"
        if down == "True":
            one.status.conditions.mark_true("StageScaleDownReady", NOON)
        return one

    assert floor_of(resourceutil("Unknown"), NEW, RUNNING) == 1
    assert floor_of(resourceutil("True"), NEW, RUNNING) == 2


@pytest.mark.parametrize(
    ("annotation", "held"),
    [
        (hold(), True),
        (hold("releasing"), False),
        (hold(since="uid-of-another"), False),
        ("what?", False),
        (None, False),
    ],
)
def test_a_hold_counts_only_for_the_rollout_of_its_service(annotation: str | None, held: bool) -> None:
    assert (held_for(halves(), route(annotation)) is not None) == held
    assert held_for(rolling(ownerReferences=[]), route(annotation)) is None

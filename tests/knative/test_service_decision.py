"""The state machine of a Service: the world before, and the writes and Events that it decides on."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.knative.moments import (
    GIVEN_BACK,
    NEW,
    OLD,
    RESTORED,
    THIRD,
    decide,
    done,
    failed,
    halfway,
    messages,
    rolling,
    seen,
)
from tests.knative.services import (
    STOCK,
    after,
    by_name,
    entry,
    hold,
    lowered,
    pinned,
    revision,
    ro,
    route,
    service,
    shown,
)
from webhook.knative.service_seen import ServiceSeen
from webhook.knative.stage_traffic import Scale

# Idle


@pytest.mark.parametrize(
    "world",
    [
        seen(service=None),
        seen(service=service(deletionTimestamp="2026-01-01T00:00:00Z")),
        seen(route=None),
        seen(route=route(), revisions=by_name(revision(OLD, min_scale="4"))),
        seen(route=route(), revisions={}, ro=ro([entry(OLD, 100)], [entry(OLD, 100)], ready="True")),
    ],
)
def test_nothing_is_written_where_nothing_is_held(world: ServiceSeen) -> None:
    assert (decide(world).phase, decide(world).writes, decide(world).events) == ("idle", (), ())


@pytest.mark.parametrize(
    ("one", "event"),
    [
        (service(), []),
        (service({}), []),
        (
            service(traffic=[{"latestRevision": True, "percent": 100, "tag": "new"}]),
            [
                (
                    f"Warning TrafficHasTags: {NEW}: not rolled out in stages:"
                    " spec.traffic has tags, which stages would move"
                )
            ],
        ),
    ],
)
def test_a_new_revision_that_is_not_held_is_explained_if_somebody_asked_for_stages(
    one: dict[str, Any], event: list[str]
) -> None:
    world = seen(service=one, route=route(), revisions=by_name(revision(OLD), revision(NEW)))
    assert messages(decide(replace(world, born=NEW))) == event
    assert messages(decide(world)) == [], "only when it is created"
    first = replace(world, revisions=by_name(revision(OLD)), born=OLD)
    assert messages(decide(first)) == [], "a first deploy has nothing to roll out from"


def test_a_deleted_service_leaves_nothing_to_do() -> None:
    decision = decide(halfway(service=service(deletionTimestamp="2026-01-01T00:00:00Z")))
    assert (decision.writes, decision.carries_on) == ((), False)


# A new revision that is not there


def test_a_pin_waits_for_its_revision_and_what_went_on_goes_on() -> None:
    world = seen(
        route=route(hold(new=THIRD), pinned(hello_00001=75, hello_00002=25)),
        ro=rolling(),
        stage_bounds={OLD: (3, 3)},
        missing_for=10.0,
    )
    decision = decide(world)
    assert shown(decision) == [f"Revision {OLD}: min-scale=3"]
    assert (decision.carries_on, decision.requeue_after) == (True, 20.0)


def test_a_pin_that_waits_for_its_revision_does_not_resume_a_rollout_that_is_over() -> None:
    over = ro([entry("hello-00000", 100)], [entry(OLD, 100)], [entry(OLD, 100, targetReplicas=8)], ready="True")
    world = seen(revisions=by_name(revision(OLD)), ro=over, stage_bounds={OLD: (8, 8)})
    decision = decide(world)
    assert (decision.phase, decision.writes) == ("held", ())
    assert (decision.carries_on, decision.requeue_after) == (False, 30.0)


def test_a_pin_whose_revision_never_appears_is_released_after_half_a_minute() -> None:
    world = seen(revisions=by_name(revision(OLD, min_scale="4")), missing_for=30.0)
    assert shown(decide(world)) == ["Route: releasing, traffic latest=100"]
    assert messages(decide(world)) == [
        (
            f"Warning RolloutReleased: RevisionMissing: Revision {NEW} did not appear within 30 s;"
            f" Knative goes on by itself: {OLD} 100%"
        )
    ]


def test_a_forged_pin_in_the_middle_of_a_rollout_does_not_end_it() -> None:
    world = seen(
        route=route(hold(new="hello-00099"), pinned(hello_00001=75, hello_00002=25)),
        ro=rolling(),
        stage_bounds={OLD: (3, 3)},
        missing_for=1000.0,
    )
    decision = decide(world)
    assert (decision.phase, decision.carries_on) == ("held", True)
    assert shown(decision) == [f"Revision {OLD}: min-scale=3"]


# What is reported on the Service


def test_a_new_revision_that_has_failed_is_reported_on_the_service() -> None:
    decision = decide(
        halfway(revisions=by_name(revision(OLD, min_scale="4"), failed(NEW, min_scale="4")), stage_bounds={})
    )
    assert decision.writes == ()
    message = f"{NEW} is not Ready (ExitCode1: It failed) and gets no more traffic; the next edit replaces it"
    assert messages(decision) == [f"Warning RolloutFailed: {message}"]


def test_a_rollout_that_was_marked_failed_is_reported_on_the_service() -> None:
    broken = rolling()
    broken.mark_stage_revision_failed("spec: no", datetime(2026, 1, 1, tzinfo=UTC))
    assert messages(decide(halfway(ro=broken, stage_bounds={}))) == [
        "Warning RolloutFailed: The rollout of the current stage failed with message: spec: no."
    ]


@pytest.mark.parametrize(
    ("condition", "event"),
    [("Paused", "Normal RolloutPaused"), ("Aborted", "Warning RolloutAborted")],
)
def test_what_people_stop_is_reported_on_the_service(condition: str, event: str) -> None:
    """Knative says no more than that the traffic has not moved yet."""
    steered = rolling()
    steered.status.conditions.inform(condition, condition, "By alice: errors.", datetime(2026, 1, 1, tzinfo=UTC))
    assert messages(decide(halfway(ro=steered, stage_bounds={}))) == [f"{event}: By alice: errors."]


def test_an_abort_that_is_over_is_reported_on_the_service_as_well() -> None:
    back, now = rolling(), datetime(2026, 1, 1, tzinfo=UTC)
    back.status.conditions.inform("Aborted", "AbortComplete", "It is back.", now)
    back.status.conditions.mark_false("Ready", "Aborted", "It is back.", now)
    assert messages(decide(halfway(ro=back, stage_bounds={}))) == ["Warning RolloutAborted: It is back."]


# The end


def test_at_the_end_the_route_is_given_back() -> None:
    decision = decide(done())
    assert shown(decision) == ["Route: releasing, traffic latest=100"]
    assert messages(decision) == [f"Normal RolloutComplete: {NEW} has all of the traffic, and its own bounds"]


def test_the_stock_entries_are_those_of_knative() -> None:
    decision = decide(done())
    assert decision.writes[-1].traffic == STOCK  # type: ignore[union-attr]


def test_the_floor_stays_until_the_autoscaler_has_seen_all_of_the_demand() -> None:
    raised = revision(NEW, own={"set": {"min-scale": "3"}}, min_scale="3")
    end = ro([entry(OLD, 100)], [entry(NEW, 100)], ready="True")
    world = done(revisions=by_name(revision(OLD), raised), ro=end, scales={OLD: Scale(0, 1), NEW: Scale(3, 3)})
    waiting = decide(replace(world, complete_for=20.0))
    assert (waiting.phase, waiting.writes, waiting.requeue_after) == ("held", (), 40.0)
    assert decide(replace(world, complete_for=60.0)).phase == "releasing"
    assert decide(replace(world, scales={OLD: Scale(0, 0), NEW: Scale(3, 3)})).phase == "releasing"
    own_minimum = by_name(lowered(OLD, to="0"), revision(NEW, min_scale="4"))
    assert decide(done(revisions=own_minimum, scales={OLD: Scale(0, 1)})).phase == "releasing"


@pytest.mark.parametrize(
    "changes",
    [
        {"ro": ro([entry(OLD, 100, minScale=4)], [entry(NEW, 100, minScale=4)], [entry(NEW, 100)])},
        {"route": route(hold(), pinned(hello_00002=100, hello_00001=0), shown={OLD: 25, NEW: 75})},
        {"route": route(hold(), pinned(hello_00002=100, hello_00001=0), ready="Unknown")},
    ],
)
def test_a_rollout_whose_stages_or_traffic_are_not_at_the_end_goes_on(changes: dict[str, Any]) -> None:
    assert (decide(done(**changes)).phase, decide(done(**changes)).writes) == ("held", ())


# What is left of a hold


def test_a_hold_that_somebody_removed_is_a_release_and_never_pinned_again() -> None:
    world = halfway(route=route(shown={NEW: 100}), revisions=by_name(lowered(OLD, to="3"), lowered(NEW)))
    decision = decide(world)
    assert (decision.phase, decision.carries_on) == ("orphan", False)
    assert shown(decision) == [
        RESTORED,
        f"patch RO: initial {NEW}=100[4..-], target {NEW}=100[4..-], stage removed",
    ]
    assert [event.reason for event in decision.events] == ["HoldRemoved"]
    rest = after(world, decision)
    assert (shown(decide(rest)), messages(decide(rest))) == ([], [])
    left = replace(rest, revisions=by_name(lowered(OLD, to="3", state="reserve"), revision(NEW, min_scale="4")))
    assert shown(decide(left)) == [f"Revision {OLD}: min-scale=4, record removed"]


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [(hold(since="uid-of-another"), "HoldStale"), ("held", "HoldUnreadable")],
)
def test_a_hold_from_a_backup_or_of_another_hand_is_given_back(annotation: str, reason: str) -> None:
    world = halfway(route=route(annotation, pinned(hello_00001=75, hello_00002=25)))
    decision = decide(world)
    assert shown(decision) == [RESTORED, GIVEN_BACK]
    assert reason in messages(decision)[0]
    released = after(world, decision)
    assert decide(released).phase == "releasing", "the hold is of this Service from then on"

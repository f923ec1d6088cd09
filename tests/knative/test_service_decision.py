"""The state machine of a Service: the world before, and the writes and Events that it decides on."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.knative.services import (
    FLOATING,
    PREFIX,
    STOCK,
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
from webhook.api import RolloutOrchestrator
from webhook.knative.bounds import Defaults
from webhook.knative.service_decision import ServiceDecision, decide_service
from webhook.knative.service_seen import ServiceOptions, ServiceSeen
from webhook.knative.stage_traffic import Scale

OLD, NEW, THIRD = "hello-00001", "hello-00002", "hello-00003"
OPTIONS = ServiceOptions()


def seen(**changes: Any) -> ServiceSeen:
    """A Service at the first moment of a rollout: the Route is pinned, the new Revision is there, lowered."""
    world = ServiceSeen(
        service=service(),
        route=route(hold(), pinned(hello_00001=100)),
        revisions=by_name(revision(OLD, min_scale="4"), lowered(NEW, ready="Unknown")),
    )
    return replace(world, **changes)


def rolling(stage: list[dict[str, Any]] | None = None, **changes: Any) -> RolloutOrchestrator:
    """The RO in its first stage."""
    first = [
        entry(OLD, 75, direction="down", targetReplicas=3, minScale=4),
        entry(NEW, 25, direction="up", targetReplicas=1, minScale=4),
    ]
    return ro(
        [entry(OLD, 100, minScale=4)], [entry(NEW, 100, minScale=4)], first if stage is None else stage, **changes
    )


def decide(world: ServiceSeen, options: ServiceOptions = OPTIONS) -> ServiceDecision:
    return decide_service(world, options)


def messages(decision: ServiceDecision) -> list[str]:
    return [f"{event.type} {event.reason}: {event.message}" for event in decision.events]


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


# Held


def test_a_held_service_gets_a_rollout_from_the_live_traffic_to_the_newest_revision() -> None:
    decision = decide(seen())
    assert decision.phase == "held"
    assert shown(decision) == [f"create RO: initial {OLD}=100[4..-], target {NEW}=100[4..-]"]
    assert messages(decision) == [f"Normal RolloutStarted: {NEW} is rolled out in stages, from {OLD} 100%"]
    created = decision.writes[0].rollout  # type: ignore[union-attr]
    assert created["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "name": "hello",
            "uid": "uid-of-hello",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    assert created["metadata"]["labels"] == {"serving.knative.dev/service": "hello"}


def test_the_rollout_states_the_strategy_that_is_configured() -> None:
    """An RO without one gets availability from the webhook, and would keep it."""
    created = decide(seen(strategy="resourceutil")).writes[0].rollout  # type: ignore[union-attr]
    assert created["spec"]["rolloutStrategy"] == "resourceutil"
    earlier = ro([entry("hello-00000", 100)], [entry(OLD, 100)], [entry(OLD, 100)], ready="True")
    (write,) = decide(seen(ro=earlier, strategy="resourceutil")).writes
    assert write.patch["spec"]["rolloutStrategy"] == "resourceutil"  # type: ignore[union-attr,index]


def test_bounds_of_the_cluster_count_as_own_ones() -> None:
    world = seen(revisions=by_name(revision(OLD), revision(NEW)), defaults=Defaults(min_scale=2, max_scale=5))
    assert shown(decide(world)) == [f"create RO: initial {OLD}=100[2..5], target {NEW}=100[2..5]"]


def test_a_minimum_above_the_maximum_of_the_cluster_is_no_reason_to_refuse_the_rollout() -> None:
    world = seen(
        revisions=by_name(revision(OLD, min_scale="9"), revision(NEW, max_scale="2")),
        defaults=Defaults(min_scale=3, max_scale=5),
    )
    assert shown(decide(world)) == [f"create RO: initial {OLD}=100[9..9], target {NEW}=100[3..3]"]


def test_the_rollout_of_an_earlier_edit_gets_new_targets() -> None:
    earlier = ro([entry("hello-00000", 100)], [entry(OLD, 100)], [entry(OLD, 100)], ready="True")
    assert shown(decide(seen(ro=earlier))) == [
        f"patch RO: initial {OLD}=100[4..-], target {NEW}=100[4..-], stage removed"
    ]


def test_an_edit_in_the_middle_starts_from_the_live_shares_and_leaves_the_former_new_revision_first() -> None:
    world = seen(
        route=route(hold(new=THIRD), pinned(hello_00001=75, hello_00002=25)),
        revisions=by_name(revision(OLD, min_scale="4"), lowered(NEW), lowered(THIRD)),
        ro=rolling(),
    )
    decision = decide(world)
    assert shown(decision) == [
        f"patch RO: initial {OLD}=75[4..-] {NEW}=25[4..-], target {THIRD}=100[4..-], stage removed"
    ]
    assert messages(decision) == [f"Normal RolloutStarted: {THIRD} is rolled out in stages, from {OLD} 75%, {NEW} 25%"]


def test_without_shares_in_the_route_the_start_is_that_of_the_hold() -> None:
    world = seen(route=route(hold(initial={OLD: 60, NEW: 40}), [FLOATING], shown={}))
    assert shown(decide(world)) == [f"create RO: initial {OLD}=60[4..-] {NEW}=40[4..-], target {NEW}=100[4..-]"]


def test_a_rollout_without_owner_is_adopted() -> None:
    world = seen(ro=rolling(ownerReferences=[]))
    decision = decide(world)
    assert shown(decision)[0].startswith("patch RO: metadata")
    adopted = after(world, decision).ro
    assert adopted is not None
    assert adopted.metadata.owner_references[0]["uid"] == "uid-of-hello"


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


def told_writes(world: ServiceSeen) -> list[str]:
    decision = decide(world)
    assert shown(decide(after(world, decision))) == []
    return shown(decision)


def test_bounds_that_a_person_edits_reach_the_targets_and_the_stage_goes_on() -> None:
    edited = lowered(NEW, minimum="4", to="1")
    edited["metadata"]["annotations"][PREFIX + "min-scale"] = "6"
    world = seen(revisions=by_name(revision(OLD, min_scale="4"), edited), ro=rolling())
    decision = decide(world)
    assert shown(decision) == [f"patch RO: target {NEW}=100[6..-]"]
    assert messages(decision) == []


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


# The end


def done(**changes: Any) -> ServiceSeen:
    last = ro([entry(OLD, 100, minScale=4)], [entry(NEW, 100, minScale=4)], [entry(NEW, 100)], ready="True")
    world = seen(
        ro=last,
        route=route(hold(), pinned(hello_00002=100, hello_00001=0)),
        revisions=by_name(lowered(OLD, to="0"), revision(NEW, min_scale="4")),
    )
    return replace(world, **changes)


def test_at_the_end_the_route_is_given_back() -> None:
    decision = decide(done())
    assert shown(decision) == ["Route: releasing, traffic latest=100"]
    assert messages(decision) == [f"Normal RolloutComplete: {NEW} has all of the traffic, and its own bounds"]


def test_bounds_that_the_floor_raised_are_restored_before_the_route_is_given_back() -> None:
    raised = revision(NEW, own={"set": {"min-scale": "3"}}, min_scale="3")
    world = done(revisions=by_name(revision(OLD), raised), ro=ro([entry(OLD, 100)], [entry(NEW, 100)], ready="True"))
    assert shown(decide(world)) == [
        f"Revision {NEW}: min-scale=None, record removed",
        "Route: releasing, traffic latest=100",
    ]


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


# Releasing


def releasing(*revisions: dict[str, Any], **changes: Any) -> ServiceSeen:
    return done(route=route(hold("releasing"), shown={NEW: 100}), revisions=by_name(*revisions), **changes)


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


# Release


def halfway(**changes: Any) -> ServiceSeen:
    world = seen(
        ro=rolling(),
        route=route(hold(), pinned(hello_00001=75, hello_00002=25)),
        revisions=by_name(lowered(OLD, to="3"), lowered(NEW)),
        scales={OLD: Scale(3, 3), NEW: Scale(1, 1)},
        stage_bounds={OLD: (3, 3), NEW: (1, None)},
    )
    return replace(world, **changes)


RESTORED = f"Revision {NEW}: min-scale=4, record removed"
GIVEN_BACK = "Route: releasing, traffic latest=100"


@pytest.mark.parametrize(
    "changes",
    [
        {"service": service({"stagegate.dev/progressive": "false"})},
        {"service": service({}), "namespace_labels": {}},
        {"service": service({}), "namespace_labels": {"stagegate.dev/progressive": "false"}},
        {"service": service({}, template={"rollout.knative.dev/progressive-rollout-enabled": "false"}),
         "namespace_labels": {"stagegate.dev/progressive": "true"}},
        {"ro": rolling(annotations={"stagegate.dev/release": "jane"})},
        {"service": service({"stagegate.dev/progressive": "true", "stagegate.dev/release": NEW})},
        {"refusal": "forbidden: exceeded quota", "refused_for": 60.0},
    ],
)  # fmt: skip
def test_a_release_first_lets_the_target_run_its_own_minimum(changes: dict[str, Any]) -> None:
    world = halfway(**changes)
    first = decide(world)
    assert shown(first) == [RESTORED]
    assert (first.carries_on, first.waiting) == (False, f"{NEW} to run 4 replicas (it runs 1)")
    assert [(event.type, event.reason) for event in first.events] == [("Normal", "ReleaseWaiting")]
    waiting = decide(after(world, first))
    assert shown(waiting) == []
    grown = decide(replace(after(world, first), scales={OLD: Scale(3, 3), NEW: Scale(4, 4)}))
    assert shown(grown) == [GIVEN_BACK]
    assert [event.reason for event in grown.events] == ["RolloutReleased"]


def test_without_an_ro_a_release_is_asked_for_on_the_service() -> None:
    """For an RO that cannot be written. The annotation stays there, and has no effect on a later rollout."""
    asked = service({"stagegate.dev/progressive": "true", "stagegate.dev/release": NEW})
    world = halfway(service=asked, ro=None)
    assert shown(decide(world)) == [RESTORED]
    later = halfway(service=asked, ro=None, route=route(hold(new=THIRD), pinned(hello_00001=75, hello_00002=25)))
    later = replace(later, revisions={**later.revisions, **by_name(lowered(THIRD))})
    assert shown(decide(later))[0].startswith("create RO")


@pytest.mark.parametrize("ro", [None, rolling()])
def test_a_rollout_that_is_refused_for_a_minute_is_released_and_the_event_says_who_refused(
    ro: RolloutOrchestrator | None,
) -> None:
    refusal = 'create rolloutorchestrators default/hello: admission webhook "policy.example.com" denied the request: no'
    world = halfway(ro=ro, refusal=refusal, refused_for=59.0)
    assert decide(world).carries_on
    assert shown(decide(replace(world, refused_for=60.0))) == [RESTORED]
    grown = replace(world, refused_for=60.0, revisions=by_name(revision(NEW, min_scale="4")), scales={NEW: Scale(4, 4)})
    assert shown(decide(grown)) == [GIVEN_BACK]
    assert messages(decide(grown)) == [
        (
            f"Warning RolloutReleased: RolloutRefused: what the rollout writes has been refused for 60 s: {refusal};"
            f" Knative goes on by itself: {NEW} 100%"
        )
    ]


@pytest.mark.parametrize(
    ("annotations", "released"),
    [
        pytest.param({"pause": "x"}, False, id="a pause"),
        pytest.param({"pause": "x", "pause-until": "2030-01-01T12:00:01Z"}, False, id="a pause with an end"),
        pytest.param({"pause": "x", "pause-until": "2030-01-01T12:00:00Z"}, True, id="a pause that has ended"),
        pytest.param({"pause": "x", "pause-after-stage": "2"}, True, id="a pause that has not begun"),
        pytest.param({"abort": f"{NEW}=100"}, False, id="an abort"),
        pytest.param({"abort": f"{THIRD}=100"}, True, id="an abort of other targets"),
        pytest.param({"abort": f"{NEW}=100", "release": "jane"}, True, id="a person asks for the release"),
    ],
)
def test_what_is_refused_gives_no_traffic_to_a_revision_that_people_stopped(
    annotations: dict[str, str], released: bool
) -> None:
    steered = rolling(annotations={f"stagegate.dev/{key}": value for key, value in annotations.items()})
    world = halfway(ro=steered, refusal="forbidden: no", refused_for=60.0, now=datetime(2030, 1, 1, 12, tzinfo=UTC))
    assert decide(world).carries_on is not released


def test_the_hold_goes_before_the_ro_is_written_which_may_be_refused_for_good() -> None:
    world = releasing(revision(OLD, min_scale="4"), revision(NEW, min_scale="4"), ro=rolling())
    writes = shown(decide(world))
    assert writes[0] == "Route: no hold"
    assert writes[1].startswith("patch RO: initial")
    assert shown(decide(replace(world, route=route(shown={NEW: 100})))) == writes[1:], "it is tried again"


@pytest.mark.parametrize(
    ("one", "writes"),
    [
        # Rolled back by hand: the old revision gets its pods and all of the traffic in one go.
        (
            service(traffic=[named(OLD, 100)]),
            [f"Revision {OLD}: min-scale=4, record removed", f"Route: releasing, traffic {OLD}=100"],
        ),
        (
            service(traffic=[named(OLD, 50), {"latestRevision": True, "percent": 50}]),
            [
                f"Revision {OLD}: min-scale=4, record removed",
                RESTORED,
                f"Route: releasing, traffic {OLD}=50 latest=50",
            ],
        ),
        (
            service(traffic=[{"latestRevision": True, "percent": 100, "tag": "new"}]),
            [RESTORED, GIVEN_BACK],
        ),
        (service(template={PREFIX + "class": "hpa.autoscaling.knative.dev"}), [RESTORED, GIVEN_BACK]),
    ],
)
def test_explicit_traffic_and_another_autoscaler_act_at_once(one: dict[str, Any], writes: list[str]) -> None:
    assert shown(decide(halfway(service=one))) == writes


def failed(name: str, **more: Any) -> dict[str, Any]:
    one = revision(name, **more)
    one["status"]["conditions"] = [{"type": "Ready", "status": "False", "reason": "ExitCode1", "message": "It failed."}]
    return one


def test_an_old_revision_that_has_failed_does_not_keep_the_new_one_from_its_traffic() -> None:
    world = halfway(revisions=by_name(failed(OLD, min_scale="4"), lowered(NEW)))
    assert shown(decide(world)) == [RESTORED]
    grown = replace(after(world, decide(world)), scales={NEW: Scale(4, 4)})
    assert shown(decide(grown)) == [GIVEN_BACK]
    message = f"Revision {OLD}, which has traffic, is not Ready (ExitCode1: It failed)"
    assert messages(decide(grown)) == [
        f"Warning RolloutReleased: OldRevisionFailed: {message}; Knative goes on by itself: {NEW} 100%"
    ]
    neither = halfway(revisions=by_name(failed(OLD, min_scale="4"), failed(NEW)))
    assert decide(neither).phase == "held"


def test_an_old_revision_that_was_deleted_does_not_keep_the_new_one_from_its_traffic() -> None:
    world = halfway(revisions=by_name(lowered(NEW)))
    assert shown(decide(world)) == [RESTORED]
    grown = replace(after(world, decide(world)), scales={NEW: Scale(4, 4)})
    assert shown(decide(grown)) == [GIVEN_BACK]
    assert messages(decide(grown)) == [
        (
            f"Warning RolloutReleased: OldRevisionFailed: Revision {OLD}, which has traffic, does not exist;"
            f" Knative goes on by itself: {NEW} 100%"
        )
    ]
    neither = halfway(revisions=by_name(lowered(NEW, ready="Unknown")))
    assert decide(neither).phase == "held"


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


def test_upstreams_controllers_take_over_at_once() -> None:
    decision = decide(halfway(foreign="serving-progressive-rollout controllers"))
    assert shown(decision) == [RESTORED, GIVEN_BACK]
    assert "serving-progressive-rollout controllers roll out the Services" in messages(decision)[0]


@pytest.mark.parametrize(
    ("scale", "waiting"),
    [
        # Knative has not read the own minimum: with a replica of the stage the revision would be Ready.
        (Scale(1, 0, minimum=1), f"{NEW} to have its own bounds"),
        (Scale(1, 1, minimum=1, is_initialized=True), f"{NEW} to have its own bounds"),
        # It has run the minimum of the stage, so that it is about to be Ready.
        (Scale(4, 1, minimum=4, is_initialized=True), f"{NEW} to run 4 replicas (it runs 1)"),
        (Scale(4, 4, minimum=4, is_initialized=True), ""),
        # It is Ready with its own minimum and no earlier; or never.
        (Scale(4, 1, minimum=4), ""),
        (Scale(4, 0, minimum=4), ""),
        (Scale(1, 0, minimum=4, is_initialized=True), ""),
        # It has no PodAutoscaler yet.
        (None, ""),
    ],
)
@pytest.mark.parametrize("ready", ["Unknown", "False"])
def test_a_new_revision_that_is_not_ready_has_its_own_bounds_before_traffic_may_float_to_it(
    scale: Scale | None, waiting: str, ready: str
) -> None:
    world = halfway(
        service=service({"stagegate.dev/progressive": "false"}),
        route=route(hold(), pinned(hello_00001=100)),
        revisions=by_name(revision(OLD, min_scale="4"), lowered(NEW, ready=ready)),
        scales={OLD: Scale(4, 4), NEW: Scale(1, 0, minimum=1)},
    )
    first = decide(world)
    assert (shown(first), first.waiting) == ([RESTORED], f"{NEW} to have its own bounds")
    scales = {OLD: Scale(4, 4)} | ({NEW: scale} if scale is not None else {})
    then = decide(replace(after(world, first), scales=scales))
    assert (shown(then), then.waiting) == ([] if waiting else [GIVEN_BACK], waiting)
    assert waiting or f"Knative goes on by itself: {OLD} 100%" in messages(then)[0]


def test_a_new_revision_that_traffic_does_not_float_to_is_not_waited_for() -> None:
    named_old = service(traffic=[named(OLD, 100)])
    world = halfway(service=named_old, revisions=by_name(revision(OLD, min_scale="4"), lowered(NEW, ready="Unknown")))
    assert shown(decide(world)) == [f"Route: releasing, traffic {OLD}=100"]


def test_where_namespaces_cannot_be_seen_their_labels_release_nothing() -> None:
    assert decide(halfway(service=service({}), namespace_labels=None)).carries_on


def test_a_rollout_of_another_owner_is_not_touched() -> None:
    other = {"apiVersion": "v1", "kind": "Other", "name": "x", "uid": "uid-x", "controller": True}
    decision = decide(halfway(ro=rolling(ownerReferences=[other])))
    assert shown(decision) == [RESTORED, GIVEN_BACK]
    assert "belongs to Other x" in messages(decision)[0]


def test_after_a_release_the_rollout_names_what_knative_does() -> None:
    asked = rolling(annotations={"stagegate.dev/release": "jane"})
    world = halfway(route=route(hold("releasing"), shown={NEW: 100}), ro=asked)
    world = replace(world, revisions=by_name(lowered(OLD, to="3"), revision(NEW, min_scale="4")))
    assert shown(decide(world)) == [
        (
            f"patch RO: initial {NEW}=100[4..-], target {NEW}=100[4..-], stage removed,"
            ' metadata {"annotations": {"stagegate.dev/release": null}}'
        )
    ]
    assert shown(decide(after(world, decide(world)))) == []


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


def test_without_a_hold_a_newest_revision_that_is_not_ready_gets_its_bounds_back() -> None:
    revisions = by_name(revision(OLD, min_scale="4"), lowered(NEW, ready="False"))
    decision = decide(halfway(route=route(shown={OLD: 100}), revisions=revisions))
    assert f"Revision {NEW}: min-scale=4, record removed" in shown(decision)
    assert decision.waiting == ""


def test_a_rollout_whose_hold_is_gone_does_not_go_on_by_itself() -> None:
    world = halfway(route=route(shown={NEW: 100}), revisions=by_name(revision(OLD), revision(NEW)))
    assert shown(decide(world)) == [f"patch RO: initial {NEW}=100[-..-], target {NEW}=100[-..-], stage removed"]
    written_by_hand = replace(world, ro=rolling(ownerReferences=[]))
    assert decide(written_by_hand).writes == ()


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


def test_a_deleted_service_leaves_nothing_to_do() -> None:
    decision = decide(halfway(service=service(deletionTimestamp="2026-01-01T00:00:00Z")))
    assert (decision.writes, decision.carries_on) == ((), False)


def test_the_stock_entries_are_those_of_knative() -> None:
    decision = decide(done())
    assert decision.writes[-1].traffic == STOCK  # type: ignore[union-attr]

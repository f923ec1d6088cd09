"""The RO of a Service that is held: what it starts from, leads to and states, and whose it is."""

from dataclasses import replace

from tests.knative.moments import (
    GIVEN_BACK,
    NEW,
    OLD,
    RESTORED,
    THIRD,
    decide,
    halfway,
    messages,
    releasing,
    rolling,
    seen,
)
from tests.knative.services import (
    FLOATING,
    PREFIX,
    after,
    by_name,
    entry,
    hold,
    lowered,
    pinned,
    revision,
    ro,
    route,
    shown,
)
from webhook.knative.bounds import Defaults


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


def test_without_shares_in_the_route_the_start_is_that_of_the_hold() -> None:
    world = seen(route=route(hold(initial={OLD: 60, NEW: 40}), [FLOATING], shown={}))
    assert shown(decide(world)) == [f"create RO: initial {OLD}=60[4..-] {NEW}=40[4..-], target {NEW}=100[4..-]"]


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


def test_bounds_that_a_person_edits_reach_the_targets_and_the_stage_goes_on() -> None:
    edited = lowered(NEW, minimum="4", to="1")
    edited["metadata"]["annotations"][PREFIX + "min-scale"] = "6"
    world = seen(revisions=by_name(revision(OLD, min_scale="4"), edited), ro=rolling())
    decision = decide(world)
    assert shown(decision) == [f"patch RO: target {NEW}=100[6..-]"]
    assert messages(decision) == []


# Whose it is


def test_a_rollout_without_owner_is_adopted() -> None:
    world = seen(ro=rolling(ownerReferences=[]))
    decision = decide(world)
    assert shown(decision)[0].startswith("patch RO: metadata")
    adopted = after(world, decision).ro
    assert adopted is not None
    assert adopted.metadata.owner_references[0]["uid"] == "uid-of-hello"


def test_a_rollout_of_another_owner_is_not_touched() -> None:
    other = {"apiVersion": "v1", "kind": "Other", "name": "x", "uid": "uid-x", "controller": True}
    decision = decide(halfway(ro=rolling(ownerReferences=[other])))
    assert shown(decision) == [RESTORED, GIVEN_BACK]
    assert "belongs to Other x" in messages(decision)[0]


# After a release


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


def test_the_hold_goes_before_the_ro_is_written_which_may_be_refused_for_good() -> None:
    world = releasing(revision(OLD, min_scale="4"), revision(NEW, min_scale="4"), ro=rolling())
    writes = shown(decide(world))
    assert writes[0] == "Route: no hold"
    assert writes[1].startswith("patch RO: initial")
    assert shown(decide(replace(world, route=route(shown={NEW: 100})))) == writes[1:], "it is tried again"


def test_a_rollout_whose_hold_is_gone_does_not_go_on_by_itself() -> None:
    world = halfway(route=route(shown={NEW: 100}), revisions=by_name(revision(OLD), revision(NEW)))
    assert shown(decide(world)) == [f"patch RO: initial {NEW}=100[-..-], target {NEW}=100[-..-], stage removed"]
    written_by_hand = replace(world, ro=rolling(ownerReferences=[]))
    assert decide(written_by_hand).writes == ()

"""Services on stock Knative, carried by the whole loop: edits, and what it makes of Route, Revisions and RO."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.loop.knative import PREFIX, Knative
from tests.loop.world import World
from webhook.cluster.errors import ApiError, Forbidden
from webhook.cluster.resource import KNATIVE_SERVICES, NAMESPACES, REVISIONS, ROLLOUT_ORCHESTRATORS, ROUTES
from webhook.cluster.transport import Request
from webhook.knative.annotations import HOLD

OLD, NEW, THIRD = "hello-00001", "hello-00002", "hello-00003"
LOWERED = {
    PREFIX + "min-scale": "1",
    PREFIX + "stagegate-own": '{"min-scale":"4","set":{"min-scale":"1"}}',
}


def carry(
    knative: Knative, until: Callable[[], bool] | None = None, turns: int = 120
) -> list[tuple[tuple[str, int], ...]]:
    """Let loop and Knative take turns until the hold is gone, or until the condition holds; the shares on the way."""

    def is_over() -> bool:
        return HOLD not in (knative.route["metadata"].get("annotations") or {})

    for _ in range(turns):
        knative.world.settle()
        if (until or is_over)():
            break
        knative.turn()
        knative.world.clock.advance(1)
    else:
        raise AssertionError(f"not over after {turns} turns: {knative.path[-3:]}, {knative.world.emitted()[-3:]}")
    return list(dict.fromkeys(tuple(sorted(shares.items())) for shares, _ in knative.path))


def as_shares(*shares: dict[str, int]) -> list[tuple[tuple[str, int], ...]]:
    return [tuple(sorted(one.items())) for one in shares]


def test_an_edited_service_is_carried_through_its_stages(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    path = carry(knative)
    assert path == as_shares({OLD: 100}, {OLD: 75, NEW: 25}, {OLD: 50, NEW: 50}, {OLD: 25, NEW: 75}, {NEW: 100})
    peak = max(sum(pods.values()) for _, pods in knative.path)
    assert peak == 5, "one stage more than the Service has"
    for shares, pods in knative.path:
        for name, percent in shares.items():
            assert pods[name] >= percent * 4 // 100, "no share on fewer pods than it takes"


def test_what_the_four_stages_of_an_edit_cost_in_writes_and_events(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative)
    writes = Counter(write.rpartition(" ")[0] for write in knative.world.written())

    assert writes["patch rolloutorchestrators/status"] == 4 * 4, "begun, scaled up, traffic moved, done"
    assert writes["patch rolloutorchestrators"] == 4
    assert writes["patch routes"] == 4 + 2, "a stage each; the hold ends in two"
    assert writes["patch stagepodautoscalers"] + writes["create stagepodautoscalers"] == 2 * 4 + 1
    assert len(knative.world.reasons()) == 4 * 4 + 2, "and the start and the end, about the Service"


def test_everything_is_given_back_at_the_end(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative)
    for _ in range(3):
        knative.turn()
    assert knative.annotations(OLD) == {"min-scale": "4"}
    assert knative.annotations(NEW) == {"min-scale": "4"}
    assert knative.route["spec"]["traffic"] == [{"configurationName": "hello", "latestRevision": True, "percent": 100}]
    assert knative.pods == {OLD: 0, NEW: 4}
    knative.world.settle()
    assert knative.world.forget().settle().written() == [], "at rest nothing is written"


def test_the_service_gets_one_event_at_the_start_and_one_at_the_end(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative)
    of_service = [event for event in knative.world.events if event.regarding["kind"] == "Service"]
    assert [(event.type, event.reason) for event in of_service] == [
        ("Normal", "RolloutStarted"),
        ("Normal", "RolloutComplete"),
    ]


def by_resourceutil(knative: Knative) -> Knative:
    service = knative.service
    key = "rollout.knative.dev/progressive-rollout-strategy"
    service["spec"]["template"]["metadata"]["annotations"][key] = "resourceutil"
    knative.world.api.put(KNATIVE_SERVICES, service)
    return knative


def test_resourceutil_lowers_before_it_raises(knative: Knative) -> None:
    by_resourceutil(knative).edit(2, born=LOWERED)
    path = carry(knative)
    assert path[0] == ((OLD, 100),)
    assert path[-1] == ((NEW, 100),)
    assert len(path) == 5
    peak = max(sum(pods.values()) for _, pods in knative.path)
    assert peak == 4, "never more than before"


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
def test_a_traffic_driven_service_gives_no_share_to_pods_that_do_not_run(strategy: str) -> None:
    world = World()
    world.settings(over_consumption_ratio="25")
    knative = Knative(world, demand=4).start()
    if strategy == "resourceutil":
        by_resourceutil(knative)
    world.settle().forget()
    knative.edit(2)
    path = carry(knative, turns=600)
    assert path[-1] == ((NEW, 100),)
    for shares, pods in knative.path:
        assert pods.get(NEW, 0) >= shares.get(NEW, 0) * 3 // 100, (shares, pods)
    assert knative.annotations(NEW) == {}


def test_a_traffic_driven_service_keeps_no_replicas_for_its_shares_where_that_is_turned_off() -> None:
    world = World()
    world.settings(over_consumption_ratio="25", keep_replicas_for_shares="false")
    knative = Knative(world, demand=4).start()
    world.settle().forget()
    knative.edit(2)
    minimums = set()
    for _ in range(40):
        knative.turn()
        world.settle()
        minimums.add(knative.annotations(NEW).get("min-scale"))
    assert minimums == {None}


def test_a_pod_that_the_autoscaler_counts_and_the_deployment_does_not_gets_no_share(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    knative.world.deployment(NEW, 1, 0)
    for _ in range(10):
        knative.turn()
        knative.world.settle()
    assert knative.pods[NEW] == 1
    assert knative.shares() == {OLD: 100}
    knative.world.deployment(NEW, 1, 1)
    carry(knative, lambda: knative.shares() == {OLD: 75, NEW: 25})


def test_a_rollout_ends_where_nothing_scales_to_zero(knative: Knative) -> None:
    knative.scales_to_zero = False
    knative.edit(2, born=LOWERED)
    assert carry(knative)[-1] == ((NEW, 100),)
    assert knative.pods[OLD] == 1


def test_traffic_does_not_move_before_the_route_shows_it_and_nothing_is_lowered(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.pods.get(NEW) == 1)
    knative.stalled = True
    for _ in range(20):
        knative.turn()
        knative.world.settle()
        knative.world.clock.advance(1)
    assert knative.pods == {OLD: 4, NEW: 1}
    assert knative.annotations(OLD) == {"min-scale": "4"}
    assert knative.world.condition("StageTrafficReady")[0] == "Unknown"
    assert "Route hello to move to hello-00001 75%, hello-00002 25%" in knative.world.condition_message("StageReady")
    knative.world.forget()
    knative.world.settle()
    assert knative.world.written() == [], "nothing is written while it stands"
    knative.stalled = False
    carry(knative)


def test_stages_that_time_out_add_up_no_shares_while_the_route_does_not_move(knative: Knative) -> None:
    world = knative.world

    def turn() -> None:
        knative.turn()
        for name, pods in knative.pods.items():
            world.deployment(name, pods, pods)
        world.settle()
        world.clock.advance(10)

    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.pods.get(NEW) == 1)
    knative.stalled = True
    for _ in range(100):
        turn()
    assert "its Route has not shown the traffic of the stage for that long" in " ".join(world.emitted())
    knative.stalled = False
    for _ in range(40):
        turn()
    assert knative.shares() == {NEW: 100}
    for shares, pods in knative.path:
        assert pods.get(NEW, 0) * 25 >= shares.get(NEW, 0), (shares, pods)


def test_a_new_revision_that_is_never_ready_gets_nothing_and_the_next_edit_replaces_it(knative: Knative) -> None:
    knative.broken.add(NEW)
    knative.edit(2, born=LOWERED)
    for _ in range(30):
        knative.turn()
        knative.world.settle()
        knative.world.clock.advance(1)
    assert knative.shares() == {OLD: 100}
    assert knative.pods[OLD] == 4
    assert "ExitCode1" in knative.world.condition_message("StageReady")
    knative.edit(3, born=LOWERED)
    path = carry(knative)
    assert path[-1] == ((THIRD, 100),)
    assert all(NEW not in dict(shares) for shares in path)


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
def test_the_share_of_a_new_revision_that_fails_is_given_back_where_that_is_set(strategy: str) -> None:
    world = World()
    world.settings(over_consumption_ratio="25", give_failed_shares_back="true")
    knative = Knative(world).start(min_scale="4")
    if strategy == "resourceutil":
        by_resourceutil(knative)
    world.settle().forget()
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 50, NEW: 50})
    knative.broken.add(NEW)
    knative.path.clear()
    carry(knative, lambda: knative.shares() == {OLD: 100}, turns=300)
    assert [dict(shares) for shares in dict.fromkeys(tuple(shares.items()) for shares, _ in knative.path)] == [
        {OLD: 50, NEW: 50},
        {OLD: 100},
    ], "a share that stays would keep the Route from moving"
    assert knative.path[-1][1][OLD] == 4, "the old revision has its replicas before the requests"
    aborts = [line for line in world.emitted() if "Abort" in line]
    assert f"{NEW} is not Ready (ExitCode1: Container failed)" in " ".join(aborts)
    for _ in range(10):
        knative.turn()
        world.settle()
    assert knative.shares() == {OLD: 100}
    assert knative.pods == {OLD: 4, NEW: 0}
    knative.edit(3, born=LOWERED)
    assert carry(knative)[-1] == ((THIRD, 100),)


def test_without_that_setting_the_route_stays_as_it_is_until_the_revision_is_ready_again(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 50, NEW: 50})
    knative.broken.add(NEW)
    for _ in range(60):
        knative.turn()
        knative.world.settle()
        knative.world.clock.advance(1)
    assert knative.shares() == {OLD: 50, NEW: 50}
    failure = f"Warning RolloutFailed: {NEW} is not Ready (ExitCode1: Container failed)"
    assert [line for line in knative.world.emitted() if line.startswith(failure)]
    knative.broken.clear()
    assert carry(knative)[-1] == ((NEW, 100),)


def test_a_stage_that_is_late_is_a_failure_of_the_service_although_knative_names_none(knative: Knative) -> None:
    knative.hanging.add(NEW)
    knative.edit(2, born=LOWERED)
    for _ in range(200):
        knative.turn()
        for name, pods in knative.pods.items():
            knative.world.deployment(name, max(1, pods), pods)
        knative.world.settle()
        knative.world.clock.advance(60)
    failures = [
        event.message
        for event in knative.world.events
        if event.regarding["kind"] == "Service" and event.reason == "RolloutFailed"
    ]
    assert len(failures) == 1
    assert failures[0].startswith("The stage was not done by ")


def test_the_rollout_states_since_when_it_is_held_and_that_no_request_reaches_the_new_revision(
    knative: Knative,
) -> None:
    world = knative.world
    knative.edit(2, born=LOWERED)
    since = world.clock.now().replace(microsecond=0)
    carry(knative, lambda: knative.pods.get(NEW) == 1)
    held = world.stored_condition("RouteHeld")
    assert (held["status"], held["lastTransitionTime"]) == ("True", since.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert world.condition("NoTrafficYet") == ("True", "RolloutInProgress")
    assert world.condition_message("NoTrafficYet") == f"No request reaches {NEW} yet."
    carry(knative, lambda: knative.shares() == {OLD: 50, NEW: 50})
    assert world.stored_condition("NoTrafficYet") == {}
    assert world.stored_condition("RouteHeld") == held
    carry(knative)
    assert world.stored_condition("RouteHeld") == {}


def test_an_edit_in_the_middle_starts_from_the_live_shares(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 50, NEW: 50})
    knative.path.clear()
    knative.edit(3, born=LOWERED)
    path = [dict(shares) for shares in carry(knative)]
    assert path[0] == {OLD: 50, NEW: 50}
    assert path[-1] == {THIRD: 100}
    for before, after in pairwise(path):
        for name in (OLD, NEW):
            assert after.get(name, 0) <= before.get(name, 0), "what goes down is never raised"
    for _ in range(3):
        knative.turn()
    knative.world.settle()
    assert [knative.annotations(name) for name in (OLD, NEW, THIRD)] == [{"min-scale": "4"}] * 3


def test_an_edit_right_after_the_traffic_moved_does_not_count_the_pods_that_are_about_to_go(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 50, NEW: 50})
    assert knative.pods[OLD] == 3, "the old revision is to go to two"
    knative.path.clear()
    knative.edit(3, born=LOWERED)
    path = [dict(shares) for shares in carry(knative)]
    assert path == [
        {OLD: 50, NEW: 50},
        {OLD: 50, NEW: 25, THIRD: 25},
        {OLD: 50, THIRD: 50},
        {OLD: 25, THIRD: 75},
        {THIRD: 100},
    ]
    assert max(sum(pods.values()) for _, pods in knative.path) <= 6
    assert max(pods.get(THIRD, 0) for _, pods in knative.path) == 4


def test_an_edit_before_the_new_revision_has_a_share_starts_no_pods_for_a_revision_in_the_middle(
    knative: Knative,
) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.pods.get(NEW) == 1)
    knative.edit(3, born=LOWERED)
    carry(knative)
    shares = list(dict.fromkeys(tuple(sorted(shares.items())) for shares, _ in knative.path))
    assert shares[-4:] == as_shares({OLD: 75, THIRD: 25}, {OLD: 50, THIRD: 50}, {OLD: 25, THIRD: 75}, {THIRD: 100})
    assert max(pods.get(THIRD, 0) for _, pods in knative.path) == 4
    totals = [sum(pods.values()) for _, pods in knative.path]
    assert totals[1] == 6, "the old pods, and the first one of both new revisions"
    assert max(totals[2:]) == 5, "one stage more than the Service has"


def test_edits_in_quick_succession_run_no_revision_above_its_own_minimum(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 75, NEW: 25})
    knative.edit(3, born=LOWERED)
    carry(knative, lambda: THIRD in knative.shares())
    knative.edit(4, born=LOWERED)
    carry(knative)
    assert max(max(pods.values()) for _, pods in knative.path) == 4
    assert max(sum(pods.values()) for _, pods in knative.path) <= 7


def test_an_opt_out_in_the_middle_lets_the_target_run_its_own_minimum_first(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 75, NEW: 25})
    service = knative.service
    service["metadata"]["annotations"] = {"stagegate.dev/progressive": "false"}
    knative.world.api.put(KNATIVE_SERVICES, service)
    knative.path.clear()
    carry(knative)
    moved = next(pods for shares, pods in knative.path if shares == {NEW: 100})
    assert moved[NEW] == 4
    waiting = f"this waits for {NEW} to run 4 replicas (it runs 1)"
    assert [line for line in knative.world.emitted() if "ReleaseWaiting" in line and line.endswith(waiting)]
    for _ in range(3):
        knative.turn()
    assert (knative.annotations(OLD), knative.annotations(NEW)) == ({"min-scale": "4"}, {"min-scale": "4"})
    knative.world.settle()
    assert knative.world.condition("Ready") == ("True", "")


def test_an_opt_out_gives_a_new_revision_that_never_runs_its_own_bounds_before_the_route_is_given_back(
    knative: Knative,
) -> None:
    knative.hanging.add(NEW)
    knative.edit(2, born=LOWERED)
    knative.world.settle()
    service = knative.service
    service["metadata"]["annotations"] = {"stagegate.dev/progressive": "false"}
    knative.world.api.put(KNATIVE_SERVICES, service)
    knative.world.settle()
    assert knative.annotations(NEW) == {"min-scale": "4"}
    assert knative.route["spec"]["traffic"][0]["revisionName"] == OLD, "Knative has not read the own bounds"
    carry(knative)
    assert knative.shares() == {OLD: 100}


def test_an_opt_out_before_the_loop_has_made_an_ro_waits_for_the_replicas_too(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    knative.turn()
    service = knative.service
    service["metadata"]["annotations"] = {"stagegate.dev/progressive": "false"}
    knative.world.api.put(KNATIVE_SERVICES, service)
    knative.world.settle()
    assert knative.annotations(NEW) == {"min-scale": "4"}
    assert HOLD in knative.route["metadata"]["annotations"]

    while knative.pods[NEW] < 4:
        knative.turn()
        knative.world.settle()
    assert knative.route["spec"]["traffic"] == [{"configurationName": "hello", "latestRevision": True, "percent": 100}]


@pytest.mark.parametrize("verb", ["create", "patch"])
def test_a_service_whose_rollout_is_refused_for_good_is_given_back(knative: Knative, verb: str) -> None:
    world = knative.world

    def refuse(request: Request) -> ApiError | None:
        is_refused = request.call.resource == ROLLOUT_ORCHESTRATORS.plural and request.call.verb == verb
        return Forbidden(request.call, "denied by policy.example.com", status=403) if is_refused else None

    world.api.fail = refuse
    knative.edit(2, born=LOWERED)
    carry(knative, turns=200)
    refusal = f"{verb} rolloutorchestrators default/hello: denied by policy.example.com"
    released = [line for line in world.emitted() if "RolloutReleased" in line]
    assert len(released) == 1
    assert refusal in released[0]
    for _ in range(3):
        knative.turn()
    assert (knative.shares(), knative.pods[NEW]) == ({NEW: 100}, 4)
    assert (knative.annotations(OLD), knative.annotations(NEW)) == ({"min-scale": "4"}, {"min-scale": "4"})


def test_a_release_that_is_asked_for_on_the_service_needs_no_rollout(knative: Knative) -> None:
    def refuse(request: Request) -> ApiError | None:
        is_ro = request.call.resource == ROLLOUT_ORCHESTRATORS.plural and request.call.verb != "list"
        return Forbidden(request.call, "no", status=403) if is_ro else None

    knative.world.api.fail = refuse
    knative.edit(2, born=LOWERED)
    knative.turn()
    knative.world.settle()
    service = knative.service
    service["metadata"]["annotations"]["stagegate.dev/release"] = NEW
    knative.world.api.put(KNATIVE_SERVICES, service)
    carry(knative, turns=20)
    assert "ReleaseRequested: stagegate.dev/release of the Service names hello-00002" in " ".join(
        knative.world.emitted()
    )


def test_an_opt_out_of_the_namespace_releases_too() -> None:
    world = World()
    knative = Knative(world).start(min_scale="4")
    knative.world.api.put(
        NAMESPACES, {"metadata": {"name": "default", "labels": {"stagegate.dev/progressive": "true"}}}
    )
    service = knative.service
    service["metadata"]["annotations"] = {}
    world.api.put(KNATIVE_SERVICES, service)
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 75, NEW: 25})
    knative.world.api.put(NAMESPACES, {"metadata": {"name": "default", "labels": {}}})
    carry(knative)
    knative.turn()
    assert knative.shares() == {NEW: 100}


def test_a_rollback_by_explicit_traffic_acts_at_once(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 50, NEW: 50})
    service = knative.service
    service["spec"]["traffic"] = [{"revisionName": OLD, "percent": 100}]
    knative.world.api.put(KNATIVE_SERVICES, service)
    knative.world.settle()
    assert knative.route["spec"]["traffic"] == [{"revisionName": OLD, "percent": 100}]
    assert knative.annotations(OLD) == {"min-scale": "4"}
    carry(knative)


def test_a_rollback_that_keeps_a_tag_on_the_new_revision_ends_the_hold(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares().get(NEW) == 50)
    service = knative.service
    service["spec"]["traffic"] = [
        {"revisionName": OLD, "percent": 100},
        {"latestRevision": True, "percent": 0, "tag": "new"},
    ]
    knative.world.api.put(KNATIVE_SERVICES, service)
    carry(knative)
    assert knative.annotations(NEW) == {"min-scale": "4"}


def test_a_deleted_route_leaves_no_bounds_behind(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 75, NEW: 25})
    knative.world.api.remove(ROUTES, "default", "hello")
    knative.world.settle()
    stock = {"configurationName": "hello", "latestRevision": True, "percent": 100}
    knative.world.api.put(ROUTES, {"metadata": {"name": "hello", "uid": "another"}, "spec": {"traffic": [stock]}})
    for _ in range(10):
        knative.turn()
        knative.world.settle()
    assert (knative.annotations(OLD), knative.annotations(NEW)) == ({"min-scale": "4"}, {"min-scale": "4"})
    assert HOLD not in knative.route["metadata"].get("annotations", {})
    assert knative.world.condition("Ready") == ("True", "")


def test_a_route_that_was_pinned_a_moment_ago_is_no_orphan(knative: Knative) -> None:
    """The cache of Routes lags behind that of Revisions: the Route is read before bounds are restored."""
    world = knative.world
    knative.edit(2, born=LOWERED)
    caches = world.loop.caches
    for cache in (caches.revisions, caches.pod_autoscalers):
        for reflector in cache.reflectors:
            reflector.step()
    while world.loop.workers.step():
        pass
    assert knative.annotations(NEW)["min-scale"] == "1"
    carry(knative)


def test_a_new_loop_takes_up_what_it_finds(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    for _ in range(60):
        knative.turn()
        knative.world.start()
        knative.world.settle()
        knative.world.clock.advance(1)
        if HOLD not in (knative.route["metadata"].get("annotations") or {}):
            break
    assert knative.route["spec"]["traffic"] == [{"configurationName": "hello", "latestRevision": True, "percent": 100}]


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
def test_a_pin_whose_revision_is_not_stored_yet_resumes_no_finished_rollout(strategy: str) -> None:
    world = World()
    world.settings(over_consumption_ratio="25")
    knative = Knative(world, demand=8).start()
    if strategy == "resourceutil":
        by_resourceutil(knative)
    world.settle().forget()
    knative.edit(2)
    carry(knative, turns=600)
    knative.demand = 1
    for _ in range(20):
        knative.turn()
        world.settle()
    assert knative.pods == {OLD: 0, NEW: 1}
    world.forget()
    knative.edit(3)
    world.api.remove(REVISIONS, "default", THIRD)
    world.settle()
    assert world.written() == []


def test_a_pin_without_a_revision_is_released_after_half_a_minute(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    knative.world.api.remove(REVISIONS, "default", NEW)
    knative.world.settle()
    assert HOLD in knative.route["metadata"]["annotations"]
    knative.world.clock.advance(31)
    carry(knative)
    assert knative.world.api.get(ROLLOUT_ORCHESTRATORS, "default", "hello") is None


def test_without_stock_knative_services_are_left_alone() -> None:
    world = World(stock_knative=False)
    knative = Knative(world).start(min_scale="4")
    knative.edit(2, born=LOWERED)
    assert world.settle().written() == []
    assert {call.resource for call in world.api.reads} & {"namespaces"} == set()

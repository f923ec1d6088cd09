"""What a forecast is about: rows of given and live objects, and the rollout and assumptions that come of them."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from webhook.api import TargetRevision
from webhook.api.quantity import format_quantity
from webhook.forecast.objects import Objects
from webhook.forecast.subject import NoForecast, Subject, subject_of
from webhook.planning.abort import ABORT_RECORD, AbortRecord

Wire = dict[str, Any]


def service(image: str, minimum: int | None = 4, progressive: str | None = "true", **more: Any) -> Wire:
    annotations = {} if minimum is None else {"autoscaling.knative.dev/min-scale": str(minimum)}
    resources = {"requests": {"cpu": "1"}, "limits": {"nvidia.com/gpu": "1"}}
    spec = {"containers": [{"image": image, "resources": resources}]}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {
            "name": "shop",
            "namespace": "default",
            "uid": "s",
            "annotations": {} if progressive is None else {"stagegate.dev/progressive": progressive},
        },
        "spec": {"template": {"metadata": {"annotations": annotations}, "spec": spec}, **more},
    }


def rollout(**members: Any) -> Wire:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "RolloutOrchestrator",
        "metadata": {"name": "shop", "namespace": "default", "uid": "r", "generation": 1},
        "spec": {
            "initialRevisions": [{"revisionName": "shop-00001", "percent": 100}],
            "targetRevisions": [{"revisionName": "shop-00002", "percent": 100}],
        },
        **members,
    }


def scaled(name: str, actual: int) -> Wire:
    return {
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": {"name": name},
        "status": {"actualScale": actual},
    }


def route(**percents: int) -> Wire:
    traffic = [{"revisionName": key.replace("_", "-"), "percent": value} for key, value in percents.items()]
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Route",
        "metadata": {"name": "shop"},
        "status": {"traffic": traffic},
    }


LIVE_SERVICE = {**service("a:7"), "status": {"latestCreatedRevisionName": "shop-00007"}}


def lists(subject: Subject) -> tuple[dict[str, int | None], dict[str, int | None]]:
    spec = subject.ro.spec
    return (
        {entry.revision_name: entry.percent for entry in spec.initial_revisions},
        {entry.revision_name: entry.percent for entry in spec.target_revisions},
    )


@pytest.mark.parametrize(
    ("given", "live", "expected"),
    [
        pytest.param(
            [service("a:1"), service("a:2")],
            [],
            ({"shop-00001": 100}, {"shop-00002": 100}),
            id="two Services: the old and the new one",
        ),
        pytest.param(
            [service("a:8")],
            [LIVE_SERVICE, route(shop_00007=100)],
            ({"shop-00007": 100}, {"shop-00008": 100}),
            id="one Service, and the live one",
        ),
        pytest.param(
            [service("a:8")],
            [LIVE_SERVICE, route(shop_00006=25, shop_00007=75)],
            ({"shop-00006": 25, "shop-00007": 75}, {"shop-00008": 100}),
            id="in the middle of a rollout: from the shares of this moment",
        ),
        pytest.param([], [LIVE_SERVICE], ({"shop-00007": 100}, {"shop-00008": 100}), id="the next edit of a live one"),
        pytest.param([rollout()], [], ({"shop-00001": 100}, {"shop-00002": 100}), id="an RO as it is written"),
        pytest.param(
            [rollout(), service("a:2")], [], ({"shop-00001": 100}, {"shop-00002": 100}), id="an RO with its Service"
        ),
        pytest.param([], [rollout()], ({"shop-00001": 100}, {"shop-00002": 100}), id="a live RO on its way"),
    ],
)
def test_what_is_rolled_out(given: list[Wire], live: list[Wire], expected: Any) -> None:
    assert lists(subject_of(Objects(given), Objects(live), "shop")) == expected


def test_a_rollout_on_its_way_has_the_replicas_traffic_and_bounds_of_this_moment() -> None:
    spa = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "StagePodAutoscaler",
        "metadata": {"name": "shop-00001"},
        "spec": {"stageMaxScale": 3},
    }
    ro = rollout()
    ro["spec"]["stageTargetRevisions"] = [
        {"revisionName": "shop-00001", "percent": 75, "direction": "down", "targetReplicas": 3},
        {"revisionName": "shop-00002", "percent": 25, "direction": "up", "targetReplicas": 1},
    ]
    live = [ro, route(shop_00001=75, shop_00002=25), scaled("shop-00001", 3), scaled("shop-00002", 1), spa]

    subject = subject_of(Objects(), Objects(live), "shop")

    assert subject.scales == subject.running == {"shop-00001": 3, "shop-00002": 1}
    assert subject.traffic == {"shop-00001": 75, "shop-00002": 25}
    assert subject.bounds == {"shop-00001": (None, 3)}
    assert subject.demand == 4
    assert not subject.is_held


def test_a_held_route_is_recognised() -> None:
    owner = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "shop", "uid": "s", "controller": True}
    hold = '{"initial":{"shop-00001":100},"new":"shop-00002","phase":"held","since":"s"}'
    held = route(shop_00001=100)
    held["metadata"] |= {"annotations": {"stagegate.dev/hold": hold}, "ownerReferences": [owner]}
    ro = rollout()
    ro["metadata"]["ownerReferences"] = [owner]

    subject = subject_of(Objects(), Objects([ro, held]), "shop")

    assert subject.is_held
    assert any("the Route is held" in text for text in subject.assumptions)


@pytest.mark.parametrize(
    ("live", "given", "demand", "words"),
    [
        pytest.param([], 7, 7, "needs 7 replicas (as given)", id="given"),
        pytest.param([scaled("shop-00001", 5)], None, 5, "as many as run now", id="what runs"),
        pytest.param([], None, 4, "the minimum", id="the minimum"),
    ],
)
def test_the_demand(live: list[Wire], given: int | None, demand: int, words: str) -> None:
    subject = subject_of(Objects([service("a:1"), service("a:2")]), Objects(live), demand=given)

    assert subject.demand == demand
    assert words in subject.assumptions[0]


def labelled(one: Wire, name: str) -> Wire:
    return {**one, "metadata": {**one["metadata"], "labels": {"serving.knative.dev/service": name}}}


def test_another_rollout_of_the_namespace_is_not_counted() -> None:
    other = [labelled(scaled("other-00001", 10), "other"), labelled(scaled("other-00002", 3), "other")]
    live = [LIVE_SERVICE, route(shop_00007=100), labelled(scaled("shop-00007", 4), "shop"), *other]

    subject = subject_of(Objects(), Objects(live), "shop")

    assert (subject.demand, subject.running) == (4, {"shop-00007": 4})


def test_on_its_way_the_demand_is_what_the_present_stage_counts_on() -> None:
    ro = rollout()
    ro["spec"]["stageTargetRevisions"] = [
        {"revisionName": "shop-00001", "percent": 66, "direction": "down", "targetReplicas": 4},
        {"revisionName": "shop-00002", "percent": 34, "direction": "up", "targetReplicas": 2},
    ]
    # The old revision is not lowered yet, and the new one runs the replicas of the stage already.
    live = [ro, scaled("shop-00001", 6), scaled("shop-00002", 2)]

    assert subject_of(Objects(), Objects(live), "shop").demand == 6


@pytest.mark.parametrize(("reason", "goes"), [("Aborted", "goes back to"), ("AbortComplete", "is back")])
def test_an_aborted_rollout_goes_back(reason: str, goes: str) -> None:
    old, new = TargetRevision("shop-00001", percent=100), TargetRevision("shop-00002", percent=25)
    record = AbortRecord("shop-00002=100", (replace(old, percent=75), new), (old,))
    status = {
        "conditions": [{"type": "Aborted", "status": "True", "reason": reason}],
        "annotations": {ABORT_RECORD: record.to_annotation()},
    }
    subject = subject_of(Objects(), Objects([rollout(status=status)]), "shop")

    assert lists(subject) == ({"shop-00001": 75, "shop-00002": 25}, {"shop-00001": 100})
    assert f"it was aborted, and {goes} where it began" in subject.assumptions


def test_nothing_is_known_of_the_demand() -> None:
    subject = subject_of(Objects([service("a:1", None), service("a:2", None)]), Objects())

    assert (subject.demand, "give what it needs with --demand" in subject.assumptions[0]) == (1, True)


def test_the_resources_of_a_replica() -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "labels": {"serving.knative.dev/revision": "shop-00001"}},
        "spec": {"template": {"spec": {"containers": [{"resources": {"requests": {"cpu": "3"}}}]}}},
    }
    subject = subject_of(Objects([service("a:1"), service("a:2")]), Objects([deployment]))
    cpu = {name: format_quantity(usage["cpu"]) for name, usage in subject.replica.items()}

    assert cpu == {"shop-00001": "3", "shop-00002": "1025m"}
    assert subject.replica["shop-00002"]["nvidia.com/gpu"] == 1

    known = subject_of(Objects([rollout()]), Objects(), per_replica={"nvidia.com/gpu": Decimal(2)})
    assert known.replica["shop-00002"] == {"pods": 1, "nvidia.com/gpu": 2}


def test_settings_come_from_the_config_map_and_the_template() -> None:
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "config-rolloutorchestrator"},
        "data": {"over-consumption-ratio": "30", "keep-replicas-for-shares": "false"},
    }
    subject = subject_of(Objects([service("a:1"), service("a:2"), settings]), Objects())

    assert (subject.config.over_consumption_ratio, subject.keeps_floor) == (30, False)


def test_a_service_that_nobody_opted_in_says_so() -> None:
    given = [service("a:1"), service("a:2", progressive=None)]
    label = {"stagegate.dev/progressive": "true"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default", "labels": label}}

    def says(live: list[Wire]) -> bool:
        return any("has to opt it in" in text for text in subject_of(Objects(given), Objects(live)).assumptions)

    assert says([])
    assert not says([namespace])


@pytest.mark.parametrize(
    ("given", "live", "words"),
    [
        pytest.param([service("a:1")], [], "is new, so Knative creates it without stages", id="a first deployment"),
        pytest.param([service("a:1"), service("a:1")], [], "nothing to roll out", id="the same template"),
        pytest.param([], [], "neither a RolloutOrchestrator nor a Knative Service", id="nothing"),
        pytest.param(
            [service("a:1"), service("a:2", traffic=[{"percent": 50}, {"percent": 50}])],
            [],
            "spec.traffic splits the traffic",
            id="a split",
        ),
        pytest.param(
            [rollout(), {**rollout(), "metadata": {"name": "other"}}], [], "several rollouts (other, shop)", id="two"
        ),
        pytest.param([rollout(spec={"targetRevisions": "none"})], [], "spec.targetRevisions", id="not an RO"),
    ],
)
def test_what_cannot_be_forecast(given: list[Wire], live: list[Wire], words: str) -> None:
    with pytest.raises(NoForecast) as problem:
        subject_of(Objects(given), Objects(live))
    assert words in str(problem.value)


def test_other_kinds_of_the_same_name_are_not_taken() -> None:
    core = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}, "spec": {}}
    assert lists(subject_of(Objects([rollout(), core]), Objects()))[0] == {"shop-00001": 100}

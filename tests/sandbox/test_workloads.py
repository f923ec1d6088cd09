"""Workloads are read from the objects of the API: rows of objects, and what the autoscaler computes of a revision."""

from typing import Any

import pytest

from sandbox.autoscaler import Phase, Pod, Workload
from sandbox.workloads import grace_seconds, workloads

Wire = dict[str, Any]


def metadata(name: str, **more: Any) -> Wire:
    return {"namespace": "default", "name": name, **more}


def pod_autoscaler(annotations: dict[str, str] | None = None, status: Wire | None = None) -> Wire:
    labels = {"serving.knative.dev/service": "hello"}
    return {"metadata": metadata("hello-00001", labels=labels, annotations=annotations or {}), "status": status or {}}


def bounds(minimum: str, maximum: str) -> dict[str, str]:
    return {"autoscaling.knative.dev/min-scale": minimum, "autoscaling.knative.dev/max-scale": maximum}


def spa(minimum: int | None = None, maximum: int | None = None) -> Wire:
    spec_fields = {"stageMinScale": minimum, "stageMaxScale": maximum}
    return {
        "metadata": metadata("hello-00001"),
        "spec": {key: value for key, value in spec_fields.items() if value is not None},
    }


def rollout(*, initial: dict[str, int], stage: dict[str, int | None] | None = None) -> Wire:
    def entries(percents: dict[str, int] | dict[str, int | None]) -> list[Wire]:
        return [
            {"revisionName": name} | ({} if percent is None else {"percent": percent})
            for name, percent in percents.items()
        ]

    spec: Wire = {"initialRevisions": entries(initial)}
    if stage is not None:
        spec["stageTargetRevisions"] = entries(stage)
    return {"metadata": metadata("hello"), "spec": spec}


TAGGED: Wire = {
    "metadata": metadata("hello"),
    "spec": {
        "stageTargetRevisions": [
            {"revisionName": "hello-00001", "percent": 70},
            {"revisionName": "hello-00001", "percent": 0, "tag": "old"},
            {"revisionName": "hello-00002", "percent": 30},
        ]
    },
}


def pod(
    name: str, revision: str = "hello-00001", *, ready: bool = False, ending: bool = False, node: str = "sandbox-node"
) -> Wire:
    labels = {"serving.knative.dev/revision": revision}
    wire: Wire = {"metadata": metadata(name, uid=f"uid-{name}", labels=labels), "spec": {"nodeName": node}}
    if ending:
        wire["metadata"]["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    if ready:
        wire["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
    return wire


def only(
    pod_autoscaler: Wire,
    *,
    spas: tuple[Wire, ...] = (),
    rollouts: tuple[Wire, ...] = (),
    routes: tuple[Wire, ...] = (),
    pods: tuple[Wire, ...] = (),
    before: tuple[Workload, ...] = (),
) -> Workload:
    (found,) = workloads([pod_autoscaler], spas, rollouts, routes, pods, before, 10)
    return found


@pytest.mark.parametrize(
    ("annotations", "stage", "effective"),
    [
        pytest.param({}, (), (0, 0), id="no bounds at all"),
        pytest.param(bounds("2", "9"), (), (2, 9), id="the revision's own, without an SPA"),
        pytest.param(bounds("2", "9"), (1, 4), (1, 4), id="the SPA lowers both"),
        pytest.param(bounds("2", "9"), (5, 20), (2, 9), id="the SPA raises neither"),
        pytest.param(bounds("two", " 9"), (), (0, 0), id="what cannot be read is absent"),
    ],
)
def test_effective_bounds(annotations: dict[str, str], stage: tuple[int, ...], effective: tuple[int, int]) -> None:
    found = only(pod_autoscaler(annotations), spas=(spa(*stage),) if stage else ())

    assert (found.minimum, found.maximum) == effective


@pytest.mark.parametrize(
    ("rollouts", "percent"),
    [
        pytest.param((), 100, id="no RO: all of it"),
        pytest.param((rollout(initial={"hello-00001": 100}),), 100, id="before the first stage: the start"),
        pytest.param((rollout(initial={"hello-00001": 100}, stage={"hello-00001": 70}),), 70, id="the stage"),
        pytest.param((rollout(initial={"hello-00001": 100}, stage={"hello-00001": None}),), 0, id="absent is none"),
        pytest.param((rollout(initial={"hello-00001": 100}, stage={"other": 100}),), 0, id="not listed is none"),
        pytest.param((TAGGED,), 70, id="a tag is another entry of its revision"),
    ],
)
def test_traffic(rollouts: tuple[Wire, ...], percent: int) -> None:
    assert only(pod_autoscaler(), rollouts=rollouts).percent == percent


def test_with_a_route_its_status_says_the_traffic_and_spas_say_nothing() -> None:
    ro = rollout(initial={"hello-00001": 100})
    shown = {"traffic": [{"revisionName": "hello-00001", "percent": 30}, {"revisionName": "other", "percent": 70}]}
    route: Wire = {"metadata": metadata("hello"), "status": shown}

    found = only(pod_autoscaler(bounds("2", "9")), spas=(spa(1, 4),), rollouts=(ro,), routes=(route,))

    assert (found.percent, found.minimum, found.maximum) == (30, 2, 9)


def test_a_revision_that_no_route_leads_to_keeps_no_replica() -> None:
    unreachable = {**pod_autoscaler(bounds("2", "9")), "spec": {"reachability": "Unreachable"}}

    assert (only(unreachable).minimum, only(unreachable).maximum) == (0, 9)


@pytest.mark.parametrize(
    ("wire", "seen", "phase", "ticks"),
    [
        pytest.param(pod("p"), (), Phase.STARTING, 0, id="a new pod starts"),
        pytest.param(pod("p"), (Pod("p", "uid-p", Phase.STARTING, 4),), Phase.STARTING, 5, id="it grows older"),
        pytest.param(pod("p", ready=True), (Pod("p", "uid-p", Phase.STARTING, 4),), Phase.READY, 0, id="ready"),
        pytest.param(pod("p", ready=True, ending=True), (), Phase.TERMINATING, 0, id="ending, though still ready"),
    ],
)
def test_phase_and_age_of_a_pod(wire: Wire, seen: tuple[Pod, ...], phase: Phase, ticks: int) -> None:
    before = Workload("default", "hello-00001", pods=seen)

    assert only(pod_autoscaler(), pods=(wire,), before=(before,)).pods == (Pod("p", "uid-p", phase, ticks),)


@pytest.mark.parametrize(
    ("percent", "before", "calm"),
    [
        pytest.param(10, Workload("default", "hello-00001", calm_ticks=3), 4, id="one replica needed, two run: on"),
        pytest.param(20, Workload("default", "hello-00001", calm_ticks=3), 0, id="all that run are needed: over"),
        pytest.param(10, Workload("default", "another", calm_ticks=3), 0, id="seen for the first time"),
    ],
)
def test_ticks_of_less_demand(percent: int, before: Workload, calm: int) -> None:
    ro = rollout(initial={"hello-00001": percent})

    assert only(pod_autoscaler(), rollouts=(ro,), pods=(pod("p"), pod("q")), before=(before,)).calm_ticks == calm


def test_pods_of_another_revision_or_another_node_do_not_count() -> None:
    found = workloads([pod_autoscaler()], [], [], [], [pod("p", revision="hello-00002"), pod("q", node="real")], [], 10)

    assert found[0].pods == ()


def test_a_pod_that_ends_outlives_its_pod_autoscaler_and_is_seen_to_its_end() -> None:
    found = workloads([], [], [], [], [pod("p", ending=True), pod("q", ready=True)], [], 10)

    ending = Pod("p", "uid-p", Phase.TERMINATING)
    assert found == [Workload("default", "hello-00001", pods=(ending,), desired=0, actual=0)]


def test_what_the_pod_autoscaler_says_of_itself() -> None:
    found = only(
        pod_autoscaler(
            {
                "sandbox.stagegate.dev/demand": "25",
                "sandbox.stagegate.dev/hang": "true",
                "sandbox.stagegate.dev/fail": "true",
            },
            {"desiredScale": 3, "actualScale": 0},
        )
    )

    assert (found.desired, found.actual, found.demand, found.hangs, found.fails) == (3, 0, 25, True, True)


@pytest.mark.parametrize(("status", "initialized"), [("True", True), ("Unknown", False), (None, False)])
def test_what_it_scales_has_run_once_it_says_so(status: str | None, initialized: bool) -> None:
    conditions = [] if status is None else [{"type": "ScaleTargetInitialized", "status": status}]
    assert only(pod_autoscaler({}, {"conditions": conditions})).initialized is initialized


def test_demand_that_is_not_stated_or_not_a_number_is_the_default() -> None:
    wordy = pod_autoscaler({"sandbox.stagegate.dev/demand": "lots"})

    assert [only(pod_autoscaler()).demand, only(wordy).demand] == [10, 10]


def test_a_pod_autoscaler_of_another_class_or_on_its_way_out_is_left_alone() -> None:
    foreign = pod_autoscaler({"autoscaling.knative.dev/class": "kpa.autoscaling.knative.dev"})
    leaving = pod_autoscaler()
    leaving["metadata"]["deletionTimestamp"] = "2030-01-01T00:00:00Z"

    assert workloads([foreign, leaving], [], [], [], [], [], 10) == []


def test_grace_period() -> None:
    assert grace_seconds(pod_autoscaler()) == 30
    assert grace_seconds(pod_autoscaler({"sandbox.stagegate.dev/grace-seconds": "2"})) == 2

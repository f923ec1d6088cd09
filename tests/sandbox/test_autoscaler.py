"""The simulated autoscaler decides: rows of a world, and the actions that follow."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.autoscaler import (
    Action,
    MarkPodReady,
    Pace,
    Phase,
    Pod,
    RemovePod,
    ReportScale,
    StartPod,
    TerminatePod,
    Workload,
    decide,
    wanted_replicas,
)

NS, REV = "default", "hello-00001"
PACE = Pace(starts_per_tick=2, startup_ticks=1, termination_ticks=2, stable_ticks=0)


def pod(number: int, phase: Phase, ticks: int = 0) -> Pod:
    return Pod(f"{REV}-{number}", f"uid-{number}", phase, ticks)


def start(number: int) -> StartPod:
    return StartPod(NS, REV, f"{REV}-{number}")


def ready(number: int) -> MarkPodReady:
    return MarkPodReady(NS, f"{REV}-{number}")


def end(number: int) -> TerminatePod:
    return TerminatePod(NS, f"{REV}-{number}", f"uid-{number}")


def remove(number: int) -> RemovePod:
    return RemovePod(NS, f"{REV}-{number}", f"uid-{number}")


def report(desired: int, actual: int, initialized: bool = True) -> ReportScale:
    return ReportScale(NS, REV, desired, actual, initialized)


def running(count: int, **more: Any) -> Workload:
    return replace(Workload(NS, REV, pods=tuple(pod(n, Phase.READY) for n in range(count))), **more)


@pytest.mark.parametrize(
    ("workload", "wanted"),
    [
        pytest.param(running(0, demand=10, percent=100), 10, id="all traffic, no bounds"),
        pytest.param(running(0, demand=10, percent=34), 4, id="a share is rounded up"),
        pytest.param(running(0, demand=10), 0, id="no traffic"),
        pytest.param(running(0, demand=10, initialized=False), 1, id="no traffic, and it has not run yet"),
        pytest.param(running(0, demand=10, minimum=3), 3, id="not below the minimum"),
        pytest.param(running(0, demand=10, percent=100, maximum=4), 4, id="not above the maximum"),
        pytest.param(running(0, demand=10, percent=50, minimum=8, maximum=2), 2, id="the maximum is looked at last"),
        pytest.param(running(10, demand=10, percent=90, calm_ticks=4), 10, id="less demand is not believed yet"),
        pytest.param(running(10, demand=10, percent=90, calm_ticks=5), 9, id="less demand, after the stable window"),
        pytest.param(running(10, demand=10, percent=90, maximum=8), 8, id="a lower maximum counts at once"),
        pytest.param(running(10, demand=10, percent=0), 0, id="and so does the end of all traffic"),
    ],
)
def test_wanted_replicas(workload: Workload, wanted: int) -> None:
    assert wanted_replicas(workload, stable_ticks=5) == wanted


@pytest.mark.parametrize(
    ("workload", "actions"),
    [
        pytest.param(
            Workload(NS, REV, minimum=3),
            [start(0), start(1), report(3, 0)],
            id="pods are started at the given pace",
        ),
        pytest.param(
            Workload(NS, REV, minimum=3, pods=(pod(0, Phase.STARTING), pod(1, Phase.STARTING)), desired=3, actual=0),
            [start(2)],
            id="a pod that has just been seen is not ready yet, and nothing is reported twice",
        ),
        pytest.param(
            Workload(NS, REV, minimum=1, pods=(pod(0, Phase.STARTING, 1),), desired=1, actual=0),
            [ready(0), report(1, 1)],
            id="a pod is ready after its start-up, and counts from then on",
        ),
        pytest.param(
            Workload(NS, REV, minimum=1, pods=(pod(0, Phase.READY, 9),), desired=1, actual=1),
            [],
            id="nothing to do",
        ),
        pytest.param(
            Workload(NS, REV, pods=(pod(0, Phase.READY), pod(1, Phase.READY)), percent=50, demand=2, actual=2),
            [end(1), report(1, 2)],
            id="the pod with the highest number ends, and counts for this tick",
        ),
        pytest.param(
            Workload(NS, REV, minimum=1, pods=(pod(0, Phase.STARTING, 5), pod(1, Phase.READY)), desired=1, actual=1),
            [end(0)],
            id="a starting pod goes before a ready one",
        ),
        pytest.param(
            Workload(NS, REV, initialized=False),
            [start(0), report(1, 0, initialized=False)],
            id="a revision that starts has not run yet",
        ),
        pytest.param(
            Workload(NS, REV, minimum=1, pods=(pod(0, Phase.STARTING, 1),), desired=1, actual=0, initialized=False),
            [ready(0), report(1, 1)],
            id="with its first replica it has",
        ),
        pytest.param(
            Workload(NS, REV, minimum=1, pods=(pod(0, Phase.STARTING, 9),), desired=1, actual=0, fails=True),
            [],
            id="a pod that fails never starts",
        ),
        pytest.param(
            Workload(NS, REV, pods=tuple(pod(n, Phase.READY) for n in range(4)), desired=4, actual=4),
            [end(0), end(1), end(2), end(3), report(0, 4)],
            id="pods are deleted all at once",
        ),
        pytest.param(
            Workload(NS, REV, pods=(pod(0, Phase.TERMINATING),), desired=0, actual=1),
            [report(0, 0)],
            id="a pod that ends counts no longer",
        ),
        pytest.param(
            Workload(NS, REV, pods=(pod(0, Phase.TERMINATING, 1),), desired=0, actual=0),
            [],
            id="a pod takes its time to end",
        ),
        pytest.param(
            Workload(NS, REV, pods=(pod(0, Phase.TERMINATING, 2),), desired=0, actual=0),
            [remove(0)],
            id="a pod is gone after its time",
        ),
        pytest.param(
            Workload(NS, REV, pods=(pod(0, Phase.TERMINATING, 99),), desired=0, actual=0, hangs=True),
            [],
            id="a pod that hangs stays",
        ),
        pytest.param(
            Workload(NS, REV, minimum=1, pods=(pod(0, Phase.TERMINATING),), desired=1, actual=0),
            [start(1)],
            id="the name of a pod that ends is not given to another",
        ),
    ],
)
def test_one_revision(workload: Workload, actions: list[Action]) -> None:
    assert decide([workload], PACE) == actions


def test_revisions_that_shrink_come_before_those_that_grow() -> None:
    grows = Workload(NS, "new", minimum=1, pods=(Pod("new-0", "a", Phase.STARTING, 1),), desired=1, actual=0)
    shrinks = Workload(NS, "old", pods=(Pod("old-0", "b", Phase.TERMINATING, 2),), desired=0, actual=1)

    assert decide([grows, shrinks], PACE) == [
        RemovePod(NS, "old-0", "b"),
        ReportScale(NS, "old", 0, 0),
        MarkPodReady(NS, "new-0"),
        ReportScale(NS, "new", 1, 1),
    ]


pods = st.lists(st.tuples(st.sampled_from(Phase), st.integers(0, 5)), max_size=12).map(
    lambda rows: tuple(pod(number, phase, ticks) for number, (phase, ticks) in enumerate(rows))
)
worlds = st.builds(
    Workload,
    namespace=st.just(NS),
    revision=st.just(REV),
    minimum=st.integers(0, 8),
    maximum=st.integers(0, 8),
    percent=st.integers(0, 100),
    demand=st.integers(0, 20),
    pods=pods,
)
paces = st.builds(
    Pace,
    starts_per_tick=st.integers(1, 5),
    startup_ticks=st.integers(0, 3),
    termination_ticks=st.integers(0, 3),
    stable_ticks=st.integers(0, 5),
)


def play(workload: Workload, pace: Pace) -> Workload:
    """The world one tick later, if every action is carried out."""
    alive = {pod.name: pod for pod in workload.pods}
    after = {name: Pod(name, pod.uid, pod.phase, pod.ticks + 1) for name, pod in alive.items()}
    desired, actual = workload.desired, workload.actual
    for action in decide([workload], pace):
        match action:
            case StartPod(_, _, name):
                assert name not in after
                after[name] = Pod(name, f"new-{name}", Phase.STARTING)
            case MarkPodReady(_, name):
                after[name] = Pod(name, after[name].uid, Phase.READY)
            case TerminatePod(_, name, uid):
                after[name] = Pod(name, uid, Phase.TERMINATING)
            case RemovePod(_, name, _):
                del after[name]
            case ReportScale():
                desired, actual = action.desired, action.actual
    later = replace(workload, pods=tuple(after.values()), desired=desired, actual=actual)
    return replace(later, calm_ticks=workload.calm_ticks + 1 if later.share < later.running else 0)


@given(worlds, paces)
def test_every_world_settles_at_what_is_wanted(workload: Workload, pace: Pace) -> None:
    for _ in range(60):
        workload = play(workload, pace)

    wanted = max(workload.share, workload.minimum)
    wanted = min(wanted, workload.maximum) if workload.maximum else wanted
    assert [pod.phase for pod in workload.pods] == [Phase.READY] * wanted
    assert (workload.desired, workload.actual) == (wanted, wanted)
    assert decide([workload], pace) == []


@given(worlds, paces)
def test_what_is_reported_is_what_runs_at_this_tick(workload: Workload, pace: Pace) -> None:
    ready_before = {pod.name for pod in workload.pods if pod.phase is Phase.READY}

    after = play(workload, pace)

    assert after.actual == len(ready_before | {pod.name for pod in after.pods if pod.phase is Phase.READY})

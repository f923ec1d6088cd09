"""What the loop answers to probes, by how far it has come."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from prometheus_client import generate_latest

from tests.cluster.fake_api import FakeApi
from tests.cluster.fake_clock import FakeClock
from webhook.cluster.errors import ApiError, Forbidden, OutcomeUnknown, TooManyRequests, Unavailable, Unreachable
from webhook.cluster.resource import REVISIONS, ROLLOUT_ORCHESTRATORS
from webhook.cluster.transport import Request
from webhook.loop.caches import RESOURCES
from webhook.loop.process import LoopProcess, ProcessOptions, absence


def process(clock: FakeClock, leader_elect: bool = True, settled: Callable[[], None] = lambda: None) -> LoopProcess:
    api = FakeApi()
    api.serve(*(resource for resource in RESOURCES if resource is not REVISIONS))
    options = ProcessOptions(leader_elect=leader_elect)
    return LoopProcess(api, clock, options, identity="me", settled=settled)


def see(loop: LoopProcess) -> None:
    for cache in loop.loop.caches:
        for reflector in cache.reflectors:
            reflector.step()


def test_before_anything_was_read_it_is_healthy_and_not_ready() -> None:
    loop = process(FakeClock())
    assert loop.health() == (True, "ok\n")
    ready, text = loop.readiness()
    assert not ready
    assert "rolloutorchestrators.serving.knative.dev: not read yet" in text


def test_what_is_not_served_holds_nobody_up_and_one_that_stands_by_is_ready() -> None:
    loop = process(FakeClock())
    see(loop)
    assert loop.readiness() == (True, "standing by\n")


def test_one_that_leads_says_so_until_its_lease_runs_out() -> None:
    clock = FakeClock()
    loop = process(clock)
    see(loop)
    loop._fence.renewed(clock.boottime() + 15)
    loop._working.set()
    assert loop.readiness() == (True, "leading\n")
    clock.advance(11)
    assert loop.readiness() == (True, "standing by\n")
    assert loop.health() == (True, "ok\n"), "no thread is the worse for it"


def test_a_thread_that_hangs_is_not_healthy_until_it_goes_on() -> None:
    clock = FakeClock()
    loop = process(clock)
    hangs, go_on = threading.Event(), threading.Event()

    def turn() -> None:
        hangs.set()
        go_on.wait(20)

    thread = loop.supervisor.start("worker", turn, lambda seconds: False, name="worker 7")
    assert hangs.wait(20)
    clock.advance(300)
    assert loop.health() == (True, "ok\n")
    clock.advance(2)
    assert loop.health() == (False, "worker 7: no turn for 302 s\n")
    go_on.set()
    thread.join(20)
    assert loop.health() == (True, "ok\n")


def test_a_worker_whose_requests_all_time_out_does_not_hang() -> None:
    clock = FakeClock()
    loop = process(clock)
    api: Any = loop._transport
    problems: list[list[str]] = []

    def time_out(request: Request) -> OutcomeUnknown:
        clock.advance(60)
        problems.append(loop.supervisor.problems())
        return OutcomeUnknown(request.call, "read timed out")

    def reconcile() -> None:
        for number in range(20):
            with suppress(ApiError):
                loop.client.get(REVISIONS, "default", str(number))

    api.fail = time_out
    loop.supervisor.start("worker", reconcile, lambda seconds: False).join(20)
    assert problems == [[]] * 20


def test_an_outage_of_the_server_shows_in_the_metrics_and_nowhere_else() -> None:
    clock = FakeClock()
    loop = process(clock)
    see(loop)
    assert loop.readiness()[0]
    api: Any = loop._transport
    api.fail = lambda request: Unreachable(request.call, "connection refused")
    for _ in range(20):
        clock.advance(60)
        see(loop)
    assert (loop.health(), loop.readiness()[0]) == ((True, "ok\n"), True)
    page = generate_latest(loop.metrics.registry).decode()
    assert 'stagegate_loop_cache_age_seconds{resource="rolloutorchestrators.serving.knative.dev"} 1200.0' in page
    assert 'stagegate_loop_cache_age_seconds{resource="revisions.serving.knative.dev"} 0.0' in page, "it is not served"


def test_once_ready_it_stays_ready_when_the_crds_go() -> None:
    loop = process(FakeClock())
    see(loop)
    assert loop.readiness()[0]
    api: Any = loop._transport
    api.withdraw(ROLLOUT_ORCHESTRATORS)
    see(loop)
    assert not loop.loop.caches.ready()
    assert loop.readiness()[0]


def test_without_leader_election_it_always_leads() -> None:
    loop = process(FakeClock(), leader_elect=False)
    see(loop)
    loop._working.set()
    assert (loop.health()[0], loop.readiness()) == (True, (True, "leading\n"))


@pytest.mark.parametrize("problem", [Unavailable, TooManyRequests, OutcomeUnknown])
def test_a_server_that_has_a_bad_moment_at_the_start_is_asked_again(
    problem: type[ApiError], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = process(FakeClock())
    waits: list[float] = []
    api: Any = loop._transport
    api.fail = lambda request: problem(request.call, "not now", retry_after=7.0) if len(waits) < 2 else None
    monkeypatch.setattr(loop._stopped, "wait", waits.append)
    assert loop._served() == set(RESOURCES) - {REVISIONS}
    assert waits == [7.0, 7.0]


def test_a_server_that_refuses_us_at_the_start_is_not_asked_again() -> None:
    loop = process(FakeClock())
    api: Any = loop._transport
    api.fail = lambda request: Forbidden(request.call, "no")
    with pytest.raises(Forbidden):
        loop._served()


def test_it_says_when_its_caches_are_full_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    settled: list[bool] = []
    loop = process(FakeClock(), settled=lambda: settled.append(loop.loop.caches.ready()))
    monkeypatch.setattr(loop.loop, "watch", lambda: None)
    monkeypatch.setattr(loop._stopped, "wait", lambda seconds: see(loop))
    assert loop._await_caches()
    assert settled == [True]


def test_absence_is_one_line() -> None:
    assert absence([REVISIONS]) == (
        "the cluster does not serve revisions.serving.knative.dev: nothing is deleted for lack of them"
    )

"""Every thread of ``stagegate loop``: each one is made to raise, and the process goes on as if nothing had been."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from prometheus_client import Metric
from prometheus_client.registry import Collector

from tests.loop.running import CERTIFICATE_WATCHES, Running
from tests.waiting import eventually
from webhook.api.kinds import SERVICE_LABEL
from webhook.cluster.resource import EVENTS, LEASES, REVISIONS, ROLLOUT_ORCHESTRATORS, SECRETS, STAGE_POD_AUTOSCALERS
from webhook.loop.caches import BY_REVISION, RESOURCES
from webhook.loop.process import LoopProcess

FAULTS: Final[dict[tuple[str, str], set[int]]] = {
    **{("list", resource.plural): {1} for resource in (*RESOURCES, *CERTIFICATE_WATCHES)},
    **{("watch", resource.plural): {2} for resource in RESOURCES},
    ("patch", "rolloutorchestrators/status"): {1},
    ("create", EVENTS.plural): {1},
    # The first one is for the lease that is waited for, the other one for the lease that is held.
    ("get", LEASES.plural): {1},
    ("update", LEASES.plural): {2},
    ("get", SECRETS.plural): {1},
    # What the main thread asks first, before there is another one.
    ("get", ROLLOUT_ORCHESTRATORS.group_path): {1},
}
"""Verb and resource to those of these requests, counted from 1, in which the client itself fails."""

MAIN: Final = "main of the loop"
WATCHED: Final = [f"reflector {resource.full_name}" for resource in RESOURCES]

THREADS: Final[dict[str, set[str]]] = {
    "reflector": {
        *(f"{name} in knative-serving" if "configmaps" in name else name for name in WATCHED),
        f"reflector {SECRETS.full_name} in ours",
        *(f"reflector {resource.full_name}" for resource in CERTIFICATE_WATCHES[1:]),
    },
    "worker": {"worker 0", "worker 1"},
    "resync": {"resync"},
    "events": {"events"},
    "lease": {"lease"},
    "pages": {"pages"},
    "certificates": {"certificates"},
    "start": {MAIN},
}
"""The label under which faults are counted, and the threads that have it."""


def failing_once(usual: Callable[..., Any], thread: str, broken: list[str]) -> Callable[..., Any]:
    """The function, which raises when that thread calls it for the first time, and names the thread in ``broken``."""

    def fails(*arguments: Any, **options: Any) -> Any:
        if threading.current_thread().name.startswith(thread) and fails not in raised:
            raised.append(fails)
            broken.append(usual.__qualname__)
            raise KeyError(f"a fault in {usual}")
        return usual(*arguments, **options)

    raised: list[object] = []
    return fails


def break_once(process: LoopProcess) -> list[str]:
    """What sends no request and yet can raise; the result names each that has."""
    broken: list[str] = []
    loop = process.loop
    loop.enqueue_everything = failing_once(loop.enqueue_everything, "resync", broken)  # type: ignore[method-assign]
    for name in ("begin", "_emit_ignored_settings"):
        setattr(loop, name, failing_once(getattr(loop, name), MAIN, broken))
    process._settled = failing_once(process._settled, MAIN, broken)
    process._elector.acquire = failing_once(process._elector.acquire, MAIN, broken)  # type: ignore[method-assign]
    loop._router.keys = failing_once(loop._router.keys, "reflector", broken)  # type: ignore[method-assign]
    indexes = loop.caches.rollouts.store._functions
    indexes[BY_REVISION] = failing_once(indexes[BY_REVISION], "reflector", broken)
    return broken


@pytest.fixture(scope="module")
def loop() -> Iterator[Running]:
    running = Running(FAULTS)
    running.broken = break_once(running.process)
    running.start()
    yield running
    running.stop()


def test_the_rollout_begins_all_the_same(loop: Running) -> None:
    eventually(lambda: loop.stored(STAGE_POD_AUTOSCALERS, "hello-00002"), "the SPA of the new revision is made")
    eventually(lambda: loop.stored(ROLLOUT_ORCHESTRATORS, "hello").get("status"), "the status is written")
    eventually(lambda: ("update", LEASES.plural) in loop.asked and loop.process.is_leader(), "it leads")


@pytest.mark.parametrize(("verb", "resource"), FAULTS, ids=[" ".join(key) for key in FAULTS])
def test_what_raised_is_tried_again(loop: Running, verb: str, resource: str) -> None:
    last = max(FAULTS[verb, resource])
    eventually(lambda: loop.asked.get((verb, resource), 0) > last, f"{verb} {resource} again")


def test_the_router_the_index_the_resync_and_the_start_have_raised(loop: Running) -> None:
    names = {
        *("Loop.enqueue_everything", "Router.keys", "revisions_named", "Loop.begin", "Loop._emit_ignored_settings"),
        *("LoopProcess.<lambda>", "LeaderElector.acquire"),
    }
    loop.api.put(REVISIONS, {"metadata": {"name": "hello-00003", "labels": {SERVICE_LABEL: "hello"}}})
    eventually(lambda: set(loop.broken) == names, f"{names - set(loop.broken)} raised")


def fail_a_page(loop: Running) -> tuple[int, str]:
    class Fails(Collector):
        def collect(self) -> Iterator[Metric]:
            loop.process.metrics.registry.unregister(self)
            raise KeyError("a fault in a collector")

        def describe(self) -> Iterator[Metric]:
            return iter(())

    loop.process.metrics.registry.register(Fails())
    return loop.get("/metrics")


def test_a_page_that_fails_is_an_answer_and_a_fault(loop: Running) -> None:
    assert fail_a_page(loop) == (500, "the page failed; the log of the process says why\n")
    assert loop.get("/metrics")[0] == 200


@pytest.mark.parametrize("label", THREADS)
def test_each_fault_is_counted_under_its_loop(loop: Running, label: str) -> None:
    if label == "pages":
        fail_a_page(loop)
    eventually(lambda: loop.faults()[label] >= 1, f"a fault of {label}")


def test_no_thread_is_missing_here_and_none_has_ended(loop: Running) -> None:
    named = set().union(*THREADS.values()) - {MAIN}
    eventually(lambda: named <= loop.threads(), f"{named - loop.threads()} run")
    others = {name for name in loop.threads() - named if not name.startswith(("Thread-", "probe", "waitress"))}
    assert others == set(), "a thread that no test here makes raise"
    assert loop.get("/healthz") == (200, "ok\n")

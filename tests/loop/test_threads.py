"""Every thread of ``stagegate loop``: each one is made to raise, and the process goes on as if nothing had been."""

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from tests.cluster.fake_api import FakeApi
from tests.loop.world import entry
from webhook.api.kinds import CONFIGURATION_LABEL, SERVICE_LABEL
from webhook.cluster.clock import SystemClock
from webhook.cluster.lease import LeaseTimes
from webhook.cluster.resource import (
    EVENTS,
    LEASES,
    MUTATING_WEBHOOKS,
    POD_AUTOSCALERS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    SECRETS,
    STAGE_POD_AUTOSCALERS,
    VALIDATING_WEBHOOKS,
    Resource,
)
from webhook.cluster.transport import Request
from webhook.loop.caches import RESOURCES
from webhook.loop.loop import LoopOptions
from webhook.loop.process import LoopProcess, ProcessOptions
from webhook.server.certificate_keeper import KeeperOptions, make_keeper

KEEPER_WATCHES: Final = (SECRETS, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)

FAULTS: Final[dict[tuple[str, str], set[int]]] = {
    **{("list", resource.plural): {1} for resource in (*RESOURCES, *KEEPER_WATCHES)},
    **{("watch", resource.plural): {2} for resource in RESOURCES},
    ("patch", "rolloutorchestrators/status"): {1},
    ("create", EVENTS.plural): {1},
    # The first one is for the lease that is waited for, the other one for the lease that is held.
    ("get", LEASES.plural): {1},
    ("update", LEASES.plural): {2},
    ("get", SECRETS.plural): {1},
}
"""Verb and resource to those of these requests, counted from 1, in which the client itself fails."""

WATCHED: Final = [f"reflector {resource.full_name}" for resource in RESOURCES]

THREADS: Final[dict[str, set[str]]] = {
    "reflector": {
        *(f"{name} in knative-serving" if "configmaps" in name else name for name in WATCHED),
        f"reflector {SECRETS.full_name} in ours",
        *(f"reflector {resource.full_name}" for resource in KEEPER_WATCHES[1:]),
    },
    "worker": {"worker 0", "worker 1"},
    "resync": {"resync"},
    "events": {"events"},
    "lease": {"lease"},
    "pages": {"pages"},
    "certificates": {"certificates"},
}
"""The label under which faults are counted, and the threads that have it."""


class Running:
    """A process of the loop with everything it can have, on an API that fails as FAULTS says."""

    def __init__(self) -> None:
        self.before = set(threading.enumerate())
        self.api = FakeApi()
        self.api.serve(*RESOURCES, *KEEPER_WATCHES, EVENTS, LEASES)
        for name in ("hello-00001", "hello-00002"):
            labels = {SERVICE_LABEL: "hello", CONFIGURATION_LABEL: "hello"}
            self.api.put(REVISIONS, {"metadata": {"name": name, "labels": labels}})
            self.api.put(POD_AUTOSCALERS, {"metadata": {"name": name}, "status": {"desiredScale": 1, "actualScale": 1}})
        spec = {
            "initialRevisions": [entry("hello-00001", 100, 1, 10)],
            "targetRevisions": [entry("hello-00002", 100, 1, 10)],
        }
        self.api.put(
            ROLLOUT_ORCHESTRATORS, {"metadata": {"name": "hello", "labels": {SERVICE_LABEL: "hello"}}, "spec": spec}
        )
        self.asked: dict[tuple[str, str], int] = {}
        self.api.fail = self.fail
        clock = SystemClock()
        options = ProcessOptions(
            LoopOptions(concurrency=2, resync=0.2), lease_times=LeaseTimes.of(6.0), metrics_port=0, drain=1.0
        )
        self.process = LoopProcess(self.api, clock, options, identity="me")
        client = self.process.fenced_client("stagegate-certs")
        keeper = make_keeper(client, clock, "certs", ("a",), KeeperOptions("ours"), self.process.supervisor)
        self.process.duties.append(keeper)
        self._break_resync_once()
        self._thread = threading.Thread(target=self.process.run, name="main of the loop", daemon=True)

    def fail(self, request: Request) -> None:
        key = request.call.verb, request.call.resource
        self.asked[key] = self.asked.get(key, 0) + 1
        if self.asked[key] in FAULTS.get(key, ()):
            raise KeyError(f"a fault in {request.call}")

    def _break_resync_once(self) -> None:
        loop, usual = self.process.loop, self.process.loop.look_at_everything
        left = [KeyError("a fault in resync")]

        def look(within: float = 0.0) -> None:
            if threading.current_thread().name == "resync" and left:
                raise left.pop()
            usual(within)

        loop.look_at_everything = look  # type: ignore[method-assign]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.process.stop()
        self._thread.join(60)

    def faults(self) -> dict[str, float]:
        lines = self.process.metrics.page().decode().splitlines()
        counted = (line.rpartition(" ") for line in lines if line.startswith("stagegate_loop_faults_total"))
        return {series.split('"')[1]: float(count) for series, _, count in counted}

    def threads(self) -> set[str]:
        return {thread.name for thread in set(threading.enumerate()) - self.before} - {"main of the loop"}

    def get(self, path: str) -> tuple[int, str]:
        assert self.process.endpoints is not None
        try:
            url = f"http://127.0.0.1:{self.process.endpoints.port}{path}"
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.read().decode()


def eventually(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"not within 60 s: {what}"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def loop() -> Iterator[Running]:
    running = Running()
    running.start()
    yield running
    running.stop()


def stored(running: Running, resource: Resource, name: str) -> Any:
    return running.api.get(resource, "default", name)


def test_the_rollout_begins_all_the_same(loop: Running) -> None:
    eventually(lambda: stored(loop, STAGE_POD_AUTOSCALERS, "hello-00002"), "the SPA of the new revision is made")
    eventually(lambda: stored(loop, ROLLOUT_ORCHESTRATORS, "hello").get("status"), "the status is written")
    eventually(lambda: ("update", LEASES.plural) in loop.asked and loop.process.is_leader(), "it leads")


@pytest.mark.parametrize(("verb", "resource"), FAULTS, ids=[" ".join(key) for key in FAULTS])
def test_what_raised_is_tried_again(loop: Running, verb: str, resource: str) -> None:
    last = max(FAULTS[verb, resource])
    eventually(lambda: loop.asked.get((verb, resource), 0) > last, f"{verb} {resource} again")


def test_a_page_that_fails_is_an_answer_and_a_fault(loop: Running) -> None:
    eventually(lambda: loop.process.endpoints, "pages are served")
    pages = loop.process.metrics
    usual, left = pages.page, [KeyError("a fault in a collector")]

    def page() -> bytes:
        if left and threading.current_thread().name != "MainThread":
            raise left.pop()
        return usual()

    pages.page = page  # type: ignore[method-assign]
    assert loop.get("/metrics") == (500, "the page failed; the log of this process says why\n")
    assert loop.get("/metrics")[0] == 200


def test_the_thread_of_the_pages_goes_on(loop: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    eventually(lambda: loop.process.endpoints, "pages are served")
    assert loop.process.endpoints is not None
    raised = threading.Event()

    def fault() -> None:
        monkeypatch.undo()
        raised.set()
        raise KeyError("a fault while it serves")

    monkeypatch.setattr(loop.process.endpoints._server, "service_actions", fault)
    assert raised.wait(60)
    assert loop.get("/healthz") == (200, "ok\n")


@pytest.mark.parametrize("label", THREADS)
def test_each_fault_is_counted_under_its_loop(loop: Running, label: str) -> None:
    eventually(lambda: loop.faults()[label] >= 1, f"a fault of {label}")


def test_no_thread_is_missing_here_and_none_has_ended(loop: Running) -> None:
    named = set().union(*THREADS.values())
    eventually(lambda: named <= loop.threads(), f"{named - loop.threads()} run")
    others = {name for name in loop.threads() - named if not name.startswith(("Thread-", "probe"))}
    assert others == set(), "a thread that no test here makes raise"
    assert loop.get("/healthz") == (200, "ok\n")

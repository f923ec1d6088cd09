"""Every thread and task of ``stagegate serve``: each one is made to raise, is counted, and goes on."""

import asyncio
import logging
import re
import socket
import threading
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from certs.authority import make_authority
from certs.context import LiveContext
from certs.leaf import make_leaf
from certs.served_secret import ServedSecret
from tests.certs.test_served_secret import put
from tests.cluster.fake_api import FakeApi
from tests.server import test_knative_handler
from tests.server.live import eventually
from tests.server.reviews import GOOD
from webhook.admission import EmptyLookup, Settings
from webhook.admission.knative_objects import KnativeSettings
from webhook.cli.certs_cluster import ClusterClient
from webhook.cluster.client import Client
from webhook.cluster.clock import SystemClock
from webhook.cluster.resource import (
    CONFIG_MAPS,
    KNATIVE_SERVICES,
    NAMESPACES,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    SECRETS,
)
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.transport import Request
from webhook.knative.opt_in import Obstacle
from webhook.listening import listen
from webhook.pages_server import PagesServer
from webhook.server.handler import AdmissionHandler
from webhook.server.informers import RolloutInformers
from webhook.server.knative_side import KnativeSide
from webhook.server.large_bodies import LargeBodies
from webhook.server.limits import Limits
from webhook.server.metrics import LOOPS, ServerMetrics
from webhook.server.pages import make_app
from webhook.server.service import Service
from webhook.server.tls import Buffers
from webhook.server.worker import StagegateWorker

REFLECTED = (ROLLOUT_ORCHESTRATORS, NAMESPACES, SECRETS, KNATIVE_SERVICES, ROUTES, REVISIONS, CONFIG_MAPS)


class FaultyWebhook:
    """What a webhook has of a cluster, on an API that fails once in each kind of request named in ``faulty``."""

    def __init__(self, *faulty: tuple[str, str]) -> None:
        self.api = FakeApi()
        self.api.serve(*REFLECTED)
        self.api.put(ROLLOUT_ORCHESTRATORS, {"metadata": {"name": "hello"}, "spec": {}})
        authority = make_authority(datetime.now(UTC), timedelta(days=90))
        put(self.api, make_leaf(authority, ["a"], datetime.now(UTC), timedelta(days=30)))
        self.left = set(faulty)
        self.api.fail = self.fail
        self.metrics = ServerMetrics()
        self.supervisor = Supervisor(count=self.metrics.faulted, random_number=lambda: 0.0)
        client, clock = Client(self.api, field_manager="test"), SystemClock()
        self.informers = RolloutInformers(client, clock, self.metrics, self.supervisor)
        watch = ClusterClient(client, clock, self.supervisor).watch_secret
        self.key_pair = ServedSecret("ours", "certs", watch, LiveContext(), clock.now, self.metrics.read_key_pair)
        self.knative = KnativeSide(
            KnativeSettings(), client, lambda _seconds: client, clock, self.metrics, self.supervisor, "knative-serving"
        )
        self.reported: list[str] = []
        self.asked: list[tuple[str, str]] = []

    def fail(self, request: Request) -> None:
        key = request.call.verb, request.call.resource
        self.asked.append(key)
        if key in self.left:
            self.left.remove(key)
            raise KeyError(f"a fault in {request.call}")

    def service(self, on_ready: Callable[[], None] | None = None, pages: socket.socket | None = None) -> Service:
        return Service(
            Settings(),
            Limits(),
            self.key_pair,
            self.metrics,
            self.informers,
            pages,
            on_ready=on_ready or (lambda: self.reported.append("ready")),
            supervisor=self.supervisor,
            knative=self.knative,
        )

    def faults(self) -> dict[str, float]:
        counted = {
            loop: self.metrics.registry.get_sample_value("stagegate_faults_total", {"loop": loop}) or 0.0
            for loop in LOOPS
        }
        return {loop: count for loop, count in counted.items() if count}


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def run(service: Service, condition: Callable[[], Any]) -> None:
    """What a worker runs of a service, until something is the case."""

    async def served() -> None:
        tasks = [asyncio.create_task(each) for each in service.start()]
        try:
            await until(condition)
        finally:
            for task in tasks:
                task.cancel()
            service.stop()

    asyncio.run(served())


@pytest.mark.parametrize("resource", REFLECTED)
@pytest.mark.parametrize("verb", ["list", "watch"])
def test_a_reflector(verb: str, resource: Any, caplog: pytest.LogCaptureFixture) -> None:
    process = FaultyWebhook((verb, resource.plural))
    again = verb, resource.plural
    run(process.service(), lambda: process.reported and process.faults() and process.asked.count(again) > 1)
    assert process.faults() == {"reflector": 1.0}
    assert any(record.exc_info for record in caplog.records)
    assert process.supervisor.problems() == []


def test_a_change_that_the_cache_does_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    process = FaultyWebhook()
    put_once = process.informers.rollouts.put
    left = [KeyError("metadata")]

    def put_or_fail(one: Any) -> None:
        if left:
            raise left.pop()
        put_once(one)

    monkeypatch.setattr(process.informers.rollouts, "put", put_or_fail)
    run(process.service(), lambda: process.informers.rollouts.rollout("default", "hello"))
    assert process.faults() == {"reflector": 1.0}


def test_the_task_of_the_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    process = FaultyWebhook()
    usual, left = process.key_pair.read, [KeyError("data")]

    def read() -> Any:
        if left:
            raise left.pop()
        return usual()

    monkeypatch.setattr(process.key_pair, "read", read)
    run(process.service(), lambda: process.reported)
    assert process.faults() == {"certificate": 1.0}
    assert process.key_pair.last_error == ""


def test_while_the_certificate_cannot_be_looked_at_the_pages_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    process = FaultyWebhook()
    service = process.service()

    def read() -> Any:
        raise KeyError("data")

    monkeypatch.setattr(process.key_pair, "read", read)
    run(service, lambda: process.key_pair.last_error)
    assert service.state().last_error == "cannot read Secret ours/certs: KeyError: 'data'"


def test_the_announcement_is_tried_once() -> None:
    process = FaultyWebhook()

    def fails() -> None:
        raise ValueError("I/O operation on closed file")

    run(process.service(fails), process.faults)
    assert process.faults() == {"ready": 1.0}


class Bare(StagegateWorker):
    """A worker without gunicorn around it."""

    def __init__(self, service: Service) -> None:
        self.service, self.limits = service, service.limits
        self.metrics, self.handler = service.metrics, service.handler
        self.large_bodies = LargeBodies(self.limits.large_together, self.is_stalled)
        self.open = {}
        self._buffers, self._connecting = Buffers(), set()
        self.monotonic = time.monotonic
        self.log = logging.getLogger("test")


class Late:
    """A connection past its deadline, which cannot even say so."""

    deadline = 0.0
    stage = "header"
    aborted = False

    def expire(self) -> None:
        raise KeyError("stage")

    def abort(self) -> None:
        self.aborted = True


def test_the_sweep_of_connections() -> None:
    process = FaultyWebhook()
    worker, late = Bare(process.service()), Late()
    worker.open[late] = None  # type: ignore[index]

    async def swept() -> None:
        worker.loop = asyncio.get_running_loop()
        task = asyncio.create_task(process.supervisor.keep("connections", worker._sweep))
        await until(lambda: late.aborted)
        assert not task.done()
        task.cancel()

    asyncio.run(swept())
    assert (process.faults(), worker.open) == ({"connections": 1.0}, {})


class Waiting:
    """A connection past its deadline that goes on once another has ended."""

    stage = "body"

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.others: list[Waiting] = []
        self.expired = False

    def expire(self) -> None:
        self.expired = True
        for other in self.others:
            other.deadline = inf


def test_a_sweep_goes_on_after_a_fault_in_a_large_body_and_ends_the_earliest_first() -> None:
    process = FaultyWebhook()
    worker, later, earlier = Bare(process.service()), Waiting(0.2), Waiting(0.1)
    earlier.others = [later]
    worker.open |= dict.fromkeys((later, earlier))  # type: ignore[arg-type]

    def fails() -> None:
        raise KeyError("size")

    worker.large_bodies.make_room = fails  # type: ignore[method-assign]

    async def swept() -> None:
        worker.loop = asyncio.get_running_loop()
        await worker._sweep()

    asyncio.run(swept())
    assert (earlier.expired, later.expired) == (True, False)
    assert process.faults() == {"connections": 1.0}


def test_a_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    process = FaultyWebhook()
    worker = Bare(process.service())
    listener = listen("127.0.0.1", 0)

    async def shaken() -> None:
        worker.loop = loop = asyncio.get_running_loop()

        async def fails(*_: object, **__: object) -> None:
            raise KeyError("context")

        monkeypatch.setattr(loop, "connect_accepted_socket", fails)
        caller = asyncio.create_task(asyncio.open_connection(*listener.getsockname()))
        listener.setblocking(False)
        peer, _ = await loop.sock_accept(listener)
        worker._admit(peer, "127.0.0.1")
        await until(process.faults)
        _, writer = await caller
        writer.close()

    asyncio.run(shaken())
    listener.close()
    assert (process.faults(), worker.open) == ({"connections": 1.0}, {})


@pytest.mark.parametrize(
    ("problem", "faults"), [(KeyError("x"), {"event loop": 1.0}), (None, {"event loop": 1.0}), (OSError("reset"), {})]
)
def test_a_callback_of_the_event_loop(problem: Exception | None, faults: dict[str, float]) -> None:
    process = FaultyWebhook()
    worker = Bare(process.service())

    async def called() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(worker._uncaught)
        loop.call_exception_handler({"message": "a callback failed", "exception": problem})

    asyncio.run(called())
    assert process.faults() == faults


def test_a_review(caplog: pytest.LogCaptureFixture) -> None:
    process = FaultyWebhook()

    def fails(*_: object) -> Any:
        raise ZeroDivisionError("a bug in a rule")

    handler = AdmissionHandler(EmptyLookup(), Settings(), process.metrics, process.supervisor, examine=fails)
    answer = handler.review("/validate", GOOD)
    assert (answer.status, process.faults()) == (200, {"admission": 1.0})
    assert "a bug in a rule" in caplog.text


def test_a_page_and_the_thread_of_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    process = FaultyWebhook()
    service = process.service()

    def fails(registry: CollectorRegistry) -> bytes:
        monkeypatch.setattr("webhook.server.pages.generate_latest", generate_latest)
        raise ZeroDivisionError("a bug in a collector")

    app = make_app(
        "", service.health, lambda now: (True, ""), process.metrics.registry,
        supervisor=process.supervisor,
    )  # fmt: skip
    monkeypatch.setattr("webhook.server.pages.generate_latest", fails)
    client = app.test_client()
    assert [client.get("/metrics").status_code for _ in range(2)] == [500, 200]
    assert process.faults() == {"pages": 1.0}

    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    pages = PagesServer(app, listener, process.supervisor)
    create, left = __import__("waitress").create_server, [KeyError("map")]

    def breaking(*arguments: Any, **options: Any) -> Any:
        server = create(*arguments, **options)
        usual = server.run

        def broken() -> None:
            if left:
                raise left.pop()
            usual()

        server.run = broken
        return server

    monkeypatch.setattr("waitress.create_server", breaking)
    pages.start()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as reply:
            assert reply.read() == b"ok\n"
    finally:
        pages.stop()
    assert process.faults() == {"pages": 2.0}


def test_health_is_red_for_a_loop_that_hangs_alone() -> None:
    process = FaultyWebhook()
    service = process.service()
    assert service.health() == (True, "ok\n")
    now = time.monotonic()
    process.supervisor._monotonic = lambda: now
    hangs, go_on = threading.Event(), threading.Event()

    def turn() -> None:
        hangs.set()
        go_on.wait(30)

    thread = process.supervisor.start("reflector", turn, lambda seconds: False, name="reflector namespaces")
    assert hangs.wait(30)
    now += 301
    assert service.health() == (False, "reflector namespaces: no turn for 301 s\n")
    go_on.set()
    thread.join(30)
    assert service.health() == (True, "ok\n")


def test_once_synced_a_webhook_stays_ready_when_the_resource_goes() -> None:
    process = FaultyWebhook()
    process.informers.start()
    try:
        eventually(lambda: process.informers.unsynced() == "", "the cluster is read")
        process.api.withdraw(ROLLOUT_ORCHESTRATORS)
        eventually(lambda: process.informers.reflectors[0].absent, "it is gone")
        assert process.informers.unsynced() == ""
        assert process.informers.rollouts.age() is None, "so that nothing is filled in from it, and warnings say why"
    finally:
        process.informers.stop()


THREADS = {
    f"reflector {ROLLOUT_ORCHESTRATORS.full_name}": test_a_reflector,
    f"reflector {NAMESPACES.full_name}": test_a_reflector,
    f"reflector {SECRETS.full_name} in ours": test_a_reflector,
    f"reflector {KNATIVE_SERVICES.full_name}": test_a_reflector,
    f"reflector {ROUTES.full_name}": test_a_reflector,
    f"reflector {REVISIONS.full_name}": test_a_reflector,
    f"reflector {CONFIG_MAPS.full_name} in knative-serving": test_a_reflector,
    "asyncio": test_the_task_of_the_certificate,
    "pages": test_a_page_and_the_thread_of_the_pages,
    "waitress": test_a_page_and_the_thread_of_the_pages,
    "pin": test_knative_handler.test_a_fault_is_logged_and_counted_and_the_revision_is_left_as_it_is,
}
"""The name of each thread, without a number, and the test that makes it raise."""

TASKS = {
    "certificate": test_the_task_of_the_certificate,
    "ready": test_the_announcement_is_tried_once,
}
"""What a service keeps as tasks; the worker has another two, of which the tests are above."""


def test_no_thread_and_no_task_is_missing_here() -> None:
    process, before = FaultyWebhook(), set(threading.enumerate())
    service = process.service(pages=listen("127.0.0.1", 0))
    process.knative.handler._pinner.begin({}, lambda route: Obstacle("", ""), time.monotonic() + 60)
    seen: set[str] = set()

    def all_seen() -> bool:
        names = {thread.name for thread in set(threading.enumerate()) - before}
        seen.update(re.sub(r"[-_]\d+$", "", name) for name in names)
        return seen >= THREADS.keys() and bool(process.reported)

    run(service, all_seen)
    assert seen == THREADS.keys(), "a thread that no test here makes raise"
    threads = {loop.name for loop in process.supervisor._loops} - THREADS.keys()
    assert threads == TASKS.keys(), "a task that no test here makes raise"

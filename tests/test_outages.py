"""/healthz during ten minutes of each kind of outage of the API server, for each thread that the processes watch.

It fails only for a thread that is dead or hangs.
"""

import asyncio
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final

import pytest

from certs.context import LiveContext
from certs.controller import ControllerOptions, make_controller
from certs.served_secret import ServedSecret
from tests.cluster.fake_clock import FakeClock
from tests.loop.test_threads import THREADS as LOOP_THREADS
from tests.outages import MINUTES, OUTAGES, Event, OutApi, Watched
from tests.server.test_faults import THREADS as SERVER_THREADS
from tests.server.test_faults import Bare, until
from webhook.admission import Settings
from webhook.admission.knative_objects import KnativeSettings
from webhook.api.kinds import LEASE_NAMESPACE
from webhook.cli.certs_cluster import ClusterClient
from webhook.cluster.client import Client
from webhook.cluster.events import Event as ClusterEvent
from webhook.cluster.resource import DEPLOYMENTS, EVENTS, LEASES, MUTATING_WEBHOOKS, SECRETS, VALIDATING_WEBHOOKS
from webhook.diagnosis.live_world import LiveWorld
from webhook.diagnosis.reading import selection
from webhook.diagnosis.world import RESOURCES as SHOWN
from webhook.loop import process as loop_process
from webhook.loop.caches import RESOURCES
from webhook.loop.loop_options import LoopOptions
from webhook.loop.process import LoopProcess, ProcessOptions
from webhook.loop.routing import Key
from webhook.server.informers import RolloutInformers
from webhook.server.knative_side import KnativeSide
from webhook.server.limits import Limits
from webhook.server.metrics import ServerMetrics
from webhook.server.service import Service
from webhook.web.pages import PageOptions, make_app


class Place:
    """A process whose threads are kept and run one by one, on an API server in an outage."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.supervisor = Watched(self.clock)
        self.api = OutApi(clock=self.clock)
        self.api.serve(*RESOURCES, SECRETS, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, EVENTS, LEASES)
        self.client = Client(self.api, field_manager="test", on_response=lambda call, status: self.supervisor.beat())


class LoopPlace(Place):
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        monkeypatch.setattr(loop_process, "Supervisor", lambda monotonic, count: self.supervisor)
        process = LoopProcess(self.api, self.clock, ProcessOptions(LoopOptions(concurrency=2)), identity="me")
        cluster = ClusterClient(process.client, self.clock, self.supervisor)
        options = ControllerOptions("ours")
        controller = make_controller(cluster, self.clock, "certs", ("a",), options, self.supervisor)
        pause: Any = Event(self.clock)
        controller._stopping = controller._awake = pause
        self._give_work(process)
        process.loop.watch()
        process._work()
        controller.start()
        process.loop._working = True
        self.process, self.health = process, process.health

    def _give_work(self, process: LoopProcess) -> None:
        """Each worker always has a key, and there is always an Event to send; each takes a second."""
        numbers = itertools.count()

        def key(timeout: float | None = None) -> Key:
            self.clock.advance(1.0)
            return Key("rolloutorchestrator", "default", f"hello-{next(numbers)}")

        def event(timeout: float | None = None) -> ClusterEvent:
            self.clock.advance(1.0)
            about = {"namespace": "default", "name": f"hello-{next(numbers)}", "uid": "u"}
            return ClusterEvent(about, "Normal", "Waiting", "it waits")

        queue: Any = process.loop.queue
        queue.take, queue.done = key, lambda key: None
        process.recorder._queue = SimpleNamespace(get=event)  # type: ignore[assignment]
        usual = process.loop.reconcile

        def reconcile(key: Key) -> Any:
            # What a reconcile of a rollout that is in no cache asks the API server.
            process.client.get(RESOURCES[0], key.namespace, key.name)
            return usual(key)

        process.loop.workers._reconcile = reconcile


class ServerPlace(Place):
    def __init__(self, _monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        metrics, clock, supervisor = ServerMetrics(), self.clock, self.supervisor
        informers = RolloutInformers(self.client, clock, metrics, supervisor)
        watch = ClusterClient(self.client, clock, supervisor).watch_secret
        key_pair = ServedSecret("ours", "certs", watch, LiveContext(), clock.now, lambda result: None)
        knative = KnativeSide(
            KnativeSettings(), self.client, lambda _: self.client, clock, metrics, supervisor, "knative-serving"
        )
        self.service = Service(
            Settings(), Limits(), key_pair, metrics, informers, supervisor=supervisor, knative=knative
        )
        for task in self.service.start():
            task.close()
        self.health = self.service.health


class WebPlace(Place):
    def __init__(self, _monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.world = LiveWorld(self.client, None, lambda: datetime.now(UTC), supervisor=self.supervisor)
        self.world.begin()

        def wait(version: int, seconds: float) -> int:
            self.clock.advance(seconds)
            return version + 1

        self.world.wait = wait  # type: ignore[method-assign]
        make_app(self.world, PageOptions(self.clock.monotonic, records=True, supervisor=self.supervisor))
        self.health = self.supervisor.health


LOOP: Final = sorted(set().union(*LOOP_THREADS.values()) - {"main of the loop", "pages"})
SERVER: Final = sorted(name for name in SERVER_THREADS if name.startswith("reflector"))
WEB: Final = [
    "history",
    *sorted(
        f"reflector {resource.full_name}{f' in {where.namespace}' if where.namespace else ''}"
        for resource in SHOWN
        for where in [selection(resource, None, "", "")]
    ),
    f"reflector {DEPLOYMENTS.full_name} in {LEASE_NAMESPACE}",
    f"reflector {VALIDATING_WEBHOOKS.full_name}",
]

PLACES: Final[dict[str, tuple[Callable[[pytest.MonkeyPatch], Any], list[str]]]] = {
    "loop": (LoopPlace, LOOP),
    "serve": (ServerPlace, SERVER),
    "web": (WebPlace, WEB),
}
ROWS: Final = [(process, name) for process, (_, names) in PLACES.items() for name in names]


@pytest.mark.parametrize("process", PLACES)
def test_no_thread_is_missing(process: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, names = PLACES[process]
    assert set(names) == make(monkeypatch).supervisor.kept.keys()


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize(("process", "name"), ROWS)
def test_it_is_healthy_while_the_api_server_is_away(
    process: str, name: str, outage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = PLACES[process][0](monkeypatch)
    place.api.outage = outage
    turns = place.supervisor.run(name)
    assert place.clock.elapsed >= 60 * MINUTES
    assert turns >= 1
    assert place.supervisor.unhealthy == []
    assert place.health() == (True, "ok\n")


def test_it_is_healthy_while_the_tasks_of_the_webhook_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """They send no requests: the certificate, the announcement and the sweep of connections."""
    place = ServerPlace(monkeypatch)
    worker = Bare(place.service)
    supervisor: Any = place.supervisor

    async def served() -> None:
        worker.loop = asyncio.get_running_loop()
        coroutines = (*place.service.start(), supervisor.keep("connections", worker._sweep))
        tasks = [asyncio.create_task(each) for each in coroutines]
        await asyncio.sleep(0)
        for _ in range(3):
            place.clock.advance(299.0)
            supervisor.look()
            await until(lambda: all(each.turned_at == place.clock.monotonic() for each in supervisor._loops))
        assert len(supervisor._loops) == 3
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(served())
    assert supervisor.unhealthy == []
    assert place.health() == (True, "ok\n")


@pytest.mark.parametrize("outage", [outage for outage in OUTAGES if outage not in ("401", "403", "410")])
def test_it_is_healthy_while_the_api_server_is_away_at_the_start(outage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API server that refuses the loop is left out: the loop ends with the reason, since waiting would not help."""
    place = LoopPlace(monkeypatch)
    place.api.outage = outage
    place.process._options = ProcessOptions(patient=True)
    pauses = 0

    def wait(seconds: float) -> bool:
        nonlocal pauses
        pauses += 1
        place.clock.advance(seconds)
        place.supervisor.look()
        return place.clock.elapsed > 60 * MINUTES

    monkeypatch.setattr(place.process._stopped, "wait", wait)
    assert place.process._start() is False
    assert pauses > 1
    assert place.supervisor.unhealthy == []


@pytest.mark.parametrize(("process", "name"), ROWS)
def test_it_fails_for_a_dead_thread(process: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = PLACES[process][0](monkeypatch)

    def ends() -> float | None:
        raise SystemExit

    place.supervisor.run(name, ends)
    assert place.health() == (False, f"{name}: dead\n")


@pytest.mark.parametrize(("process", "name"), ROWS)
def test_it_fails_for_a_thread_that_hangs(process: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = PLACES[process][0](monkeypatch)
    seen: list[tuple[bool, str]] = []

    def hangs() -> None:
        place.clock.advance(301.0)
        seen.append(place.health())

    place.supervisor.run(name, hangs)
    assert seen == [(False, f"{name}: no turn for 301 s\n")]

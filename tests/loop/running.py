"""A process of the loop on an API server in memory, with all its threads."""

import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Set
from typing import Any, Final

from prometheus_client import generate_latest

from certs.controller import ControllerOptions, make_controller
from tests.cluster.fake_api import FakeApi
from tests.loop.world import entry
from webhook.api.kinds import CONFIGURATION_LABEL, SERVICE_LABEL
from webhook.cli.certs_cluster import ClusterClient
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
    VALIDATING_WEBHOOKS,
    Resource,
)
from webhook.cluster.transport import Request
from webhook.listening import listen
from webhook.loop.caches import RESOURCES
from webhook.loop.loop_options import LoopOptions
from webhook.loop.process import LoopProcess, ProcessOptions
from webhook.pages_server import PagesServer
from webhook.server.pages import make_app

CERTIFICATE_WATCHES: Final = (SECRETS, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)


class Running:
    """A process of the loop with everything it can have.

    ``faults`` are those requests, by verb and resource and counted from 1, in which the client itself fails.
    """

    def __init__(self, faults: Mapping[tuple[str, str], Set[int]] | None = None, lease: float = 6.0) -> None:
        self.faults_in_requests = faults or {}
        self.broken: list[str] = []
        self.before = set(threading.enumerate())
        self.api = FakeApi()
        self.api.serve(*RESOURCES, *CERTIFICATE_WATCHES, EVENTS, LEASES)
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
        options = ProcessOptions(LoopOptions(concurrency=2, resync=0.2), lease_times=LeaseTimes.of(lease), drain=1.0)
        self.process = LoopProcess(self.api, clock, options, identity="me")
        client = self.process.fenced_client("stagegate-certs")
        cluster = ClusterClient(client, clock, self.process.supervisor)
        watched = ControllerOptions("ours")
        controller = make_controller(cluster, clock, "certs", ("a",), watched, self.process.supervisor)
        self.process.runnables.append(controller)
        self.process.pages = self._pages()
        self._thread = threading.Thread(target=self.process.run, name="main of the loop", daemon=True)

    def _pages(self) -> PagesServer:
        process = self.process
        listener = listen("127.0.0.1", 0)
        self.port = listener.getsockname()[1]
        app = make_app(
            "",
            process.health,
            lambda now: process.readiness(),
            process.metrics.registry,
            supervisor=process.supervisor,
        )
        return PagesServer(app, listener, process.supervisor)

    def fail(self, request: Request) -> None:
        key = request.call.verb, request.call.resource
        self.asked[key] = self.asked.get(key, 0) + 1
        if self.asked[key] in self.faults_in_requests.get(key, ()):
            raise KeyError(f"a fault in {request.call}")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.process.stop()
        self._thread.join(60)

    def faults(self) -> dict[str, float]:
        lines = generate_latest(self.process.metrics.registry).decode().splitlines()
        counted = (line.rpartition(" ") for line in lines if line.startswith("stagegate_loop_faults_total"))
        return {series.split('"')[1]: float(count) for series, _, count in counted}

    def threads(self) -> set[str]:
        return {thread.name for thread in set(threading.enumerate()) - self.before} - {"main of the loop"}

    def get(self, path: str) -> tuple[int, str]:
        try:
            url = f"http://127.0.0.1:{self.port}{path}"
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.read().decode()

    def stored(self, resource: Resource, name: str) -> Any:
        return self.api.get(resource, "default", name)

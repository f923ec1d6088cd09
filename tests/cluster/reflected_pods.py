"""A reflector of pods on a fake API server, and what it has passed on."""

from typing import Any

from tests.cluster.fake_api import FakeApi
from tests.cluster.fake_clock import FakeClock
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.indexer import Change, Indexer
from webhook.cluster.reflector import Reflector
from webhook.cluster.resource import PODS
from webhook.cluster.supervisor import Supervisor


class ReflectedPods:
    """One reflector of pods on a fake API server."""

    def __init__(self, **options: Any) -> None:
        self.api, self.clock = FakeApi(), FakeClock()
        self.api.serve(PODS)
        self.changes: list[str] = []
        self.faults: list[str] = []
        self.poison: set[str] = set()
        self.counted: list[str] = []
        self.reflector = Reflector(
            Client(self.api, field_manager="test"),
            PODS,
            Indexer(self.clock.monotonic),
            self.clock,
            on_change=self.changed,
            on_count=self.counted.append,
            random_number=lambda: 0.0,
            supervisor=Supervisor(self.clock.monotonic, self.faults.append),
            **options,
        )

    def changed(self, change: Change) -> None:
        if rendered(change) in self.poison:
            raise KeyError("metadata")
        self.changes.append(rendered(change))

    def pod(self, name: str, **spec: Any) -> Wire:
        return self.api.put(PODS, {"metadata": {"name": name}, "spec": spec})

    def names(self) -> list[str]:
        return [one["metadata"]["name"] for one in self.reflector.store.objects()]


def rendered(change: Change) -> str:
    if change.before is None:
        return f"+{change.object['metadata']['name']}"
    return f"{'-' if change.after is None else '~'}{change.object['metadata']['name']}"

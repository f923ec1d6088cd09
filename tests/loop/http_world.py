"""A world for the loop on an API server: the real client, caches and controllers; a test says when they act."""

from collections.abc import Iterable
from typing import Any

from tests.cluster.fake_clock import FakeClock
from tests.waiting import eventually
from webhook.api.kinds import LOOP_MANAGER, SETTINGS_NAME
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.connection import connect
from webhook.cluster.errors import NotFound
from webhook.cluster.resource import CONFIG_MAPS, NAMESPACES, PODS, Resource
from webhook.loop.caches import RESOURCES, trimmed
from webhook.loop.loop import Loop
from webhook.loop.loop_options import LoopOptions
from webhook.loop.metrics import Metrics


class HttpApi:
    """Objects of one namespace, put and got by an administrator. Other namespaces that are asked for mean this one.

    The field manager is the loop's: an SPA that somebody else wrote is spared for a while when it has no Revision.
    """

    def __init__(self, kubeconfig: str, namespace: str) -> None:
        self.client = Client(connect(kubeconfig, user_agent="test"), field_manager=LOOP_MANAGER)
        self.namespace = namespace
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        self.client.create(NAMESPACES, None, body)

    def put(self, resource: Resource, one: Wire) -> Wire:
        """Create or change an object, its status too; without a status it keeps the one it has."""
        name = one["metadata"]["name"]
        kept = ("name", "labels", "annotations", "ownerReferences")
        metadata = {key: one["metadata"][key] for key in kept if one["metadata"].get(key)}
        rest = {key: value for key, value in one.items() if key not in ("metadata", "status", "apiVersion", "kind")}
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **rest}
        before = self.get(resource, self.namespace, name)
        if before is None:
            stored = self.client.create(resource, self.namespace, body)
        elif any(before.get(key) != value for key, value in rest.items()):
            stored = self.client.patch(resource, self.namespace, name, rest)
        else:
            stored = before
        if "status" in one and one["status"] != stored.get("status"):
            stored = self.client.patch(resource, self.namespace, name, {"status": one["status"]}, "status")
        return stored

    def get(self, resource: Resource, namespace: str, name: str) -> Wire | None:
        try:
            return self.client.get(resource, self.namespace, name)
        except NotFound:
            return None

    def all(self, resource: Resource) -> list[Wire]:
        try:
            items: list[Wire] = self.client.list(resource, self.namespace).get("items") or []
        except NotFound:
            return []
        return items

    @property
    def objects(self) -> dict[tuple[str, str, str], Wire]:
        """Every object, by the path of its resource, namespace and name."""
        return {
            (resource.path(), self.namespace, one["metadata"]["name"]): one
            for resource in RESOURCES
            for one in self.all(resource)
        }


class HttpWorld:
    """What ``World`` is on a fake API server. Close it at the end."""

    def __init__(self, kubeconfig: str, loop_kubeconfig: str, namespace: str, clock: Any = None) -> None:
        self.api = HttpApi(kubeconfig, namespace)
        self.clock = clock or FakeClock()
        self.events: list[Any] = []
        client = Client(connect(loop_kubeconfig, user_agent="test-loop"), field_manager="stagegate-loop")
        options = LoopOptions(namespaces=(namespace,), settings_namespace=namespace)
        self.loop = Loop(client, self.clock, options, Metrics(RESOURCES), self.events.append)
        self._watching = False

    def settings(self, **data: str) -> None:
        renamed = {key.replace("_", "-"): value for key, value in data.items()}
        self.api.put(CONFIG_MAPS, {"metadata": {"name": SETTINGS_NAME}, "data": renamed})

    def observe(self) -> None:
        """Wait until the caches show what the server has."""
        if not self._watching:
            self._watching = True
            self.loop.watch()
        eventually(self._has_seen_all, "all is seen", pause=0.01)

    def close(self) -> None:
        self.loop.stop(1.0)

    def _has_seen_all(self) -> bool:
        return self.loop.caches.ready() and all(map(self._is_current, self.loop.caches))

    def _is_current(self, cache: Any) -> bool:
        if not cache.synced or cache is self.loop.caches.autoscaler_settings:
            return bool(cache.known)
        stored = (trimmed(cache.resource, one) for one in self.api.all(cache.resource))
        wanted = {_key(one) for one in stored if _is_looked_at(cache.resource, one)}
        return {_key(one) for one in cache.store.objects()} == wanted


def _is_looked_at(resource: Resource, one: Wire) -> bool:
    if resource is PODS:
        return "serving.knative.dev/revision" in (one["metadata"].get("labels") or {})
    return resource is not CONFIG_MAPS or one["metadata"]["name"] == SETTINGS_NAME


def _key(one: Wire) -> tuple[str, str]:
    return one["metadata"]["name"], one["metadata"]["resourceVersion"]


def names(many: Iterable[Wire]) -> list[str]:
    return sorted(one["metadata"]["name"] for one in many)

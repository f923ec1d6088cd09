"""History: every version of every object that was stored, in the order in which the server stored them."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError
from webhook.cluster.resource import REVISIONS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS, Resource

Wire = dict[str, Any]
WATCHED: Final = (ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS, REVISIONS)


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of an object; ``gone`` for its deletion."""

    version: int
    resource: Resource
    object: Wire
    gone: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.object["metadata"]["namespace"], self.object["metadata"]["name"]


class History:
    """Watches the server from now on. Use it in a ``with``."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._stored: list[Stored] = []
        self._latest: dict[tuple[Resource, tuple[str, str]], Wire] = {}
        self._stopped = threading.Event()
        self._streams: dict[Resource, Any] = {}
        self._threads = [threading.Thread(target=self._watch, args=(one,), daemon=True) for one in WATCHED]

    def __enter__(self) -> "History":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for stream in list(self._streams.values()):
            stream.close()
        for thread in self._threads:
            thread.join(5.0)

    def stored(self) -> list[Stored]:
        """Everything so far. Two resources may be seen at different times: what is newest may be out of order."""
        with self._lock:
            return sorted(self._stored, key=lambda one: one.version)

    def latest(self, resource: Resource, namespace: str, name: str) -> Wire | None:
        with self._lock:
            return self._latest.get((resource, (namespace, name)))

    def _watch(self, resource: Resource) -> None:
        version = ""
        while not self._stopped.is_set():
            try:
                version = version or self._list(resource)
                stream = self._client.watch(
                    resource, resource_version=version, server_seconds=3600, silence_seconds=3600
                )
                self._streams[resource] = stream
                for event in stream:
                    one = event["object"]
                    if event["type"] == "ERROR":
                        version = ""
                        break
                    version = str(one["metadata"]["resourceVersion"])
                    if event["type"] != "BOOKMARK":
                        self._take([Stored(int(version), resource, one, event["type"] == "DELETED")])
            except ApiError as problem:
                version = "" if problem.status == 410 else version
                self._stopped.wait(0.1)

    def _list(self, resource: Resource) -> str:
        """A server that was restarted knows no changes from before: what it has is taken, what it lacks is gone."""
        page = self._client.list(resource)
        version = str(page["metadata"]["resourceVersion"])
        listed = [Stored(int(one["metadata"]["resourceVersion"]), resource, one) for one in page["items"]]
        with self._lock:
            known = {key: one for (what, key), one in self._latest.items() if what is resource}
        keys = {one.key for one in listed}
        self._take(Stored(int(version), resource, one, gone=True) for key, one in known.items() if key not in keys)
        seen = {key: int(one["metadata"]["resourceVersion"]) for key, one in known.items()}
        self._take(one for one in listed if one.version > seen.get(one.key, 0))
        return version

    def _take(self, many: Iterable[Stored]) -> None:
        with self._lock:
            for one in many:
                self._stored.append(one)
                if one.gone:
                    self._latest.pop((one.resource, one.key), None)
                else:
                    self._latest[one.resource, one.key] = one.object

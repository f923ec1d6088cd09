"""History: every version of every object that was stored, in the order in which the server stored them."""

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError
from webhook.cluster.resource import PODS, REVISIONS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS, Resource

Wire = dict[str, Any]
JUDGED: Final = (ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS, REVISIONS)
_GROUP: Final = "/registry/serving.knative.dev/"
_BY_PLURAL: Final = {resource.plural: resource for resource in JUDGED}


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of an object; ``gone`` for its deletion. ``seen`` is when it was seen, by ``time.monotonic``."""

    version: int
    resource: Resource
    object: Wire
    gone: bool = False
    seen: float = 0.0

    @property
    def key(self) -> tuple[str, str]:
        return self.object["metadata"]["namespace"], self.object["metadata"]["name"]


class History:
    """Follows the server from now on. Use it in a ``with``.

    ``etcd`` is the socket of its etcd, where it has one; its watch has every version whatever happens to the server.
    Without it, and of pods in any case, the server itself is watched; ``gaps`` counts how often versions of what is
    judged may have been missed because the server had forgotten them.
    """

    def __init__(self, client: Client, etcd: Path | None = None) -> None:
        self._client = client
        self._etcd = etcd
        self._lock = threading.Lock()
        self._stored: list[Stored] = []
        self._latest: dict[tuple[Resource, tuple[str, str]], Wire] = {}
        self._stopped = threading.Event()
        self._streams: dict[Resource, Any] = {}
        self._connection: _SocketConnection | None = None
        self.gaps = 0
        self._problem: BaseException | None = None
        watched = (PODS,) if etcd is not None else (*JUDGED, PODS)
        follow = [partial(self._watch, one) for one in watched] + ([self._follow] if etcd is not None else [])
        self._threads = [threading.Thread(target=self._run, args=(one,), daemon=True) for one in follow]

    def __enter__(self) -> "History":
        if self._etcd is not None and not self._etcd.exists():
            raise FileNotFoundError(f"no etcd listens at {self._etcd}")
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for stream in list(self._streams.values()):
            stream.close()
        if self._connection is not None and self._connection.sock is not None:
            with suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5.0)

    def stored(self) -> list[Stored]:
        """Everything so far. Two resources may be seen at different times: what is newest may be out of order."""
        with self._lock:
            return sorted(self._stored, key=lambda one: one.version)

    @property
    def length(self) -> int:
        """The number of versions so far."""
        return len(self._stored)

    def latest(self, resource: Resource, namespace: str, name: str) -> Wire | None:
        """Raises AssertionError when no later version would be seen."""
        if self._problem is not None:
            raise AssertionError(f"the history has stopped: {self._problem!r}") from self._problem
        with self._lock:
            return self._latest.get((resource, (namespace, name)))

    def _run(self, follow: Callable[[], None]) -> None:
        try:
            follow()
        except BaseException as problem:
            self._problem = problem

    # The server

    def _watch(self, resource: Resource) -> None:
        version, before = "", ""
        while not self._stopped.is_set():
            try:
                version = version or self._list(resource, again=bool(before))
                stream = self._client.watch(
                    resource, resource_version=version, server_seconds=3600, silence_seconds=3600
                )
                self._streams[resource] = stream
                for event in stream:
                    one = event["object"]
                    if event["type"] == "ERROR":
                        version = ""
                        break
                    version = before = str(one["metadata"]["resourceVersion"])
                    if event["type"] != "BOOKMARK":
                        self._take([Stored(int(version), resource, one, event["type"] == "DELETED")])
            except ApiError as problem:
                version = "" if problem.status == 410 else version
                self._stopped.wait(0.1)

    def _list(self, resource: Resource, *, again: bool) -> str:
        """A restarted server has no older changes: its objects are taken as they are, absent ones as deleted."""
        page = self._client.list(resource)
        version = str(page["metadata"]["resourceVersion"])
        listed = [Stored(int(one["metadata"]["resourceVersion"]), resource, one) for one in page["items"]]
        with self._lock:
            known = {key: one for (what, key), one in self._latest.items() if what is resource}
        keys = {one.key for one in listed}
        self._take(Stored(int(version), resource, one, gone=True) for key, one in known.items() if key not in keys)
        seen = {key: int(one["metadata"]["resourceVersion"]) for key, one in known.items()}
        self._take(one for one in listed if one.version > seen.get(one.key, 0))
        self.gaps += again and resource is not PODS
        return version

    # Its etcd

    def _follow(self) -> None:
        revision = 1
        while not self._stopped.is_set():
            try:
                for one in self._events(revision):
                    # An API server writes one object at a time, so that a revision is of one.
                    revision = one.version + 1
                    self._take([one])
                self.gaps += 1
            except (OSError, HTTPException, ValueError):
                # Also for a line that was cut in the middle.
                self._stopped.wait(0.1)

    def _events(self, since: int) -> Iterator[Stored]:
        """Changes of custom resources, which lie there as JSON, from a revision on: a revision is a version.

        It ends only where the etcd has forgotten that revision.
        """
        end = _GROUP[:-1] + chr(ord(_GROUP[-1]) + 1)
        asked = {"key": _base64(_GROUP), "range_end": _base64(end), "start_revision": str(since), "prev_kv": True}
        assert self._etcd is not None
        self._connection = _SocketConnection(self._etcd)
        with closing(self._connection) as connection:
            connection.request("POST", "/v3/watch", json.dumps({"create_request": asked}))
            with connection.getresponse() as response:
                for line in response:
                    result = json.loads(line)["result"]
                    if result.get("canceled"):
                        return
                    yield from filter(None, map(stored_in, result.get("events") or ()))
            raise HTTPException("the watch was cut")

    def _take(self, many: Iterable[Stored]) -> None:
        with self._lock:
            for one in many:
                known = self._latest.get((one.resource, one.key))
                if known is not None and not one.gone and int(known["metadata"]["resourceVersion"]) >= one.version:
                    continue
                self._stored.append(replace(one, seen=time.monotonic()))
                if one.gone:
                    self._latest.pop((one.resource, one.key), None)
                else:
                    self._latest[one.resource, one.key] = one.object


class _SocketConnection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def stored_in(event: Wire) -> Stored | None:
    """The object of an event of etcd's watch; None for what is not judged."""
    gone = event.get("type") == "DELETE"
    path = base64.b64decode(event["kv"]["key"]).decode()
    resource = _BY_PLURAL.get(path.removeprefix(_GROUP).partition("/")[0])
    if resource is None:
        return None
    version = int(event["kv"]["mod_revision"])
    one = json.loads(base64.b64decode((event["prev_kv"] if gone else event["kv"])["value"]))
    one["metadata"]["resourceVersion"] = str(version)
    return Stored(version, resource, one, gone)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()

"""An API server in memory, at the wire edge: requests in, JSON or errors out, every write on record."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from webhook.api.wire import Wire, copy_of
from webhook.cluster.client import APPLY_PATCH
from webhook.cluster.errors import ApiError, Call, error_from
from webhook.cluster.resource import Resource
from webhook.cluster.transport import Request

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Write:
    """A request that changed something, or would have: verb, resource, namespace/name, body."""

    verb: str
    resource: str
    name: str
    body: Wire
    query: dict[str, str]

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} {self.name}"


@dataclass
class Script:
    """A stream whose events a test wrote down; an ApiError in it is raised."""

    events: Iterable[Any]
    closed: bool = False

    def __iter__(self) -> Iterator[Any]:
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            if callable(event):
                event()
                continue
            yield copy_of(event)

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeApi:
    """Objects by collection path, namespace and name. A watch sends the events so far, and ends.

    ``fail`` may return an error for a request (raised instead of doing it); ``after`` may raise one for a request that
    was done, as a time-out does. ``lingers`` is how many reads still find an object after its deletion.
    """

    objects: dict[Key, Wire] = field(default_factory=dict)
    served: dict[str, list[str]] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    reads: list[Call] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    streams: list[Script] = field(default_factory=list)
    fail: Callable[[Request], ApiError | None] = lambda request: None
    after: Callable[[Request], ApiError | None] = lambda request: None
    version: int = 100
    compacted: int = 0
    lingers: int = 0
    ending: dict[Key, int] = field(default_factory=dict)
    history: list[tuple[int, str, str, Wire]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def serve(self, *resources: Resource) -> None:
        for resource in resources:
            self.served.setdefault(resource.group_path, []).append(resource.plural)

    def withdraw(self, resource: Resource) -> None:
        self.served[resource.group_path].remove(resource.plural)

    def put(self, resource: Resource, one: Wire) -> Wire:
        """Store an object as another client would, without a record of it."""
        with self.lock:
            one = copy_of(one)
            metadata = one["metadata"]
            namespace = metadata.setdefault("namespace", "default") if resource.namespaced else ""
            key = (resource.path(), namespace, metadata["name"])
            before = self.objects.get(key)
            metadata.setdefault("uid", before["metadata"]["uid"] if before else f"uid-{metadata['name']}")
            if before and one.get("spec") != before.get("spec"):
                metadata["generation"] = before["metadata"].get("generation", 1) + 1
            metadata.setdefault("generation", before["metadata"]["generation"] if before else 1)
            return self._store(key, one, "MODIFIED" if before else "ADDED")

    def remove(self, resource: Resource, namespace: str, name: str) -> None:
        with self.lock:
            self._drop((resource.path(), namespace, name))

    def get(self, resource: Resource, namespace: str, name: str) -> Wire | None:
        return self.objects.get((resource.path(), namespace, name))

    def compact(self) -> None:
        """Forget the history: a watch from before now is answered 410."""
        self.compacted = self.version
        self.history.clear()

    def written(self) -> list[str]:
        return [str(write) for write in self.writes]

    # Transport

    def send(self, request: Request) -> Any:
        with self.lock:
            self.requests.append(request)
            problem = self.fail(request)
            if problem is not None:
                raise problem
            answer = self._answer(request)
            problem = self.after(request)
            if problem is not None:
                raise problem
            return copy_of(answer)

    def stream(self, request: Request) -> Script:
        with self.lock:
            self.requests.append(request)
            self.reads.append(request.call)
            problem = self.fail(request)
            if problem is not None:
                raise problem
            if self.streams:
                return self.streams.pop(0)
            self._check_served(request)
            since = int(request.query.get("resourceVersion", "0"))
            if since < self.compacted:
                status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
                return Script([{"type": "ERROR", "object": status}])
            path, namespace, _, _ = self._parts(request)
            events: list[Any] = [
                {"type": kind, "object": one}
                for version, kind, where, one in self.history
                if version > since and where == path and namespace in ("", one["metadata"].get("namespace", ""))
            ]
            bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(self.version)}}}
            return Script([*events, bookmark])

    def _answer(self, request: Request) -> Any:
        if request.path in self.served and request.method == "GET":
            return {"resources": [{"name": name} for name in self.served[request.path]]}
        self._check_served(request)
        path, namespace, name, subresource = self._parts(request)
        if request.method == "GET":
            self.reads.append(request.call)
            return self._get(request, path, namespace, name) if name else self._list(request, path, namespace)
        body = dict(copy_of(request.body or {}))
        shown = "/".join(part for part in (request.call.namespace, request.call.name) if part)
        self.writes.append(Write(request.call.verb, request.call.resource, shown, copy_of(body), dict(request.query)))
        if request.method == "POST":
            return self._create(request, path, namespace, body)
        key = (path, namespace, name)
        if request.method == "DELETE":
            return self._delete(request, key, body)
        return self._change(request, key, body, subresource)

    def _get(self, request: Request, path: str, namespace: str, name: str) -> Wire:
        key = (path, namespace, name)
        one = self._existing(request, key)
        if key in self.ending:
            self.ending[key] -= 1
            if not self.ending[key]:
                self._drop(key)
                del self.ending[key]
        return one

    def _list(self, request: Request, path: str, namespace: str) -> Wire:
        selector: dict[str, str | None] = {}
        for part in filter(None, request.query.get("labelSelector", "").split(",")):
            label, equals, value = part.partition("=")
            selector[label] = value if equals else None
        found = [
            one
            for (where, within, _), one in sorted(self.objects.items())
            if where == path and namespace in ("", within) and _selected(one, selector)
        ]
        limit = int(request.query.get("limit", 0)) or len(found)
        start = int(request.query.get("continue", 0) or 0)
        metadata: Wire = {"resourceVersion": str(self.version)}
        if start + limit < len(found):
            metadata["continue"] = str(start + limit)
        return {"metadata": metadata, "items": found[start : start + limit]}

    def _create(self, request: Request, path: str, namespace: str, body: Wire) -> Wire:
        key = (path, namespace, body["metadata"]["name"])
        if key in self.objects:
            raise status_error(request, 409, "AlreadyExists", "object exists already")
        body["metadata"] |= {"uid": f"uid-{key[2]}-{self.version}", "generation": 1}
        if namespace:
            body["metadata"]["namespace"] = namespace
        if not request.path.endswith(("/events", "/leases")):
            body.pop("status", None)
        return self._store(key, body, "ADDED")

    def _delete(self, request: Request, key: Key, options: Wire) -> Wire:
        before = self._existing(request, key)
        conditions = options.get("preconditions") or {}
        for member in ("uid", "resourceVersion"):
            if member in conditions and conditions[member] != before["metadata"][member]:
                raise status_error(request, 409, "Conflict", f"precondition failed: {member}")
        if self.lingers:
            self.ending[key] = self.lingers
            metadata = {**before["metadata"], "deletionTimestamp": "2030-01-01T00:00:00Z"}
            return self._store(key, {**before, "metadata": metadata}, "MODIFIED")
        self._drop(key)
        return {"kind": "Status", "status": "Success"}

    def _change(self, request: Request, key: Key, body: Wire, subresource: str) -> Wire:
        before = self._existing(request, key)
        wanted = (body.get("metadata") or {}).get("resourceVersion")
        if wanted is not None and wanted != before["metadata"]["resourceVersion"]:
            raise status_error(request, 409, "Conflict", "the object has been modified")
        if request.method == "PUT":
            after = copy_of(body)
            after["metadata"] = {**copy_of(before["metadata"]), **body["metadata"]}
        elif request.content_type == APPLY_PATCH:
            after = applied(before, {key: value for key, value in body.items() if key not in ("apiVersion", "kind")})
        else:
            after = merged(before, body)
        if subresource == "status":
            after = {**copy_of(before), "status": after.get("status", {})}
        elif "status" in before and request.call.resource != "leases":
            after["status"] = before["status"]
        if after.get("spec") != before.get("spec"):
            after["metadata"]["generation"] = before["metadata"].get("generation", 1) + 1
        after["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
        if after == before:
            return before
        return self._store(key, after, "MODIFIED")

    def _store(self, key: Key, one: Wire, kind: str) -> Wire:
        self.version += 1
        one["metadata"]["resourceVersion"] = str(self.version)
        self.objects[key] = one
        self.history.append((self.version, kind, key[0], copy_of(one)))
        return one

    def _drop(self, key: Key) -> None:
        one = copy_of(self.objects.pop(key))
        self.version += 1
        one["metadata"]["resourceVersion"] = str(self.version)
        self.history.append((self.version, "DELETED", key[0], one))

    def _existing(self, request: Request, key: Key) -> Wire:
        one = self.objects.get(key)
        if one is None:
            raise status_error(request, 404, "NotFound", f'{key[2]} "{key[2]}" not found')
        return one

    def _check_served(self, request: Request) -> None:
        path, _, _, _ = self._parts(request)
        group, _, plural = path.rpartition("/")
        if plural not in self.served.get(group, []):
            raise error_from(request.call, 404, {}, b"404 page not found")

    @staticmethod
    def _parts(request: Request) -> tuple[str, str, str, str]:
        parts = request.path.strip("/").split("/")
        head, rest = (parts[:2], parts[2:]) if parts[0] == "api" else (parts[:3], parts[3:])
        namespace = ""
        if rest and rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = unquote(rest[1]), rest[2:]
        plural, name, subresource = [*rest, "", "", ""][:3]
        return "/" + "/".join([*head, plural]), namespace, unquote(name), subresource


def status_error(request: Request, code: int, reason: str, message: str) -> ApiError:
    body = json.dumps({"kind": "Status", "code": code, "reason": reason, "message": message})
    return error_from(request.call, code, {}, body.encode())


def merged(before: Wire, patch: Wire) -> Wire:
    after = copy_of(before)
    for name, value in patch.items():
        if value is None:
            after.pop(name, None)
        elif isinstance(value, dict):
            inner = after.get(name)
            after[name] = merged(inner if isinstance(inner, dict) else {}, value)
        else:
            after[name] = copy_of(value)
    return dict(after)


def applied(before: Wire, patch: Wire) -> Wire:
    """As merged; of the webhooks of a configuration, each by its name."""
    after = merged(before, patch)
    if "webhooks" in patch:
        patches = {webhook["name"]: webhook for webhook in patch["webhooks"]}
        after["webhooks"] = [merged(one, patches.get(one["name"], {})) for one in before["webhooks"]]
    return after


def _selected(one: Wire, selector: dict[str, str | None]) -> bool:
    labels = one["metadata"].get("labels") or {}
    return all(name in labels if value is None else labels.get(name) == value for name, value in selector.items())

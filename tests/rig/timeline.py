"""Timeline: what happened to objects, in the order in which it was stored, and what can be counted of it."""

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.controlplane.session import Session
from tests.rig.watcher import Watcher

Wire = dict[str, Any]

_SERVING: Final = "/apis/serving.knative.dev/v1"
WATCHED: Final = {
    "pods": "/api/v1",
    "deployments": "/apis/apps/v1",
    "services": _SERVING,
    "configurations": _SERVING,
    "revisions": _SERVING,
    "routes": _SERVING,
    "podautoscalers": "/apis/autoscaling.internal.knative.dev/v1alpha1",
}
"""Where these plurals are; ``services`` are those of Knative."""

STAGEGATE: Final = {"rolloutorchestrators": _SERVING, "stagepodautoscalers": _SERVING}
_REVISION: Final = "serving.knative.dev/revision"
_WITHIN: Final = 30.0


class Change(NamedTuple):
    """One write: its number in the store, ADDED, MODIFIED or DELETED, the object, and when it was seen, Unix time."""

    version: int
    plural: str
    kind: str
    wire: Wire
    at: float = 0.0


class Timeline:
    """Sees every write to the watched kinds. What is written within one transaction of the store has one number."""

    def __init__(self, new_session: Callable[[], Session]) -> None:
        self._new_session = new_session
        self._lock = threading.Lock()
        self._changes: dict[str, list[Change]] = {}
        self._watchers: list[Watcher] = []
        self._paths: dict[str, str] = {}
        self._session = new_session()
        self.watch(WATCHED)

    def watch(self, paths: Mapping[str, str]) -> None:
        """Watch these plurals too; what is watched already is left alone."""
        for plural, base in paths.items():
            if plural not in self._paths:
                self._paths[plural] = base
                path, session = f"{base}/{plural}", self._new_session()
                self._watchers.append(Watcher(session, path, partial(self._add, plural)))

    def stop(self) -> None:
        """After the API server has ended."""
        for watcher in self._watchers:
            watcher.join()
        self._session.close()

    def of(self, namespace: str) -> "Record":
        """Everything that was stored in a namespace before this call."""
        deadline = time.monotonic() + _WITHIN
        while behind := self._behind(namespace):
            assert time.monotonic() < deadline, f"the watch of {behind} is behind in {namespace}"
            time.sleep(0.05)
        with self._lock:
            changes = list(self._changes.get(namespace, ()))
        return Record(sorted(changes, key=lambda change: change.version))

    def _add(self, plural: str, kind: str, wire: Wire) -> None:
        wire["metadata"].pop("managedFields", None)
        change = Change(int(wire["metadata"]["resourceVersion"]), plural, kind, wire, time.time())
        with self._lock:
            self._changes.setdefault(wire["metadata"]["namespace"], []).append(change)

    def _behind(self, namespace: str) -> str:
        for plural, base in self._paths.items():
            answer = self._session.get(f"{base}/namespaces/{namespace}/{plural}")
            stored = {
                each["metadata"]["name"]: int(each["metadata"]["resourceVersion"]) for each in answer.body["items"]
            }
            seen: dict[str, int] = {}
            with self._lock:
                for change in self._changes.get(namespace, ()):
                    if change.plural == plural:
                        if change.kind == "DELETED":
                            seen.pop(change.wire["metadata"]["name"], None)
                        else:
                            seen[change.wire["metadata"]["name"]] = change.version
            if any(seen.get(name, 0) < version for name, version in stored.items()) or seen.keys() - stored.keys():
                return plural
        return ""


class State:
    """The objects of a namespace at one moment, by plural and name."""

    def __init__(self, objects: Mapping[str, Mapping[str, Wire]]) -> None:
        self._objects = objects

    def all(self, plural: str) -> Mapping[str, Wire]:
        return self._objects.get(plural, {})

    def shares(self, service: str) -> dict[str, int]:
        """Percent of the traffic by revision, as the Route's status says; without those of 0."""
        found: Counter[str] = Counter()
        for entry in self.all("routes").get(service, {}).get("status", {}).get("traffic", ()):
            found[entry["revisionName"]] += entry.get("percent") or 0
        return {name: percent for name, percent in sorted(found.items()) if percent}

    def pods(self, revision: str | None = None) -> list[Wire]:
        """The pods that are not being deleted, of one revision or of all."""
        return [
            pod
            for pod in self.all("pods").values()
            if "deletionTimestamp" not in pod["metadata"]
            and revision in (None, pod["metadata"].get("labels", {}).get(_REVISION))
        ]

    def ready(self, revision: str) -> int:
        """How many pods of a revision are ready."""
        return sum(condition_of(pod, "Ready") == "True" for pod in self.pods(revision))

    def ready_pods(self) -> dict[str, int]:
        """How many pods are ready, by revision; without those that have none."""
        return {name: count for name in self.all("revisions") if (count := self.ready(name))}

    def running(self) -> Counter[str]:
        """How many pods there are by revision, those that end and those that start included."""
        return Counter(pod["metadata"].get("labels", {}).get(_REVISION, "") for pod in self.all("pods").values())

    def is_ready(self, service: str) -> bool:
        """What ``kubectl wait --for=condition=Ready`` waits for: the condition, for the present generation."""
        wire = self.all("services").get(service, {})
        status = wire.get("status", {})
        current = status.get("observedGeneration") == wire.get("metadata", {}).get("generation")
        return current and condition_of(wire, "Ready") == "True"

    def annotation(self, plural: str, name: str, key: str) -> str | None:
        value: str | None = self.all(plural).get(name, {}).get("metadata", {}).get("annotations", {}).get(key)
        return value


class Record:
    """The changes of one namespace, in order."""

    def __init__(self, changes: list[Change]) -> None:
        self.changes = changes

    def save(self, file: Path) -> None:
        """Write the changes into a file, each as JSON in a line of its own."""
        with file.open("w") as lines:
            lines.writelines(f"{json.dumps(change._asdict())}\n" for change in self.changes)

    @classmethod
    def load(cls, file: Path) -> "Record":
        """What ``save`` wrote."""
        with file.open() as lines:
            return cls([Change(**json.loads(line)) for line in lines])

    def since(self, version: int) -> Iterator[State]:
        """The states after each change that is younger than this number."""
        objects: dict[str, dict[str, Wire]] = {}
        for change, following in itertools.zip_longest(self.changes, self.changes[1:]):
            of_plural = dict(objects.get(change.plural, {}))
            if change.kind == "DELETED":
                of_plural.pop(change.wire["metadata"]["name"], None)
            else:
                of_plural[change.wire["metadata"]["name"]] = change.wire
            objects = {**objects, change.plural: of_plural}
            complete = following is None or following.version != change.version
            if change.version > version and complete:
                yield State(objects)

    @property
    def version(self) -> int:
        """The number of the last change; 0 if there is none."""
        return self.changes[-1].version if self.changes else 0

    @property
    def end(self) -> State:
        """The last state."""
        return list(self.since(self.version - 1))[-1] if self.changes else State({})

    def path(self, service: str, version: int = 0) -> list[dict[str, int]]:
        """The different shares of a service, in order."""
        return [shares for shares, _ in itertools.groupby(state.shares(service) for state in self.since(version))]

    def peak(self, version: int = 0) -> int:
        """The most pods that there were at once, without those that were being deleted."""
        return max((len(state.pods()) for state in self.since(version)), default=0)

    def created(self, version: int = 0) -> Counter[str]:
        """How many pods of each revision were created."""
        return self._pods("ADDED", version)

    def deleted(self, version: int = 0) -> Counter[str]:
        """How many pods of each revision are gone."""
        return self._pods("DELETED", version)

    def _pods(self, kind: str, version: int) -> "Counter[str]":
        return Counter(
            change.wire["metadata"].get("labels", {}).get(_REVISION, "")
            for change in self.changes
            if (change.plural, change.kind) == ("pods", kind) and change.version > version
        )


def condition_of(wire: Wire, kind: str) -> str:
    """The status of a condition; empty if it is not there."""
    return next((each["status"] for each in wire.get("status", {}).get("conditions", ()) if each["type"] == kind), "")

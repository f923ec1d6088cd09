"""Kubelet: simulates one node for all pods. No container runs; pods start, end, and report what a test decides."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from tests.controlplane.session import Session
from tests.rig.watcher import Watcher

NEVER_READY: Final = "dev.local/never-ready"
"""Pods of this image run and are never ready."""

NO_IMAGE: Final = "dev.local/no-image"
"""Pods of this image wait for it forever."""

_PODS: Final = "/api/v1/pods"
_REVISION: Final = "serving.knative.dev/revision"
Wire = dict[str, Any]


class Kubelet:
    """At work until the API server ends. ``ready_after`` and ``ends_after`` are seconds."""

    def __init__(self, new_session: Callable[[], Session], ready_after: float = 1.0, ends_after: float = 0.5) -> None:
        self._session = new_session()
        self._ready_after = ready_after
        self._ends_after = ends_after
        self._numbers = itertools.count(1)
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._known: dict[str, Wire] = {}
        self._ending: set[str] = set()
        self._crashing: set[tuple[str, str]] = set()
        self._worker = threading.Thread(target=self._work, name="kubelet", daemon=True)
        self._worker.start()
        self._watcher = Watcher(new_session(), _PODS, self._handle)

    def stop(self) -> None:
        """After the API server has ended."""
        self._watcher.join()
        self._schedule(0, _finish)
        self._worker.join(10)
        self._session.close()

    def pod_at(self, address: str) -> Wire | None:
        """The pod with this address; None if there is none."""
        with self._changed:
            return next((each for each in self._known.values() if each["status"].get("podIP") == address), None)

    def pods_of(self, namespace: str, revision: str) -> list[Wire]:
        """The pods of a revision."""
        with self._changed:
            return [
                pod
                for pod in self._known.values()
                if pod["metadata"]["namespace"] == namespace
                and pod["metadata"].get("labels", {}).get(_REVISION) == revision
            ]

    def turn(self, namespace: str, revision: str, *, ready: bool) -> None:
        """Have the pods of a revision that run now turn ready or not ready."""
        for pod in self.pods_of(namespace, revision):
            self._schedule(0, partial(self._patch_status, pod, {"conditions": _conditions(ready)}))

    def crash(self, namespace: str, revision: str) -> None:
        """Have the containers of a revision exit again and again from now on, those of later pods too."""
        self._crashing.add((namespace, revision))
        for pod in self.pods_of(namespace, revision):
            self._schedule(0, partial(self._patch_status, pod, _crashed(pod)))

    def _handle(self, kind: str, pod: Wire) -> None:
        uid, metadata = pod["metadata"]["uid"], pod["metadata"]
        with self._changed:
            new = uid not in self._known
            if kind == "DELETED":
                self._known.pop(uid, None)
                self._ending.discard(uid)
                return
            self._known[uid] = pod
            ends = "deletionTimestamp" in metadata and uid not in self._ending
            if ends:
                self._ending.add(uid)
        if new:
            self._schedule(0, partial(self._bind, pod))
            self._schedule(self._ready_after, partial(self._run, pod))
        if ends:
            self._schedule(self._ends_after, partial(self._end, pod))

    def _bind(self, pod: Wire) -> None:
        if not pod["spec"].get("nodeName"):
            name = pod["metadata"]["name"]
            target = {"apiVersion": "v1", "kind": "Node", "name": "node"}
            binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
            self._session.create(f"{_path(pod)}/binding", binding)

    def _run(self, pod: Wire) -> None:
        number = next(self._numbers)
        address = f"10.244.{number >> 8}.{number & 255}"
        image = pod["spec"]["containers"][0]["image"].partition(":")[0].partition("@")[0]
        status: Wire = {"phase": "Running", "startTime": _now(), "podIP": address, "podIPs": [{"ip": address}]}
        status["conditions"] = _conditions(ready=image not in (NEVER_READY, NO_IMAGE))
        if image == NO_IMAGE:
            waiting = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}
            status["phase"] = "Pending"
            status["containerStatuses"] = [_container_status(pod, {"waiting": waiting})]
        revision = pod["metadata"].get("labels", {}).get(_REVISION, "")
        if (pod["metadata"]["namespace"], revision) in self._crashing:
            status |= _crashed(pod)
        self._patch_status(pod, status)

    def _patch_status(self, pod: Wire, status: Wire) -> None:
        self._session.patch(f"{_path(pod)}/status", {"status": status})

    def _end(self, pod: Wire) -> None:
        self._session.delete(f"{_path(pod)}?gracePeriodSeconds=0")

    def _schedule(self, seconds: float, action: Callable[[], None]) -> None:
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), action))
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                action = heapq.heappop(self._due)[2]
            try:
                action()
            except _Finished:
                return
            except OSError:
                # The API server has ended; ``stop`` follows.
                self._session.close()


class _Finished(Exception):
    pass


def _finish() -> None:
    raise _Finished


def _path(pod: Wire) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _conditions(ready: bool) -> list[Wire]:
    status = "True" if ready else "False"
    return [{"type": name, "status": status, "lastTransitionTime": _now()} for name in ("Ready", "ContainersReady")] + [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": _now()}
    ]


def _crashed(pod: Wire) -> Wire:
    exited = {"terminated": {"exitCode": 1, "reason": "Error", "message": "no more disk"}}
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    container = _container_status(pod, waiting) | {"lastState": exited, "restartCount": 3}
    return {"conditions": _conditions(ready=False), "containerStatuses": [container]}


def _container_status(pod: Wire, state: Wire) -> Wire:
    container = pod["spec"]["containers"][0]
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": state,
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

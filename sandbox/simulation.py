"""Autoscaler: simulates autoscaler and kubelet for simulated revisions, through the API like any other client."""

import logging
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from sandbox.autoscaler import (
    Action,
    MarkPodReady,
    Pace,
    RemovePod,
    ReportScale,
    StartPod,
    TerminatePod,
    Workload,
    decide,
)
from sandbox.workloads import INITIALIZED, NODE, grace_seconds, workloads
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError, Conflict, Forbidden, Invalid, NotFound
from webhook.cluster.indexer import Key, key_of
from webhook.cluster.resource import (
    POD_AUTOSCALERS,
    PODS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    STAGE_POD_AUTOSCALERS,
    Resource,
)

_IMAGE: Final = "sandbox.invalid/simulated"
_CONTAINER: Final = {"name": "user-container", "image": _IMAGE}
_RUNNING: Final = {
    "phase": "Running",
    "conditions": [{"type": "Ready", "status": "True"}],
    "containerStatuses": [{**_CONTAINER, "imageID": "", "ready": True, "started": True, "restartCount": 0}],
}
_LOG: Final = logging.getLogger(__name__)


class Autoscaler:
    """Moves every PodAutoscaler of a namespace (of all, if none is given) towards what its bounds and traffic ask for.

    Uses ordinary calls only, so it runs against any API server that serves the kinds of Knative. ``tick`` does one
    step; ``start`` does one every ``seconds_per_tick`` in a thread of its own until ``stop``. ``default_demand`` is
    the replicas that a service needs for all its traffic where its PodAutoscalers do not say.
    """

    def __init__(
        self,
        client: Client,
        *,
        namespace: str | None = None,
        pace: Pace | None = None,
        default_demand: int = 0,
        seconds_per_tick: float = 0.5,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._pace = pace or Pace()
        self._default_demand = default_demand
        self._seconds_per_tick = seconds_per_tick
        self._last: list[Workload] = []
        self._told = ""
        self.ticks = 0
        """Those that are over."""
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="autoscaler", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ends after the write in progress; harmless when not running."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()

    def tick(self) -> list[Action]:
        """Read the cluster, decide, write; returns what was decided. Raises ApiError when a list cannot be read."""
        autoscalers = {key_of(one): one for one in self._list(POD_AUTOSCALERS)}
        self._last = workloads(
            autoscalers.values(),
            self._list(STAGE_POD_AUTOSCALERS),
            self._list(ROLLOUT_ORCHESTRATORS),
            self._list(ROUTES),
            self._list(PODS, REVISION_LABEL),
            self._last,
            self._default_demand,
        )
        actions = decide(self._last, self._pace)
        for action in actions:
            if self._stopped.is_set():
                break
            self._carry_out(action, autoscalers)
        self.ticks += 1
        return actions

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds_per_tick):
            try:
                self.tick()
            except ApiError as problem:
                if not self._stopped.is_set():
                    self._warn(problem)

    def _warn(self, problem: ApiError) -> None:
        if problem.message != self._told:
            self._told = problem.message
            _LOG.warning("autoscaler: %s; trying again at the next tick", problem)

    def _list(self, resource: Resource, label_selector: str = "") -> list[Wire]:
        """All objects of a resource; none where the API server does not serve it."""
        try:
            items: list[Wire] = self._client.list(resource, self._namespace, label_selector=label_selector)["items"]
        except NotFound:
            return []
        return items

    def _carry_out(self, action: Action, autoscalers: Mapping[Key, Wire]) -> None:
        """One write. A refused one is dropped, since the objects have changed; the next tick reads them again."""
        client = self._client
        try:
            match action:
                case StartPod(namespace, revision, name):
                    client.create(PODS, namespace, pod_manifest(name, autoscalers[namespace, revision]))
                case MarkPodReady(namespace, name):
                    client.patch(PODS, namespace, name, {"status": _RUNNING}, "status")
                case TerminatePod(namespace, name, uid):
                    client.delete(PODS, namespace, name, uid=uid)
                case RemovePod(namespace, name, uid):
                    client.delete(PODS, namespace, name, uid=uid, grace_period_seconds=0)
                case ReportScale(namespace, revision):
                    client.patch(POD_AUTOSCALERS, namespace, revision, {"status": reported_status(action)}, "status")
        except (NotFound, Conflict, Invalid) as problem:
            _LOG.debug("autoscaler: %s", problem)
        except Forbidden as problem:
            # The account may lack a right, or the namespace is on its way out; other namespaces go on.
            self._warn(problem)


def reported_status(report: ReportScale) -> Wire:
    """The status of a PodAutoscaler, with the two conditions that say whether what it scales can run."""
    initialized = {"type": INITIALIZED, "status": "True" if report.initialized else "Unknown"}
    ready = {"type": "Ready", "status": "True"}
    if report.desired == 0:
        ready |= {"status": "False", "reason": "NoTraffic", "message": "The target is not receiving traffic."}
    elif report.actual == 0 and report.fails:
        ready |= {"status": "False", "reason": "ImagePullBackOff", "message": f"Back-off pulling image {_IMAGE}"}
    elif report.actual == 0:
        ready |= {"status": "Unknown", "reason": "Queued", "message": "The target waits for its first replica."}
    return {"desiredScale": report.desired, "actualScale": report.actual, "conditions": [ready, initialized]}


def pod_manifest(name: str, pod_autoscaler: Mapping[str, Any]) -> Wire:
    """A pod as one of a revision would be, owned by its PodAutoscaler; its image is never pulled."""
    metadata = pod_autoscaler["metadata"]
    labels = {REVISION_LABEL: metadata["name"]}
    if service := (metadata.get("labels") or {}).get(SERVICE_LABEL):
        labels[SERVICE_LABEL] = service
    owner = {
        "apiVersion": POD_AUTOSCALERS.api_version,
        "kind": POD_AUTOSCALERS.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels, "ownerReferences": [owner]},
        "spec": {
            "nodeName": NODE,
            "terminationGracePeriodSeconds": grace_seconds(pod_autoscaler),
            "automountServiceAccountToken": False,
            "containers": [dict(_CONTAINER)],
        },
    }

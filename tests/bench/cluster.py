"""The API server of the loop's bench: services on it, moved by hand, and what its own metrics say was asked."""

import re
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from kubernetes import client, config

from sandbox.demo.control_plane import ControlPlane, client_of
from sandbox.demo.stack import LOOP, Stack
from tests.bench.pods import Pods
from tests.bench.timed import Timed
from webhook.api import RolloutOrchestrator
from webhook.api.conditions import LAST_STAGE_READY, READY, STAGE_SCALE_UP_READY
from webhook.api.kinds import CONFIGURATION_LABEL, REVISION_LABEL, SERVICE_LABEL
from webhook.cluster.resource import (
    POD_AUTOSCALERS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    STAGE_POD_AUTOSCALERS,
    Resource,
)
from webhook.planning import scale_bounds

Wire = dict[str, Any]
NAMESPACE: Final = "default"
_SAMPLE: Final = re.compile(r"^apiserver_request_total\{(?P<labels>.*)\} (?P<count>\S+)$")
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')
_GROUPS: Final = {
    ("rolloutorchestrators", ""): "RO specs",
    ("rolloutorchestrators", "status"): "RO status",
    ("stagepodautoscalers", ""): "SPA specs",
    ("stagepodautoscalers", "status"): "SPA status",
    ("events", ""): "events",
}
_WRITES: Final = ("POST", "PUT", "PATCH", "APPLY", "DELETE")


class Cluster:
    """A running API server with manifests installed. Pods and scales are written by hand."""

    def __init__(self, plane: ControlPlane, kind: str, folder: Path, history: Timed) -> None:
        self.kind, self.folder = kind, folder
        self._plane, self._history = plane, history
        self._client = client_of(plane.kubeconfig, "bench")
        self.pods = Pods(self._client, NAMESPACE)
        self.loop_kubeconfig = plane.kubeconfig_for(LOOP)
        configuration = client.Configuration()
        load: Any = config.load_kube_config
        load(str(plane.kubeconfig), client_configuration=configuration, persist_config=False)
        self._pool: Any = client.ApiClient(configuration).rest_client.pool_manager
        self._origin = str(configuration.host)
        settings: Any = configuration.auth_settings()
        self._credentials = {one["key"]: one["value"] for one in settings.values()}

    # What was asked

    def counts(self) -> Counter[str]:
        """Requests so far by what they are, from ``apiserver_request_total``."""
        found: Counter[str] = Counter()
        page = self._pool.request("GET", f"{self._origin}/metrics", headers=self._credentials)
        for line in page.data.decode().splitlines():
            sample = _SAMPLE.match(line)
            if sample is None:
                continue
            labels = dict(_LABEL.findall(sample["labels"]))
            count, verb = int(float(sample["count"])), labels["verb"]
            what = _GROUPS.get((labels["resource"], labels["subresource"]))
            if what and verb in _WRITES:
                found[what] += count
                found["conflicts"] += count if labels["code"] == "409" and what != "events" else 0
            if labels["resource"] == "pods" and verb == "LIST":
                found["pod lists"] += count
        return found

    def requests_of(self, user: str) -> dict[str, int]:
        """Requests of a user so far, watches left out: from the audit log, or the sandbox's own."""
        found: Counter[str] = Counter()
        if self.kind == "sandbox":
            log: Any = self._plane
            for one in log.request_log:
                if one.user == user and one.verb != "watch":
                    found[f"{one.verb} {one.resource}"] += 1
            return found
        plane: Any = self._plane
        for event in plane.audit_events():
            if event.get("user", {}).get("username") == user and event["verb"] != "watch":
                found[f"{event['verb']} {event.get('objectRef', {}).get('resource', event['requestURI'])}"] += 1
        return found

    def status_changes(self, resource: Resource, since: int) -> int:
        """How many versions after that one differ from the version before them in what the status says."""
        changes, statuses = 0, dict[tuple[str, str], Any]()
        for one in self._history.stored():
            if one.resource is resource:
                status = one.object.get("status")
                changes += one.version > since and status is not None and status != statuses.get(one.key)
                statuses[one.key] = status
        return changes

    def version(self) -> int:
        """The resource version of the present."""
        return int(self._client.list(STAGE_POD_AUTOSCALERS, NAMESPACE, limit=1)["metadata"]["resourceVersion"])

    def page(self, port: int) -> str:
        """The loop's own metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            text: str = answer.read().decode()
            return text

    # Services

    def make_service(self, name: str, revisions: int, replicas: int) -> None:
        """So many revisions, the last of which runs so many replicas; and the next one, which runs none."""
        for number in range(1, revisions + 2):
            self._make(REVISIONS, name, number, {"spec": {}})
            self._make(POD_AUTOSCALERS, name, number, {"spec": {}})
            self.scale(name, f"{name}-{number:05}", replicas if number == revisions else 0)

    def make_rollout(self, name: str, settings: dict[str, str], low: int, high: int) -> None:
        """A rollout from its first revision to its second."""
        annotations = {f"rollout.knative.dev/{key}": value for key, value in settings.items()}
        annotations["rollout.knative.dev/stage-rollout-timeout-minutes"] = "600"
        spec = {
            "initialRevisions": [_entry(name, 1, low, high)],
            "targetRevisions": [_entry(name, 2, low, high, latestRevision=True)],
            "rolloutStrategy": "availability",
        }
        metadata = {"name": name, "labels": {SERVICE_LABEL: name}, "annotations": annotations}
        self._create(ROLLOUT_ORCHESTRATORS, {"metadata": metadata, "spec": spec})

    def make_settled(self, name: str) -> None:
        """A rollout that has nothing to do but to begin: its fifth revision runs, four older ones have ended."""
        self.make_service(name, 5, 1)
        for number in range(1, 5):
            labels = {REVISION_LABEL: f"{name}-{number:05}", SERVICE_LABEL: name}
            spa = {"metadata": {"name": f"{name}-{number:05}", "labels": labels}}
            self._create(STAGE_POD_AUTOSCALERS, {**spa, "spec": {"stageMinScale": 0, "stageMaxScale": 1}})
        entries = [_entry(name, 5, 1, 10, latestRevision=True)]
        annotations = {"rollout.knative.dev/over-consumption-ratio": "100"}
        metadata = {"name": name, "labels": {SERVICE_LABEL: name}, "annotations": annotations}
        self._create(
            ROLLOUT_ORCHESTRATORS,
            {
                "metadata": metadata,
                "spec": {
                    "initialRevisions": entries,
                    "targetRevisions": entries,
                    "rolloutStrategy": "availability",
                },
            },
        )

    def scale(self, service: str, revision: str, replicas: int) -> None:
        """Start pods, or delete some, and say so in the PodAutoscaler."""
        self.pods.scale(service, revision, replicas)
        self.report(revision, replicas)

    def report(self, revision: str, actual: int) -> None:
        """What the PodAutoscaler of a revision says that it runs."""
        status = {"status": {"desiredScale": actual, "actualScale": actual}}
        self._client.patch(POD_AUTOSCALERS, NAMESPACE, revision, status, "status")

    def carry(self, names: Sequence[str], demand: int) -> int:
        """Move replicas as traffic and bounds ask for until every rollout is complete; answers the number of stages."""
        scales: dict[str, int] = {}
        stages: set[tuple[str, str]] = set()

        def turn() -> bool:
            done = True
            for name in names:
                ro = self._rollout(name)
                if ro is None:
                    return False
                for entry in ro.spec.stage_target_revisions:
                    stages.add((name, str([(e.revision_name, e.percent) for e in ro.spec.stage_target_revisions])))
                    revision = entry.revision_name
                    wanted = self._wanted(revision, -(-demand * (entry.percent or 0) // 100), scales.get(revision))
                    if wanted is not None and scales.get(revision) != wanted:
                        scales[revision] = wanted
                        self.scale(name, revision, wanted)
                done = done and _is_complete(ro)
            self.pods.pass_on()
            return done and self.pods.at_rest

        wait(turn, "the rollouts are complete")
        return len(stages)

    def move(self, names: Sequence[str], together: int) -> dict[str, list[float]]:
        """Take each rollout one stage further, so many at a time; answers seconds of reaction."""
        found: dict[str, list[float]] = {
            "from the PodAutoscaler's status to the SPA's": [],
            "from the SPA's status to the RO's": [],
            "from the PodAutoscaler's status to the RO's": [],
        }
        for start in range(0, len(names), together):
            some = names[start : start + together]
            for name in some:
                targets = [_entry(name, 6, 1, 10, latestRevision=True)]
                self._client.patch(ROLLOUT_ORCHESTRATORS, NAMESPACE, name, {"spec": {"targetRevisions": targets}})
            waiting = {(name, 6) for name in some}
            written: dict[tuple[str, int], float] = {}

            def turn(waiting: set[tuple[str, int]] = waiting, written: dict[tuple[str, int], float] = written) -> bool:
                for name, number in sorted(waiting):
                    revision = f"{name}-{number:05}"
                    spa = self._history.latest(STAGE_POD_AUTOSCALERS, NAMESPACE, revision) or {}
                    bounds = (spa.get("spec") or {}).get("stageMaxScale")
                    if (name, number) not in written and bounds == (10 if number == 6 else 1):
                        written[name, number] = time.monotonic()
                        self.report(revision, 1 if number == 6 else 0)
                    if (name, number) in written and self._has_reacted(name, number, written[name, number], found):
                        waiting.discard((name, number))
                        if number == 6:
                            waiting.add((name, 5))
                return not waiting

            wait(turn, "the rollouts react", pause=0.002)
        return found

    def _has_reacted(self, name: str, number: int, asked: float, found: dict[str, list[float]]) -> bool:
        ro = self._rollout(name)
        if ro is None or ro.spec.target_revisions[0].revision_name != f"{name}-00006":
            return False
        reached = [entry.revision_name for entry in ro.status.stage_revision_status]
        if number == 6:
            done = ro.status.conditions.is_true(STAGE_SCALE_UP_READY)
        else:
            done = _is_complete(ro) and reached == [f"{name}-00006"]
        if not done:
            return False
        scale = 1 if number == 6 else 0
        fed = self._history.first(
            STAGE_POD_AUTOSCALERS,
            (NAMESPACE, f"{name}-{number:05}"),
            lambda at, one: at > asked and (one.object.get("status") or {}).get("actualScale") == scale,
        )
        if fed is None:
            return False
        # Two watches: what was stored later may be received first.
        answered = self._history.first(ROLLOUT_ORCHESTRATORS, (NAMESPACE, name), lambda at, one: one.version > fed[1])
        if answered is None:
            return False
        delays = (fed[0] - asked, answered[0] - fed[0], answered[0] - asked)
        for what, seconds in zip(found, delays, strict=True):
            found[what].append(max(0.0, seconds))
        return True

    def _rollout(self, name: str) -> RolloutOrchestrator | None:
        wire = self._history.latest(ROLLOUT_ORCHESTRATORS, NAMESPACE, name)
        return RolloutOrchestrator.from_dict(wire) if wire is not None else None

    def _wanted(self, revision: str, share: int, before: int | None) -> int | None:
        spa = self._history.latest(STAGE_POD_AUTOSCALERS, NAMESPACE, revision)
        if spa is None:
            return None
        spec = spa.get("spec") or {}
        low, high = scale_bounds(1, 20, spec.get("stageMinScale"), spec.get("stageMaxScale"))
        wanted = max(share, low)
        return min(wanted, high) if high else wanted

    def _make(self, resource: Resource, name: str, number: int, rest: Wire) -> None:
        revision = f"{name}-{number:05}"
        labels = {SERVICE_LABEL: name, CONFIGURATION_LABEL: name, REVISION_LABEL: revision}
        self._create(resource, {"metadata": {"name": revision, "labels": labels}, **rest})

    def _create(self, resource: Resource, one: Wire) -> None:
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        self._client.create(resource, NAMESPACE, {**kind, **one})


@contextmanager
def control_plane_of(kind: str, folder: Path) -> Iterator[Cluster]:
    """A fresh one; ``auto`` is a real one where its programs are at hand, else the sandbox."""
    with ExitStack() as ends:
        plane: ControlPlane | None = None
        if kind != "sandbox":
            from tests.controlplane import ControlPlane as Real
            from tests.controlplane import Unavailable

            try:
                plane, kind = ends.enter_context(Real.start(folder)), "real"
            except Unavailable as problem:
                if kind == "real":
                    raise SystemExit(str(problem)) from problem
                print(f"no real API server: {problem}")
        if plane is None:
            from sandbox import Sandbox

            sandbox = Sandbox(folder / f"sandbox-{time.monotonic_ns()}", history=1_000_000)
            plane, kind = ends.enter_context(sandbox), "sandbox"
        ends.enter_context(Stack(plane, folder)).install()
        history = Timed(client_of(plane.kubeconfig, "bench"))
        ends.enter_context(history)
        yield Cluster(plane, kind, folder, history)


def wait(condition: Callable[[], object], what: str, within: float = 300.0, pause: float = 0.02) -> None:
    """Wait until the condition holds. Raises TimeoutError."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within:.0f} s: {what}")
        time.sleep(pause)


def _is_complete(ro: RolloutOrchestrator) -> bool:
    conditions = ro.status.conditions
    return (
        ro.status.observed_generation == ro.metadata.generation
        and conditions.is_true(READY)
        and conditions.is_true(LAST_STAGE_READY)
    )


def _entry(name: str, number: int, low: int, high: int, **more: Any) -> Wire:
    return {"revisionName": f"{name}-{number:05}", "percent": 100, "minScale": low, "maxScale": high, **more}

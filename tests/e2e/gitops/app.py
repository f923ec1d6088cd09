"""App: a rollout as somebody keeps it in Git, and what Knative makes for its Service, made by hand."""

from typing import Any, Final

from sandbox.demo.control_plane import client_of
from sandbox.demo.knative import Knative
from sandbox.workloads import FAIL_ANNOTATION
from tests.e2e.cluster import FINDINGS_OF_A_ROLLOUT, ROS, SPAS, Namespace
from tests.e2e.gitops.stand import Stand
from tests.e2e.standing import eventually
from webhook.cluster.resource import POD_AUTOSCALERS
from webhook.loop.reverts import BOUNDS_REVERTED

Wire = dict[str, Any]

OLD: Final = "hello-00001"
NEW: Final = "hello-00002"
NEWER: Final = "hello-00003"
BOUNDS: Final = {"minScale": 4, "maxScale": 10}
BREAKING: Final = {"stageMinScale": 0, "stageMaxScale": 1}
"""Bounds of an SPA that change the replicas of its stage."""
REFUSAL: Final = f'RolloutOrchestrator.serving.knative.dev "hello" is refused:\n{FINDINGS_OF_A_ROLLOUT}'
_DEMAND: Final = 4
_RATIO: Final = {"rollout.knative.dev/over-consumption-ratio": "25"}


class App:
    """A namespace in which the Service hello runs four replicas of its first revision.

    What is kept in Git has none of our defaults.
    """

    def __init__(self, stand: Stand, name: str) -> None:
        self.stand = stand
        self.namespace = Namespace(name)
        self.path = self.namespace.path(ROS, "hello")
        stand.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self._client = client_of(stand.plane.kubeconfig)
        self._knative = Knative(self._client, name, "hello", _DEMAND)
        self._knative.make_node()
        self._knative.make_revision({"revisionName": OLD, **BOUNDS})
        self._knative.make_pod_autoscaler({"revisionName": OLD, **BOUNDS})
        eventually(lambda: self.replicas(OLD) == _DEMAND, "the old revision runs")

    def has_revision(self, name: str = NEW) -> None:
        """Knative has made a revision; its pods come when the rollout has bounded them."""
        self._knative.make_revision({"revisionName": name, **BOUNDS})

    def starts(self, name: str = NEW, *, fails: bool = False) -> None:
        """Knative's autoscaler takes up a revision, once its SPA is there. The pods of one that fails never run."""
        eventually(lambda: bool(self.stand.get(self.spa_path(name))), f"{name} has an SPA", self.conditions)
        annotations = {FAIL_ANNOTATION: "true"} if fails else None
        self._knative.make_pod_autoscaler({"revisionName": name, **BOUNDS}, annotations)

    def mends(self, name: str = NEW) -> None:
        """The pods of a revision run from now on."""
        self._client.patch(
            POD_AUTOSCALERS, self.namespace.name, name, {"metadata": {"annotations": {FAIL_ANNOTATION: None}}}
        )

    def rollout(self, *targets: Wire, **metadata: Any) -> Wire:
        """The RO from the old revision to these targets, or to the new one."""
        wanted = list(targets) or [target(NEW)]
        spec = {"initialRevisions": [target(OLD)], "targetRevisions": wanted}
        return self.kept("RolloutOrchestrator", "hello", spec, annotations=dict(_RATIO), **metadata)

    def refused_rollout(self) -> Wire:
        """The RO with what REFUSAL says."""
        body = self.rollout(target(NEW, percent=90, minScale=12), {"revisionName": NEWER})
        return {**body, "spec": {**body["spec"], "rolloutStrategy": "blue-green"}}

    def spa(self, name: str = NEW, spec: Wire | None = None, **metadata: Any) -> Wire:
        """An SPA; without a spec it has no bounds."""
        return self.kept("StagePodAutoscaler", name, spec, **metadata)

    def kept(self, kind: str, name: str, spec: Wire | None = None, **metadata: Any) -> Wire:
        """An object as it is kept in Git."""
        meta = {"name": name, "namespace": self.namespace.name, **metadata}
        wire: Wire = {"apiVersion": "serving.knative.dev/v1", "kind": kind, "metadata": meta}
        return wire if spec is None else {**wire, "spec": spec}

    def spa_path(self, name: str) -> str:
        return self.namespace.path(SPAS, name)

    def stored(self) -> Wire:
        """The RO; empty where there is none."""
        return self.stand.get(self.path)

    def conditions(self) -> dict[str, Wire]:
        """The conditions of the RO, by type."""
        return {one["type"]: one for one in self.stored().get("status", {}).get("conditions", [])}

    def replicas(self, name: str) -> int:
        """How many replicas the autoscaler reports of a revision."""
        path = f"/apis/autoscaling.internal.knative.dev/v1alpha1/namespaces/{self.namespace.name}/podautoscalers/{name}"
        return int(self.stand.get(path).get("status", {}).get("actualScale") or 0)

    def await_stage(self, percent: int, name: str = NEW) -> None:
        """Until a stage gives a revision this share."""
        eventually(lambda: self.shares().get(name) == percent, f"{name} gets {percent} %", self.shares)

    def shares(self) -> dict[str, int]:
        """The shares of the present stage."""
        entries = self.stored().get("spec", {}).get("stageTargetRevisions", [])
        return {one["revisionName"]: one.get("percent", 0) for one in entries}

    def is_complete(self) -> bool:
        stored, ready = self.stored(), self.conditions().get("Ready", {})
        seen = stored.get("status", {}).get("observedGeneration") == stored.get("metadata", {}).get("generation")
        return bool(stored) and seen and ready.get("status") == "True"

    def await_complete(self) -> None:
        eventually(self.is_complete, "the rollout is complete", self.conditions)

    def bounds(self, name: str = NEW) -> tuple[int | None, int | None]:
        """What the SPA of a revision allows now."""
        spec = self.stand.get(self.spa_path(name)).get("spec", {})
        return spec.get("stageMinScale"), spec.get("stageMaxScale")

    def await_bounds(self, low: int, high: int) -> None:
        eventually(lambda: self.bounds() == (low, high), f"the bounds are {low}..{high}", self.bounds)

    def reverts(self) -> list[str]:
        """The messages of the Events that say whose bounds the loop has set back."""
        found = self.stand.get(f"/api/v1/namespaces/{self.namespace.name}/events").get("items", [])
        return [each["message"] for each in found if each["reason"] == BOUNDS_REVERTED]


def target(name: str, **members: Any) -> Wire:
    """A target revision that gets all of the traffic."""
    return {"revisionName": name, "percent": 100, **BOUNDS, **members}

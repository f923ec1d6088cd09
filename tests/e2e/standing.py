"""Standing rollouts: what Knative makes for the Service hello, without Knative, so that a rollout stands."""

import io
import json
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from webhook.api.kinds import CONFIGURATION_LABEL, REVISION_LABEL, SERVICE_LABEL
from webhook.cli import main
from webhook.cluster.client import Client
from webhook.cluster.errors import AlreadyExists, Conflict
from webhook.cluster.resource import (
    DEPLOYMENTS,
    NAMESPACES,
    POD_AUTOSCALERS,
    PODS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    Resource,
)

Wire = dict[str, Any]

OLD: Final = "hello-00001"
NEW: Final = "hello-00002"
BOUNDS: Final = {"minScale": 4, "maxScale": 10}
_WITHIN: Final = 120.0


class Standing:
    """A namespace with a rollout from four replicas of the old revision to the new one, in stages of a quarter.

    Pods are made by Kubernetes; nobody schedules or starts them but who patches their status here.
    """

    def __init__(
        self, client: Client, kubeconfig: Path, namespace: str, labels: Mapping[str, str] | None = None
    ) -> None:
        self.client = client
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        metadata = {"name": namespace, "labels": dict(labels or {})}
        client.create(NAMESPACES, None, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    def begin(self, *, new: bool = True, autoscaler: bool = True, **spec: Any) -> None:
        """Both revisions, the old one running, and the RO; the new revision wants a replica and runs none."""
        self.revision(OLD)
        self.scale(OLD, 4, 4)
        if new:
            self.revision(NEW)
        if autoscaler:
            self.scale(NEW, 1, 0)
        self.rollout(**spec)

    def rollout(self, name: str = "hello", **spec: Any) -> None:
        """The RO from the old revision to the new one."""
        lists = {
            "initialRevisions": [{"revisionName": OLD, "percent": 100, **BOUNDS}],
            "targetRevisions": [{"revisionName": NEW, "percent": 100, "latestRevision": True, **BOUNDS}],
        }
        annotations = {"rollout.knative.dev/over-consumption-ratio": "25"}
        self.create(ROLLOUT_ORCHESTRATORS, name, {"annotations": annotations}, spec={**lists, **spec})

    def revision(self, name: str, service: str = "hello") -> None:
        labels = {SERVICE_LABEL: service, CONFIGURATION_LABEL: service}
        container = {"name": "user-container", "image": "image.invalid/hello"}
        self.create(REVISIONS, name, {"labels": labels}, spec={"containers": [container]})

    def scale(self, name: str, desired: int | None, actual: int | None, **conditions: Wire) -> None:
        """What Knative's autoscaler says of a revision; None for nothing."""
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{name}-deployment"}
        with suppress(AlreadyExists):
            self.create(POD_AUTOSCALERS, name, {"labels": _labels(name)}, spec={"scaleTargetRef": target})
        status: Wire = {"desiredScale": desired, "actualScale": actual}
        status["conditions"] = [{"type": type_, **one} for type_, one in conditions.items()]
        self.client.patch(POD_AUTOSCALERS, self.namespace, name, {"status": status}, "status")

    def deploy(self, name: str, replicas: int = 1, **pod_spec: Any) -> None:
        """The Deployment of a revision, whose pods Kubernetes makes."""
        container = {"name": "user-container", "image": "image.invalid/hello"}
        template = {"metadata": {"labels": _labels(name)}, "spec": {"containers": [container], **pod_spec}}
        spec = {"replicas": replicas, "selector": {"matchLabels": {REVISION_LABEL: name}}, "template": template}
        self.create(DEPLOYMENTS, f"{name}-deployment", {"labels": _labels(name)}, spec=spec)

    def pods(self, name: str) -> list[Wire]:
        """The pods of a revision."""
        selector = f"{REVISION_LABEL}={name}"
        found: list[Wire] = self.client.list(PODS, self.namespace, label_selector=selector)["items"]
        return found

    def pod_status(self, name: str, **status: Any) -> None:
        """Patch the status of every pod of a revision, as a scheduler or a kubelet would."""
        eventually(lambda: bool(self.pods(name)), f"{name} has pods")
        for pod in self.pods(name):
            self.client.patch(PODS, self.namespace, pod["metadata"]["name"], {"status": status}, "status")

    def route(self, traffic: Mapping[str, int], **annotations: str) -> None:
        """A Route that shows these shares."""
        entries = [{"revisionName": name, "percent": percent} for name, percent in traffic.items()]
        self.create(ROUTES, "hello", {"annotations": annotations}, spec={"traffic": entries})
        self.client.patch(ROUTES, self.namespace, "hello", {"status": {"traffic": entries}}, "status")

    def annotate(self, **annotations: str | None) -> None:
        """Set annotations of the RO, by their keys under stagegate.dev/."""
        named = {f"stagegate.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
        self.client.patch(ROLLOUT_ORCHESTRATORS, self.namespace, "hello", {"metadata": {"annotations": named}})

    def spec(self, **members: Any) -> None:
        """Change the spec of the RO."""
        while True:
            with suppress(Conflict):
                self.client.patch(ROLLOUT_ORCHESTRATORS, self.namespace, "hello", {"spec": members})
                return

    def create(self, resource: Resource, name: str, metadata: Wire | None = None, **members: Any) -> Wire:
        body = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": name, **(metadata or {})},
        }
        return self.client.create(resource, self.namespace, {**body, **members})

    def explain(self, kubeconfig: Path | None = None) -> tuple[int, Wire]:
        """Exit code and document of ``stagegate explain hello``."""
        return explained(kubeconfig or self.kubeconfig, self.namespace)

    def awaited(self, cause: str, effect: str = "stops", *, first: bool = True) -> tuple[int, Wire]:
        """Exit code and cause once explain names it with this effect, on top or anywhere."""
        last: list[Any] = []

        def is_named() -> bool:
            code, document = self.explain()
            last[:] = [code, document.get("causes", [])]
            listed = last[1][:1] if first else last[1]
            return any((one["id"], one["effect"]) == (cause, effect) for one in listed)

        eventually(is_named, f"{cause} {effect}", lambda: last)
        return last[0], next(one for one in last[1] if one["id"] == cause)


def explained(kubeconfig: Path, namespace: str) -> tuple[int, Wire]:
    """Exit code and document of ``stagegate explain hello``."""
    out = io.StringIO()
    with redirect_stdout(out):
        code = main(["explain", "hello", "-n", namespace, "--kubeconfig", str(kubeconfig), "-o", "json"])
    return code, json.loads(out.getvalue() or "{}")


def eventually(condition: Callable[[], bool], what: str, shown: Callable[[], Any] = lambda: "") -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + _WITHIN
    while not condition():
        assert time.monotonic() < deadline, f"not within {_WITHIN:.0f} s: {what}; {shown()}"
        time.sleep(0.2)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _labels(revision: str) -> dict[str, str]:
    return {SERVICE_LABEL: "hello", REVISION_LABEL: revision}

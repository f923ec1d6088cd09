"""Tenant: somebody who keeps Knative Services in a namespace of the rig."""

import json
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from tests.controlplane.response import Response
from tests.e2e.cluster import eventually
from tests.rig import Rig
from tests.rig.timeline import Record, State

Wire = dict[str, Any]

MIN_SCALE: Final = "autoscaling.knative.dev/min-scale"
_COMPARED: Final = {
    "/apis/serving.knative.dev/v1": ("services", "configurations", "routes", "revisions"),
    "/apis/autoscaling.internal.knative.dev/v1alpha1": ("podautoscalers", "metrics"),
    "/apis/networking.internal.knative.dev/v1alpha1": ("ingresses", "serverlessservices"),
    "/apis/apps/v1": ("deployments",),
    "/api/v1": ("services",),
}
# The objects, their spec and their status; not when, how often and under which number.
_PASSING: Final = re.compile(
    r'"(resourceVersion|creationTimestamp|managedFields|generation|observedGeneration|lastTransitionTime'
    r"|lastUpdateTime|serving.knative.dev/(routingStateModified|deployment-hash)|message|clusterIPs?"
    r"|serving.knative.dev/routes|deployment.kubernetes.io/revision|endpoints.kubernetes.io/last-change-trigger-time"
    r'|client.knative.dev/[a-zA-Z]*|pod-template-hash)"'
)
_UID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Tenant:
    """Writes and reads as the administrator; ``record`` is what happened in the namespace."""

    def __init__(self, rig: Rig, name: str, labels: dict[str, str] | None = None) -> None:
        self.rig = rig
        self.name = name
        metadata = {"name": name, "labels": labels or {}}
        answer = rig.plane.admin.create(
            "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        )
        assert answer.status == HTTPStatus.CREATED, answer.message

    def path(self, plural: str, name: str) -> str:
        """Where an object of the group serving.knative.dev is."""
        return f"/apis/serving.knative.dev/v1/namespaces/{self.name}/{plural}/{name}"

    def get(self, plural: str, name: str) -> Wire:
        """An object as it is stored; empty where there is none."""
        answer = self.rig.plane.admin.get(self.path(plural, name))
        return answer.body if answer.status == HTTPStatus.OK else {}

    def patch(self, plural: str, name: str, body: Wire) -> Response:
        answer = self.rig.plane.admin.patch(self.path(plural, name), body)
        assert answer.status == HTTPStatus.OK, answer.message
        return answer

    def apply(self, service: Wire) -> None:
        """As a Git sync does."""
        path = self.path("services", service["metadata"]["name"])
        answer = self.rig.plane.admin.apply(path, service, "git", force="true")
        assert answer.status in (HTTPStatus.OK, HTTPStatus.CREATED), answer.message

    def delete(self, service: str) -> None:
        """In the foreground of nothing: what belongs to it goes afterwards."""
        answer = self.rig.plane.admin.delete(self.path("services", service))
        assert answer.status == HTTPStatus.OK, answer.message

    def leave(self) -> None:
        """Delete the namespace, and do not wait."""
        self.rig.plane.admin.delete(f"/api/v1/namespaces/{self.name}")

    def record(self) -> Record:
        return self.rig.timeline.of(self.name)

    def version(self) -> int:
        """The number of the last write so far."""
        return self.record().version

    def eventually(self, condition: Callable[[State], bool], within: float = 60.0) -> None:
        """Wait until the condition holds of the namespace. A failure shows the shares and pods on the way."""
        try:
            eventually(lambda: condition(self.record().end), within)
        except AssertionError as late:
            raise AssertionError(f"{late}; {self.story()}") from late

    def await_ready(self, service: str, within: float = 60.0) -> None:
        """Wait until the Service is Ready at its generation."""
        self.eventually(lambda state: state.is_ready(service), within)

    def settle(self, seconds: float = 2.0, within: float = 60.0) -> None:
        """Wait until nothing was written for so long."""
        last, since = -1, time.monotonic()

        def quiet() -> bool:
            nonlocal last, since
            if (version := self.version()) != last:
                last, since = version, time.monotonic()
            return time.monotonic() - since > seconds

        eventually(quiet, within)

    def story(self) -> str:
        """The last moments, for a failure to show."""
        state = self.record().end
        services = {name: wire.get("status", {}).get("conditions") for name, wire in state.all("services").items()}
        routes = {name: state.shares(name) for name in state.all("routes")}
        holds = {name: wire["metadata"].get("annotations", {}) for name, wire in state.all("routes").items()}
        rollouts = {name: wire.get("status") for name, wire in state.all("rolloutorchestrators").items()}
        return json.dumps(
            {"shares": routes, "pods": state.ready_pods(), "services": services, "routes": holds, "rollouts": rollouts}
        )

    def events(self, reason: str, kind: str = "Service") -> list[str]:
        """The messages of Events with this reason about objects of a kind."""
        items = self.rig.plane.admin.get(f"/api/v1/namespaces/{self.name}/events").body["items"]
        return [each["message"] for each in items if (each["reason"], each["involvedObject"]["kind"]) == (reason, kind)]

    def stored(self) -> dict[str, Wire]:
        """The objects of Knative as they are now, without what differs between any two runs."""
        found: dict[str, Wire] = {}
        for base, plurals in _COMPARED.items():
            for plural in plurals:
                answer = self.rig.plane.admin.get(f"{base}/namespaces/{self.name}/{plural}")
                text = _UID.sub("UID", json.dumps(answer.body["items"]).replace(self.name, "NAMESPACE"))
                for wire in json.loads(text, object_pairs_hook=_lasting):
                    found[f"{base}/{plural}/{wire['metadata']['name']}"] = wire
        return found


def _lasting(pairs: list[tuple[str, Any]]) -> Wire:
    lasting = {key: value for key, value in pairs if not _PASSING.fullmatch(f'"{key}"')}
    if "conditions" in lasting:
        lasting["conditions"] = sorted(lasting["conditions"], key=lambda condition: str(condition["type"]))
    return lasting


def service(
    name: str = "hello",
    *,
    version: str = "1",
    image: str = "dev.local/hello",
    annotations: dict[str, str] | None = None,
    scaling: dict[str, str] | None = None,
    **spec: Any,
) -> Wire:
    """A Knative Service. Another ``version`` is another revision; ``scaling`` are annotations of its template."""
    container = {"image": image, "env": [{"name": "VERSION", "value": version}]}
    template: Wire = {"metadata": {"annotations": scaling or {}}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"template": template, **spec},
    }


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two values differ, each as path, the one and the other value."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(one.keys() | other.keys())
        return [found for key in keys for found in differences(one.get(key), other.get(key), f"{path} {key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            found for i, pair in enumerate(zip(one, other, strict=True)) for found in differences(*pair, f"{path} {i}")
        ]
    return [] if one == other else [f"{path}: {one} / {other}"]

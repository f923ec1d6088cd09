"""Installing what the manifests hold, and paths and objects to write."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import yaml

from tests.controlplane.plane import MANIFESTS
from tests.controlplane.response import Response
from tests.controlplane.session import Session

API: Final = "serving.knative.dev/v1"
SPAS: Final = "stagepodautoscalers"
ROS: Final = "rolloutorchestrators"
KINDS: Final = {SPAS: "StagePodAutoscaler", ROS: "RolloutOrchestrator"}
REGISTRATION: Final = "/apis/admissionregistration.k8s.io/v1"
_PLURALS: Final = {
    "MutatingAdmissionPolicy": "mutatingadmissionpolicies",
    "MutatingAdmissionPolicyBinding": "mutatingadmissionpolicybindings",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
}
FINDINGS_OF_A_ROLLOUT: Final = (
    "spec.targetRevisions[0].minScale: Invalid value: 12: must not exceed maxScale (10) [RO003]; "
    "lower it, or raise maxScale (0 stands for no limit)\n"
    "spec.targetRevisions[1].percent: Required value: an entry that goes up needs its share of the traffic "
    "[RO006]; set percent, from 0 to 100\n"
    "spec.targetRevisions: Invalid value: 90: percents must add up to 100 [RO008]; "
    "an entry without percent counts as 0\n"
    'spec.rolloutStrategy: Unsupported value: "blue-green": supported values: "availability", "resourceutil" '
    '[RO009]; leave it out for "availability"'
)
"""The findings of a change that gives the one target 90 percent and a minimum of 12 over its maximum of 10, adds the
target hello-00003 without a percent, and asks for the strategy blue-green."""


@dataclass(frozen=True)
class Namespace:
    """A namespace, and where the objects in it live."""

    name: str

    def path(self, plural: str, name: str = "", subresource: str = "") -> str:
        return "/".join(part for part in (f"/apis/{API}/namespaces/{self.name}/{plural}", name, subresource) if part)


def create_namespace(admin: Session, name: str, labels: dict[str, str]) -> Namespace:
    metadata = {"name": name, "labels": labels}
    answer = admin.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    assert answer.status == HTTPStatus.CREATED, answer.message
    return Namespace(name)


def spa(name: str, spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """An SPA; without a spec it has none."""
    return _object(SPAS, name, spec, metadata)


def rollout(name: str, spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """An RO; without a spec it has none."""
    return _object(ROS, name, spec, metadata)


def _object(plural: str, name: str, spec: dict[str, Any] | None, metadata: dict[str, Any]) -> dict[str, Any]:
    body = {"apiVersion": API, "kind": KINDS[plural], "metadata": {"name": name, **metadata}}
    return body if spec is None else {**body, "spec": spec}


def documents(folder: str) -> Iterator[dict[str, Any]]:
    """The objects of a folder of the manifests."""
    for path in sorted((MANIFESTS / folder).glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text())


def register(admin: Session, body: dict[str, Any]) -> Response:
    """Create a policy, a binding or a webhook configuration."""
    answer = admin.create(f"{REGISTRATION}/{_PLURALS[body['kind']]}", body)
    assert answer.status == HTTPStatus.CREATED, answer.message
    return answer


def unregister(admin: Session, body: dict[str, Any]) -> None:
    admin.delete(f"{REGISTRATION}/{_PLURALS[body['kind']]}/{body['metadata']['name']}")


def install_policies(admin: Session) -> None:
    """Create the policies and wait until both are in force."""
    for body in documents("policies"):
        register(admin, body)
    default = Namespace("default")
    bad_label = spa("revision", labels={"serving.knative.dev/revision": "another"})
    bad_strategy = rollout("service", {"rolloutStrategy": "none"})
    eventually(lambda: refused(admin.create(default.path(SPAS), bad_label, dryRun="All")))
    eventually(lambda: refused(admin.create(default.path(ROS), bad_strategy, dryRun="All")))


def refused(answer: Response) -> bool:
    """Whether a policy or the webhook refused the write; never as Invalid, or a client that forces would delete."""
    return answer.status == HTTPStatus.FORBIDDEN and answer.body["reason"] == "Forbidden"


def eventually(condition: Callable[[], bool], within: float = 60.0) -> None:
    """Wait until the condition holds; an API server enforces policies and webhooks some time after they are stored."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"did not come true within {within:.0f} s"
        time.sleep(0.05)


def cached(session: Session, path: str) -> None:
    """Wait until the API server's cache holds the object as it is stored.

    It prepares an update from its cache. Where that is late it finds out at the end, and calls every webhook again.
    """
    stored = session.get(path).body["metadata"]["resourceVersion"]
    eventually(lambda: session.get(f"{path}?resourceVersion=0").body["metadata"]["resourceVersion"] == stored)

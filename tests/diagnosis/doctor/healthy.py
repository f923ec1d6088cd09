"""A healthy installation, from the manifests themselves; tests take one thing of it away."""

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.kustomize import rendered
from webhook.api.kinds import GROUP, RO_KIND, SPA_KIND
from webhook.api.wire import format_time
from webhook.diagnosis.doctor.installation import Attempt, Certificates, Installation, PodAnswer, Trial
from webhook.diagnosis.doctor.registration import KNATIVE, MUTATING, VALIDATING
from webhook.diagnosis.doctor.rights import RIGHTS

NOW = datetime(2030, 1, 10, 12, tzinfo=UTC)
OWNER = {"apiVersion": f"{GROUP}/v1", "kind": RO_KIND, "name": "hello", "uid": "u", "controller": True}
Wire = dict[str, Any]


def manifests(*kinds: str, overlays: tuple[str, ...] = ()) -> list[Wire]:
    return copy.deepcopy([each for each in rendered(*overlays) if each["kind"] in kinds])


def definitions() -> list[Wire]:
    found = manifests("CustomResourceDefinition")
    for each in found:
        each["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
    return found


def registrations(overlays: tuple[str, ...] = ()) -> list[Wire]:
    kinds = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
    found = manifests(*kinds, overlays=overlays)
    assert {each["metadata"]["name"] for each in found} == {MUTATING, VALIDATING, KNATIVE}
    for each in found:
        for webhook in each["webhooks"]:
            webhook["clientConfig"]["caBundle"] = "Q0E="
    return found


def with_arguments(*arguments: str) -> list[Wire]:
    """The Deployments; the webhook's has further arguments."""
    found = manifests("Deployment")
    (webhook,) = (one for one in found if one["metadata"]["name"] == "stagegate-webhook")
    webhook["spec"]["template"]["spec"]["containers"][0]["args"] += arguments
    return found


def pod(name: str, of: str, *, ready: bool = True, phase: str = "Running") -> Wire:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    labels = {"app.kubernetes.io/name": of, "app.kubernetes.io/part-of": "stagegate"}
    metadata = {"name": name, "namespace": "stagegate-system", "labels": labels}
    return {"metadata": metadata, "spec": {"containers": []}, "status": {"phase": phase, "conditions": conditions}}


def without_image(name: str, of: str) -> Wire:
    """A pod whose image cannot be pulled, and which has no address."""
    found = pod(name, of, ready=False, phase="Pending")
    waiting = {"reason": "ImagePullBackOff", "message": "pull access denied"}
    found["status"]["containerStatuses"] = [{"name": "webhook", "ready": False, "state": {"waiting": waiting}}]
    return found


def lease(age: float = 2.0, *, namespace: str = "stagegate-system", holder: str = "loop-1", name: str = "") -> Wire:
    renewed = format_time(NOW - timedelta(seconds=age))
    return {
        "metadata": {"name": name or "stagegate-loop", "namespace": namespace},
        "spec": {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15},
    }


def rollout(**metadata: Any) -> Wire:
    entry = {"revisionName": "hello-00001", "percent": 100, "direction": "up"}
    spec = {"initialRevisions": [entry], "targetRevisions": [entry], "rolloutStrategy": "availability"}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": RO_KIND,
        "metadata": {"name": "hello", "namespace": "team-a", **metadata},
        "spec": spec,
    }


def spa(minimum: int = 1, maximum: int = 3, **metadata: Any) -> Wire:
    labels = {"serving.knative.dev/revision": "hello-00001", "serving.knative.dev/service": "hello"}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": SPA_KIND,
        "metadata": {
            "name": "hello-00001",
            "namespace": "team-a",
            "labels": labels,
            "ownerReferences": [OWNER],
            **metadata,
        },
        "spec": {"stageMinScale": minimum, "stageMaxScale": maximum},
    }


def namespace(name: str, **labels: str) -> Wire:
    return {"metadata": {"name": name, "labels": {key.replace("__", "/"): value for key, value in labels.items()}}}


REFUSED = (
    'admission webhook "mutate.stagegate.dev" denied the request: StagePodAutoscaler "x" is refused:\n'
    "metadata.labels[serving.knative.dev/revision]: Invalid value ... [SPA003]"
)
STORED: Wire = {
    "metadata": {"name": "x", "uid": "1", "labels": {"serving.knative.dev/revision": "x"}},
    "spec": {"stageMinScale": 1, "stageMaxScale": 3},
}
TRIAL = Trial("team-a", Attempt(refused=REFUSED), Attempt(STORED), Attempt(STORED))


def settings(**data: str) -> Wire:
    """The ConfigMap of the settings of rollouts; ``_`` in a key stands for ``-``."""
    metadata = {"name": "config-rolloutorchestrator", "namespace": "knative-serving"}
    return {"metadata": metadata, "data": {key.replace("_", "-"): value for key, value in data.items()}}


def healthy(**changes: Any) -> Installation:
    """Everything as it should be, but for these parts."""
    pods = [pod("w-1", "stagegate-webhook"), pod("w-2", "stagegate-webhook"), pod("l-1", "stagegate-loop")]
    pods.append(pod("l-2", "stagegate-loop"))
    parts: dict[str, Any] = {
        "now": NOW,
        "own_version": "0.1.0",
        "secret": "stagegate-system/stagegate-certs",
        "server_version": {"gitVersion": "v1.36.3"},
        "definitions": definitions(),
        "registrations": registrations(),
        "policies": manifests("ValidatingAdmissionPolicy"),
        "bindings": manifests("ValidatingAdmissionPolicyBinding"),
        "deployments": manifests("Deployment"),
        "pods": pods,
        "answers": {each["metadata"]["name"]: PodAnswer("0.1.0") for each in pods},
        "certificates": Certificates(ends=(("the stored leaf", NOW + timedelta(days=60)),)),
        "leases": [lease()],
        "knative_leases": [],
        "settings": [],
        "rights": dict.fromkeys(RIGHTS, True),
        "namespaces": [namespace("team-a")],
        "rollouts": [rollout()],
        "spas": [spa()],
        "trial": TRIAL,
    }
    return Installation(**parts | changes)


def trial(bad: Attempt = TRIAL.bad, good: Attempt = TRIAL.good, again: Attempt = TRIAL.again) -> Trial:
    return replace(TRIAL, bad=bad, good=good, again=again)


def by_webhook(name: str) -> Attempt:
    assert TRIAL.bad.refused.startswith('admission webhook "mutate.stagegate.dev"')
    return Attempt(refused=TRIAL.bad.refused.replace("mutate.stagegate.dev", name, 1))

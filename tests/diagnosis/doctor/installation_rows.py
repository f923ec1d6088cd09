"""What goes wrong with what is installed: a row for each check that then goes red, and for each reason."""

from datetime import timedelta
from typing import Any

from tests.diagnosis.doctor import healthy as world
from tests.diagnosis.doctor.healthy import NOW, pod, without_image
from webhook.diagnosis.doctor.installation import Certificates, PodAnswer
from webhook.diagnosis.doctor.policies import NAMES as POLICIES
from webhook.diagnosis.doctor.policies import STOCK_KNATIVE
from webhook.diagnosis.doctor.registration import KNATIVE


def without(objects: list[Any], name: str) -> list[Any]:
    left = [each for each in objects if each["metadata"]["name"] != name]
    assert len(left) == len(objects) - 1
    return left


def changed(objects: list[Any], name: str, *path: Any, to: Any) -> list[Any]:
    """The objects with one value set."""
    (one,) = (each for each in objects if each["metadata"]["name"] == name)
    for key in path[:-1]:
        one = one[key]
    one[path[-1]] = to
    return objects


WEBHOOKS = [pod("w-1", "stagegate-webhook"), pod("w-2", "stagegate-webhook", ready=False)]
ROWS: list[tuple[str, dict[str, Any], str, str]] = [
    ("api-server-version", {"server_version": {"gitVersion": "v1.29.4+k3s1"}}, "failed", "v1.29.4+k3s1 is too old"),
    ("api-server-version", {"server_version": {}}, "unknown", "cannot be read"),
    ("crds", {"definitions": []}, "failed", "rolloutorchestrators.serving.knative.dev, stagepodautoscalers"),
    (
        "crds",
        {"definitions": changed(world.definitions(), "stagepodautoscalers.serving.knative.dev", "status", to={})},
        "failed",
        "not served: stagepodautoscalers.serving.knative.dev",
    ),
    (
        "crds-owner",
        {
            "definitions": changed(
                world.definitions(), "rolloutorchestrators.serving.knative.dev", "metadata", "labels", to={}
            )
        },
        "warning",
        "rolloutorchestrators.serving.knative.dev: not Stagegate's",
    ),
    (
        "registration",
        {"registrations": without(world.registrations(), "mutate.stagegate.dev")},
        "failed",
        "not registered: mutate.stagegate.dev",
    ),
    (
        "registration",
        {"registrations": without(world.registrations(), "mutate.knative.stagegate.dev")},
        "ok",
        "no Service rolls out in stages",
    ),
    (
        "registration-rules",
        {
            "registrations": changed(
                world.registrations(), "validate.stagegate.dev", "webhooks", 0, "rules", 0, "operations", to=["CREATE"]
            )
        },
        "failed",
        "validate.stagegate.dev is not called for UPDATE of rolloutorchestrators, UPDATE of stagepodautoscalers",
    ),
    ("failure-policy", {"registrations": world.registrations(("fail-open",))}, "warning", "failurePolicy Ignore"),
    (
        "ca-bundle",
        {
            "registrations": changed(
                world.registrations(), "mutate.stagegate.dev", "webhooks", 0, "clientConfig", to={"url": "https://h"}
            )
        },
        "failed",
        "no caBundle: mutate.stagegate.dev",
    ),
    (
        "policies",
        {"policies": without(world.manifests("ValidatingAdmissionPolicy"), POLICIES[0])},
        "failed",
        "missing: rolloutorchestrators.stagegate.dev",
    ),
    ("policies", {"bindings": []}, "failed", "not bound: "),
    (
        "policies",
        {"policies": without(world.manifests("ValidatingAdmissionPolicy"), STOCK_KNATIVE[1])},
        "failed",
        "missing: routes.knative.stagegate.dev",
    ),
    (
        "policies",
        {
            "policies": world.manifests("ValidatingAdmissionPolicy", overlays=("no-stock-knative",)),
            "registrations": without(world.registrations(), KNATIVE),
        },
        "ok",
        "3 policies are bound and deny",
    ),
    (
        "policies",
        {"bindings": world.manifests("ValidatingAdmissionPolicyBinding", overlays=("enforce-warn",))},
        "warning",
        "only warn: ",
    ),
    ("webhook-pods", {"pods": WEBHOOKS}, "warning", "1 of 2 webhook pods is ready"),
    (
        "webhook-pods",
        {"pods": [pod("l-1", "stagegate-loop")]},
        "failed",
        "0 of 2 webhook pods are ready; writes of people are refused",
    ),
    (
        "webhook-pods",
        {"pods": [pod("l-1", "stagegate-loop")], "registrations": world.registrations(overlays=("fail-open",))},
        "failed",
        "0 of 2 webhook pods are ready; writes are not judged",
    ),
    (
        "webhook-pods",
        {"pods": [pod("w-1", "stagegate-webhook"), without_image("w-2", "stagegate-webhook")]},
        "warning",
        "1 of 2 webhook pods is ready; w-2: ImagePullBackOff: pull access denied",
    ),
    ("loop-pods", {"pods": [pod("l-1", "stagegate-loop", ready=False)]}, "failed", "no rollout moves"),
    (
        "loop-pods",
        {"pods": [without_image("l-1", "stagegate-loop")]},
        "failed",
        "0 of 2 loop pods are ready; no rollout moves; l-1: ImagePullBackOff: pull access denied",
    ),
    ("loop-pods", {"pods": [pod("l-1", "stagegate-loop", phase="Failed")]}, "failed", "0 of 2 loop pods are ready"),
    ("loop-pods", {"pods": [], "deployments": []}, "unknown", "there are no loop pods in stagegate-system"),
    (
        "pods-reachable",
        {"answers": {"w-1": PodAnswer("0.1.0"), "w-2": PodAnswer(failure="connection refused")}},
        "failed",
        "no answer: w-2: connection refused",
    ),
    (
        "pods-reachable",
        {"answers": dict.fromkeys(("w-1", "w-2", "l-1", "l-2"), PodAnswer(failure="no route"))},
        "unknown",
        "no pod can be reached from here: l-1: no route",
    ),
    (
        "versions",
        {"answers": {"w-1": PodAnswer("0.1.0"), "w-2": PodAnswer("0.2.0")}},
        "warning",
        "several versions: 0.1.0: w-1; 0.2.0: w-2",
    ),
    ("versions", {"own_version": "0.2.0"}, "warning", "the pods have version 0.1.0, this command has 0.2.0"),
    ("versions", {"answers": {}}, "unknown", "no pod says"),
    ("certificates", {"certificates": Certificates(problems=("the leaf has expired",))}, "failed", "leaf has expired"),
    (
        "certificates",
        {"certificates": Certificates(is_stored=False), "secret": "a/b"},
        "unknown",
        "the Secret a/b of the certificates does not exist",
    ),
    ("certificates", {"certificates": Certificates(is_stored=False, unread="forbidden")}, "unknown", "forbidden"),
    (
        "certificates-expiry",
        {
            "certificates": Certificates(
                ends=(
                    ("the stored leaf", NOW + timedelta(days=20)),
                    ("b", NOW + timedelta(days=99)),
                )
            )
        },
        "warning",
        "ends within 21 days: the stored leaf on 2030-01-30",
    ),
    ("certificates-expiry", {"expiring": timedelta(days=61)}, "warning", "ends within 61 days"),
]

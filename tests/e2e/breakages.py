"""What goes wrong with an installation on a real API server, and is mended again, for ``stagegate doctor``."""

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from tests.controlplane.session import Session
from tests.e2e.cluster import REGISTRATION, SPAS, Namespace, spa
from webhook.cluster.lease import micro_time

POLICIES = f"{REGISTRATION}/validatingadmissionpolicies"
BINDINGS = f"{REGISTRATION}/validatingadmissionpolicybindings"
MUTATING = f"{REGISTRATION}/mutatingwebhookconfigurations/mutate.stagegate.dev"
VALIDATING = f"{REGISTRATION}/validatingwebhookconfigurations/validate.stagegate.dev"
LEASES = "/apis/coordination.k8s.io/v1/namespaces"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEPLOYMENTS = "/apis/apps/v1/namespaces/stagegate-system/deployments"
UPSTREAM = "controller.knative.dev.serving-progressive-rollout.pkg.reconciler.service.reconciler.00-of-01"

Body = dict[str, Any]
Broken = AbstractContextManager[None]


@contextmanager
def changed(admin: Session, path: str, change: Callable[[Body], None]) -> Iterator[None]:
    """An object that is another one meanwhile."""
    before = admin.get(path).body
    after = copy.deepcopy(before)
    change(after)
    answer = admin.update(path, after)
    assert answer.status == HTTPStatus.OK, answer.message
    try:
        yield
    finally:
        before["metadata"]["resourceVersion"] = admin.get(path).body["metadata"]["resourceVersion"]
        answer = admin.update(path, before)
        assert answer.status == HTTPStatus.OK, answer.message


@contextmanager
def removed(admin: Session, path: str) -> Iterator[None]:
    """An object that does not exist meanwhile."""
    before = admin.get(path).body
    assert admin.delete(path).status == HTTPStatus.OK
    try:
        yield
    finally:
        for member in ("resourceVersion", "uid", "creationTimestamp", "managedFields"):
            del before["metadata"][member]
        answer = admin.create(path.rpartition("/")[0], before)
        assert answer.status == HTTPStatus.CREATED, answer.message


@contextmanager
def added(admin: Session, path: str, body: Body) -> Iterator[None]:
    """An object that exists meanwhile."""
    answer = admin.create(path, body)
    assert answer.status == HTTPStatus.CREATED, answer.message
    try:
        yield
    finally:
        admin.delete(f"{path}/{body['metadata']['name']}")


def lease(name: str) -> Body:
    """A Lease that was renewed just now, and is valid for ten minutes."""
    spec = {"holderIdentity": "somebody", "renewTime": micro_time(datetime.now(UTC)), "leaseDurationSeconds": 600}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}


def ignoring(configuration: Body) -> None:
    for webhook in configuration["webhooks"]:
        webhook["failurePolicy"] = "Ignore"


def on_create_only(configuration: Body) -> None:
    configuration["webhooks"][0]["rules"][0]["operations"] = ["CREATE"]


def warning_only(deployment: Body) -> None:
    deployment["spec"]["template"]["spec"]["containers"][0]["args"].append("--enforce=warn")


def not_ours(definition: Body) -> None:
    del definition["metadata"]["labels"]["app.kubernetes.io/part-of"]


def on_warn(namespace: Body) -> None:
    namespace["metadata"]["labels"]["stagegate.dev/enforce"] = "warn"


MISLABELLED = spa("odd", {"stageMinScale": 1}, labels={"serving.knative.dev/revision": "other"})
OVERRIDDEN = MISLABELLED | {"metadata": MISLABELLED["metadata"] | {"annotations": {"stagegate.dev/override": "SPA003"}}}

ROWS: list[tuple[Callable[[Session], Broken], int, dict[str, str]]] = [
    (
        lambda admin: removed(admin, f"{BINDINGS}/stagepodautoscalers.stagegate.dev"),
        1,
        {"policies": "failed"},
    ),
    (
        lambda admin: removed(admin, f"{POLICIES}/stagepodautoscalers.stagegate.dev"),
        1,
        {"policies": "failed"},
    ),
    (lambda admin: removed(admin, VALIDATING), 1, {"registration": "failed"}),
    (
        lambda admin: removed(admin, MUTATING),
        1,
        {"registration": "failed", "refuses": "warning", "fills-once": "failed"},
    ),
    (lambda admin: changed(admin, VALIDATING, ignoring), 0, {"failure-policy": "warning"}),
    (lambda admin: changed(admin, VALIDATING, on_create_only), 1, {"registration-rules": "failed"}),
    (lambda admin: changed(admin, f"{CRDS}/{SPAS}.serving.knative.dev", not_ours), 0, {"crds-owner": "warning"}),
    (lambda admin: changed(admin, f"{DEPLOYMENTS}/stagegate-webhook", warning_only), 0, {"enforcement": "warning"}),
    (lambda admin: changed(admin, "/api/v1/namespaces/idle", on_warn), 0, {"namespaces-on-warn": "warning"}),
    (lambda admin: added(admin, Namespace("idle").path(SPAS), OVERRIDDEN), 0, {"overrides": "warning"}),
    (
        lambda admin: added(admin, f"{LEASES}/knative-serving/leases", lease(UPSTREAM)),
        1,
        {"one-driver": "failed"},
    ),
    (lambda admin: added(admin, f"{LEASES}/idle/leases", lease("stagegate-loop")), 0, {"one-loop": "warning"}),
]

"""What an API server makes of a webhook that refuses a review as overdue: one call, and its failure policy."""

import base64
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from tests.controlplane.response import Response
from tests.e2e.cluster import SPAS, Namespace, register, spa, unregister
from tests.server.conftest import make_certificates
from tests.server.live import Live, eventually, running
from tests.server.test_overload import worker_of

GOOD = spa("hello-00001", {"stageMinScale": 1, "stageMaxScale": 3})
TIMEOUT = 20


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("overload")
    with running(make_certificates(folder / "certs"), folder) as server:
        yield server


def registration(live: Live, namespace: Namespace, failure_policy: str) -> dict[str, Any]:
    bundle = base64.b64encode((live.certificates / "ca.crt").read_bytes()).decode()
    rule = {"apiGroups": ["serving.knative.dev"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [SPAS]}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace.name}}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"overdue-{failure_policy.lower()}.stagegate.dev"},
        "webhooks": [
            {
                "name": "overdue.stagegate.dev",
                "clientConfig": {"url": f"https://localhost:{live.port}/validate", "caBundle": bundle},
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": failure_policy,
                "timeoutSeconds": TIMEOUT,
                "namespaceSelector": selector,
                "rules": [rule],
            }
        ],
    }


@pytest.mark.parametrize(("failure_policy", "status"), [("Fail", 500), ("Ignore", HTTPStatus.CREATED)])
def test_an_overdue_review_is_one_call_and_the_failure_policy_decides(
    plane: ControlPlane, new_namespace: Callable[..., Namespace], live: Live, failure_policy: str, status: int
) -> None:
    namespace = new_namespace()
    body = registration(live, namespace, failure_policy)
    refused = 'stagegate_http_refused_total{status="503"}'
    judged = 'stagegate_admission_duration_seconds_count{path="/validate"}'
    answers: list[Response] = []

    def create(**query: str) -> Response:
        return plane.admin.create(namespace.path(SPAS), GOOD, **query)

    def is_asked() -> bool:
        before = live.metric(judged)
        create(dryRun="All")
        return live.metric(judged) > before

    register(plane.admin, body)
    try:
        eventually(is_asked, "the API server calls the webhook")
        asked, before, worker = live.metric(judged), live.metric(refused), worker_of(live)
        writer = threading.Thread(target=lambda: answers.append(create()))
        os.kill(worker, signal.SIGSTOP)
        try:
            writer.start()
            # Half of the time is over for certain, and the whole is not.
            time.sleep(TIMEOUT * 0.7)
        finally:
            os.kill(worker, signal.SIGCONT)
        writer.join(60)
        assert answers[0].status == status, answers[0].message
        if failure_policy == "Fail":
            assert 'failed calling webhook "overdue.stagegate.dev"' in answers[0].message
        assert live.metric(refused) == before + 1, "the API server does not call again"
        assert live.metric(judged) == asked
        assert create(dryRun="All").status in (HTTPStatus.CREATED, HTTPStatus.CONFLICT), "the next call is answered"
    finally:
        unregister(plane.admin, body)

"""The client certificate that an API server shows a webhook, and a webhook that reads reviews only with one."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from certs.key_pair import KeyPair
from tests.certs.test_client_authority import client_of
from tests.certs.world import authority
from tests.controlplane import Binaries, ControlPlane
from tests.e2e.cluster import SPAS, Namespace, eventually, register, spa, unregister
from tests.server.conftest import make_certificates
from tests.server.live import Live, running

WRONG = spa("hello-00001", {"stageMinScale": 1}, labels={"serving.knative.dev/revision": "another"})
"""An SPA that the schema takes and the webhook refuses."""
REFUSED = HTTPStatus.INTERNAL_SERVER_ERROR
GROUP = "apiserver.config.k8s.io/v1"


class Place(NamedTuple):
    """An API server that shows its webhooks a certificate of ``clients``."""

    plane: ControlPlane
    clients: KeyPair
    folder: Path


def admission_configuration(folder: Path, pair: KeyPair) -> Path:
    """The file for ``--admission-control-config-file``: any webhook gets to see this certificate."""
    user = {
        "client-certificate-data": base64.b64encode(pair.certificate).decode(),
        "client-key-data": base64.b64encode(pair.key).decode(),
    }
    kubeconfig = folder / "webhooks.kubeconfig"
    kubeconfig.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "users": [{"name": "*", "user": user}]}))
    configuration = {"apiVersion": GROUP, "kind": "WebhookAdmissionConfiguration", "kubeConfigFile": str(kubeconfig)}
    plugins = [{"name": "ValidatingAdmissionWebhook", "configuration": configuration}]
    path = folder / "admission.yaml"
    path.write_text(json.dumps({"apiVersion": GROUP, "kind": "AdmissionConfiguration", "plugins": plugins}))
    return path


@pytest.fixture(scope="module")
def place(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder, clients = tmp_path_factory.mktemp("client-certificate"), authority(datetime.now(UTC))
    path = admission_configuration(folder, client_of(clients, "kube-apiserver"))
    with ControlPlane.start(binaries=binaries, options=[f"--admission-control-config-file={path}"]) as plane:
        yield Place(plane, clients, folder)


def registration(live: Live) -> dict[str, Any]:
    certificate = (live.certificates / "ca.crt").read_bytes()
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "asks.stagegate.dev"},
        "webhooks": [
            {
                "name": "asks.stagegate.dev",
                "clientConfig": {
                    "url": f"https://127.0.0.1:{live.port}/validate",
                    "caBundle": base64.b64encode(certificate).decode(),
                },
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "rules": [
                    {
                        "apiGroups": ["serving.knative.dev"],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": [SPAS],
                    }
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("name", "is_of_the_ca", "status", "message"),
    [
        ("kube-apiserver", True, HTTPStatus.FORBIDDEN, "[SPA003]"),
        ("somebody", True, REFUSED, "the client certificate is for 'kube-apiserver', which may not"),
        ("kube-apiserver", False, REFUSED, "tls: unknown certificate authority"),
    ],
)
def test_a_webhook_reads_the_reviews_of_an_api_server_with_a_certificate(
    place: Place, tmp_path: Path, name: str, is_of_the_ca: bool, status: HTTPStatus, message: str
) -> None:
    admin, default = place.plane.admin, Namespace("default")
    client_ca = tmp_path / "client-ca.crt"
    client_ca.write_bytes(place.clients.certificate if is_of_the_ca else authority(datetime.now(UTC)).certificate)
    certificates = make_certificates(tmp_path / "certs")
    with running(certificates, tmp_path, "--client-ca", str(client_ca), "--client-name", name) as live:
        body = registration(live)
        register(admin, body)
        try:
            eventually(lambda: message in admin.create(default.path(SPAS), WRONG, dryRun="All").message)
            assert admin.create(default.path(SPAS), WRONG, dryRun="All").status == status
        finally:
            unregister(admin, body)
            eventually(lambda: message not in admin.create(default.path(SPAS), WRONG, dryRun="All").message)

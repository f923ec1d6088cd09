"""The webhook's certificates, which the leading loop manages, while people have them rotated again and again."""

import base64
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from certs.errors import CertificateError, StoreError
from certs.probe import probe
from certs.secret_store import SecretStore
from sandbox.demo.control_plane import ControlPlane, client_of
from sandbox.demo.manifest import Installation, at_url, documents
from sandbox.demo.stack import LOOP, STOCK_KNATIVE, Stack
from sandbox.sandbox import MANIFESTS
from tests.chaos.ground import Span
from tests.e2e.certified import pod_of
from webhook.cli.certs_cluster import ClusterClient
from webhook.cli.certs_secret import rotated
from webhook.cluster.clock import SystemClock
from webhook.cluster.errors import ApiError
from webhook.cluster.resource import MUTATING_WEBHOOKS, PODS, SECRETS, VALIDATING_WEBHOOKS
from webhook.cluster.supervisor import Supervisor

NAMESPACE, SECRET = "stagegate-system", "stagegate-certs"
ROTATING: Final = "the certificates rotate"
_POD: Final = "stagegate-webhook"
_FIRST_SECONDS: Final = 60.0
_TURN_SECONDS: Final = 0.2
Wire = dict[str, Any]
Members = dict[str, bytes]


class Certificates:
    """Registers a webhook at a port, and lets a first loop make its certificates; then ``rotate`` in a ``with``.

    ``pause`` gives the seconds until the next rotation while ``enabled``; of three one is of the authority.
    """

    def __init__(self, stack: Stack, plane: ControlPlane, pause: Callable[[], float]) -> None:
        self._stack, self._plane, self._pause = stack, plane, pause
        self._client = client_of(plane.kubeconfig, "people")
        cluster = ClusterClient(client_of(plane.kubeconfig_for(LOOP), "people"), SystemClock(), Supervisor())
        self._store = SecretStore(cluster, NAMESPACE, SECRET)
        self.port = free_port()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rotations", daemon=True)
        self.enabled = False
        self.rotations = 0
        self.spans: list[Span] = []

    @property
    def of_the_webhook(self) -> Sequence[str]:
        """Options of ``stagegate serve``."""
        return ["--port", str(self.port), "--cert-secret", f"{NAMESPACE}/{SECRET}"]

    @property
    def of_the_loop(self) -> Sequence[str]:
        """Options of ``stagegate loop``."""
        return ["--cert-secret", f"{NAMESPACE}/{SECRET}", "--webhook-port", str(self.port), "--ca-settle", "1"]

    def __enter__(self) -> "Certificates":
        """The webhook runs already."""
        self._register()
        self._stack.start_loop(self.of_the_loop)
        deadline = time.monotonic() + _FIRST_SECONDS
        while problem := self.problem():
            assert time.monotonic() < deadline, f"no certificates within {_FIRST_SECONDS:.0f} s: {problem}"
            time.sleep(_TURN_SECONDS)
        self._stack.stop_loop()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def problem(self) -> str:
        """What is not in order: what is stored, trusted and shown must be of one authority; empty if it is."""
        try:
            served, authority = (self._secret(name) for name in (SECRET, f"{SECRET}-authority"))
            bundles = set(self._bundles())
            shown = probe("127.0.0.1", self.port, 5.0)
        except (ApiError, CertificateError) as problem:
            return str(problem)
        return disorder(served, authority, bundles, shown)

    def await_order(self, wait: Callable[[Callable[[], object], str], None]) -> None:
        """No rotation begins any more, and the last one comes to its end."""
        self.enabled = False
        wait(lambda: not self.problem(), "the certificates are in order")

    def _run(self) -> None:
        while not self._stopped.wait(self._pause()):
            if self.enabled:
                self.rotate()

    def rotate(self) -> None:
        """Return when all is in order again."""
        began = time.monotonic()
        # The loop may still be about to end the one before.
        with suppress(StoreError, CertificateError):
            contents, version = self._store.read()
            self._store.write(rotated(contents, datetime.now(UTC), ca=self.rotations % 3 == 0), version)
            self.rotations += 1
            while self.problem() and not self._stopped.wait(_TURN_SECONDS):
                pass
            self.spans.append(Span(ROTATING, began, time.monotonic()))

    def _register(self) -> None:
        """The pod that the loop asks for its certificate, and registrations without a caBundle."""
        pod = pod_of(_POD, "stagegate-webhook", https=self.port)
        self._client.create(PODS, NAMESPACE, pod)
        status = {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}
        self._client.patch(PODS, NAMESPACE, _POD, {"status": status}, "status")
        whole = documents(MANIFESTS / "webhooks", MANIFESTS / STOCK_KNATIVE)
        configurations = [at_url(one, f"https://127.0.0.1:{self.port}", b"") for one in whole if "webhooks" in one]
        for one in configurations:
            for webhook in one["webhooks"]:
                del webhook["clientConfig"]["caBundle"]
        Installation(self._client).apply(configurations)

    def _secret(self, name: str) -> Members:
        data = self._client.get(SECRETS, NAMESPACE, name).get("data") or {}
        return {member: base64.b64decode(value) for member, value in data.items()}

    def _bundles(self) -> list[bytes]:
        return [
            base64.b64decode(webhook["clientConfig"].get("caBundle", ""))
            for kind in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)
            for one in self._client.list(kind)["items"]
            for webhook in one["webhooks"]
        ]


def disorder(served: Members, authority: Members, bundles: set[bytes], shown: bytes) -> str:
    """Why what is stored, trusted and shown is not at rest; empty if it is."""
    if (set(served), set(authority)) != ({"ca.crt", "tls.crt", "tls.key"}, {"ca.crt", "ca.key"}):
        return f"the Secrets hold {sorted(served)} and {sorted(authority)}"
    if {*bundles, authority["ca.crt"]} != {served["ca.crt"]}:
        return "more than one authority is trusted"
    if shown != served["tls.crt"]:
        return "another certificate is shown than the one that is stored"
    try:
        (issuer,) = x509.load_pem_x509_certificates(served["ca.crt"])
        x509.load_pem_x509_certificate(shown).verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return "the certificate is not of the one authority that is trusted"
    return ""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])

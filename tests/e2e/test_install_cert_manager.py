"""The overlay cert-manager beside cert-manager itself: what that issues is served, and what it injects is trusted."""

import base64
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certs.authority import is_issued_by
from certs.bundle import read_bundle
from certs.key_pair import KeyPair, prove, public_bytes, read_certificate
from certs.leaf import hosts_of
from sandbox.demo.process import Process
from sandbox.demo.stack import WEBHOOK
from tests.controlplane import Binaries, ControlPlane
from tests.controlplane.process import Program
from tests.e2e.administrator import Administrator, Wire, differences, kustomized
from tests.e2e.cluster import REGISTRATION, eventually

OVERLAY = "manifests/overlays/cert-manager"
HOST = "stagegate-webhook.stagegate-system.svc"
SECRETS = "/api/v1/namespaces/stagegate-system/secrets"
CERTIFICATES = "/apis/cert-manager.io/v1/namespaces/stagegate-system/certificates"
CONFIGURATIONS = (
    f"{REGISTRATION}/mutatingwebhookconfigurations/mutate.stagegate.dev",
    f"{REGISTRATION}/mutatingwebhookconfigurations/mutate.knative.stagegate.dev",
    f"{REGISTRATION}/validatingwebhookconfigurations/validate.stagegate.dev",
)
WITHIN = 90.0


class Cluster:
    """What cert-manager made of the overlay."""

    def __init__(self, administrator: Administrator) -> None:
        self.administrator = administrator

    def files(self) -> dict[str, bytes]:
        """The Secret as a pod finds it mounted; empty where there is none."""
        data = self.administrator.api.get(f"{SECRETS}/stagegate-certs").body.get("data", {})
        return {name: base64.b64decode(value) for name, value in data.items()}

    def leaf(self) -> x509.Certificate:
        files = self.files()
        return prove(KeyPair(files["tls.crt"], files["tls.key"]))

    def bundles(self) -> list[bytes]:
        """The caBundle that the API server trusts, by each webhook of the configurations."""
        bodies = [self.administrator.api.get(path).body for path in CONFIGURATIONS]
        clients = [webhook["clientConfig"] for body in bodies for webhook in body["webhooks"]]
        return [base64.b64decode(client.get("caBundle", "")) for client in clients]

    def authority(self) -> x509.Certificate:
        """The authority that came with the leaf."""
        return read_certificate(self.files()["ca.crt"])

    def is_certified(self) -> bool:
        """Whether there is a leaf, and both configurations hold the authority that came with it.

        Beside it they hold former ones that have not ended: cert-manager merges.
        """
        bundles = self.bundles()
        return bool(self.files().get("tls.crt")) and all(
            bundle and self.authority() in read_bundle(bundle) for bundle in bundles
        )

    def renews(self, name: str) -> None:
        """Do what cert-manager's own command for it does, and wait until it is done."""
        path = f"{CERTIFICATES}/{name}"
        before = self.certificate(name)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        issuing = {"type": "Issuing", "status": "True", "reason": "Asked", "message": "", "lastTransitionTime": now}
        conditions = [each for each in before["status"]["conditions"] if each["type"] != "Issuing"]
        answer = self.administrator.api.patch(f"{path}/status", {"status": {"conditions": [*conditions, issuing]}})
        assert answer.status == 200, answer.message
        eventually(lambda: self.revision(name) > before["status"]["revision"], WITHIN)

    def revision(self, name: str) -> int:
        """How often it was issued."""
        return int(self.certificate(name)["status"].get("revision", 0))

    def certificate(self, name: str) -> Wire:
        found: Wire = self.administrator.api.get(f"{CERTIFICATES}/{name}").body
        return found


@pytest.fixture(scope="module")
def cluster(
    binaries: Binaries, definitions: Callable[[str], list[Path]], program: Callable[[str], Path]
) -> Iterator[Cluster]:
    """A cluster with cert-manager, and our overlay."""
    cert_manager, files = program("cert-manager"), definitions("cert-manager")
    with ControlPlane.start(binaries=binaries, manifests=False, knative=False) as plane:
        administrator = Administrator(plane)
        administrator.applies_definitions(files)
        running = Program([cert_manager, plane.kubeconfig], plane.directory / "cert-manager.log")
        try:
            administrator.does(f"kubectl apply -k {OVERLAY}")
            cluster = Cluster(administrator)
            eventually(lambda: cluster.is_certified() or not running.running, WITHIN)
            assert running.running, running.last_words()
            yield cluster
        finally:
            running.kill()


def test_the_leaf_is_for_whom_the_api_server_asks(cluster: Cluster) -> None:
    leaf = cluster.leaf()

    assert hosts_of(leaf) == {HOST, f"{HOST}.cluster.local"}
    assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days == 90
    assert is_issued_by(leaf, cluster.authority())


def test_both_configurations_trust_its_authority(cluster: Cluster) -> None:
    for bundle in cluster.bundles():
        assert cluster.authority() in read_bundle(bundle)


def test_a_webhook_serves_it_to_whoever_trusts_ca_bundle(cluster: Cluster, tmp_path: Path) -> None:
    mounted = tmp_path / "certs"
    mounted.mkdir()
    for name, content in cluster.files().items():
        (mounted / name).write_bytes(content)
    kubeconfig = cluster.administrator.plane.kubeconfig_for(WEBHOOK)
    options = ["--port", "0", "--drain", "0", "--cert-dir", str(mounted), "--kubeconfig", str(kubeconfig)]

    serving = Process(["serve", *options], tmp_path / "serve.log")
    try:
        port = int(serving.wait_for_line("serving ", 30).rpartition(":")[2])
        context = ssl.create_default_context(cadata=cluster.bundles()[1].decode())
        with (
            socket.create_connection(("127.0.0.1", port), 10) as connection,
            context.wrap_socket(connection, server_hostname=HOST) as trusted,
        ):
            shown = trusted.getpeercert(binary_form=True)
    finally:
        serving.stop()

    assert shown is not None
    assert x509.load_der_x509_certificate(shown) == cluster.leaf()


@pytest.mark.parametrize("again", [f"kubectl apply -k {OVERLAY}", f"kubectl apply --server-side -k {OVERLAY}"])
def test_applying_again_takes_nothing_away(cluster: Cluster, again: str) -> None:
    before = cluster.bundles(), cluster.leaf()
    objects = kustomized(cluster.administrator, OVERLAY)

    cluster.administrator.does(f"{again} --force-conflicts" if "server-side" in again else again)

    assert (cluster.bundles(), cluster.leaf()) == before
    assert differences(objects, cluster.administrator.stored(objects)) == [
        "MutatingWebhookConfiguration/mutate.knative.stagegate.dev/webhooks/0/clientConfig/caBundle",
        "MutatingWebhookConfiguration/mutate.knative.stagegate.dev/webhooks/1/clientConfig/caBundle",
        "MutatingWebhookConfiguration/mutate.stagegate.dev/webhooks/0/clientConfig/caBundle",
        "ValidatingWebhookConfiguration/validate.stagegate.dev/webhooks/0/clientConfig/caBundle",
    ]


def test_a_new_leaf_has_a_new_key_of_the_same_authority(cluster: Cluster) -> None:
    before, trusted = cluster.leaf(), cluster.bundles()

    cluster.renews("stagegate-webhook")

    after = cluster.leaf()
    assert public_bytes(after) != public_bytes(before)
    assert is_issued_by(after, read_certificate(trusted[0]))
    assert cluster.bundles() == trusted


def test_a_new_authority_is_trusted_wherever_the_old_one_was(cluster: Cluster) -> None:
    """No call fails meanwhile: of old and new, each authority vouches for each leaf."""
    old_leaf, old = cluster.leaf(), cluster.authority()

    cluster.renews("stagegate-authority")
    cluster.renews("stagegate-webhook")
    eventually(cluster.is_certified, WITHIN)

    new_leaf, new = cluster.leaf(), cluster.authority()
    assert new.serial_number != old.serial_number
    assert public_bytes(new) == public_bytes(old)
    assert is_issued_by(new_leaf, old)
    assert is_issued_by(old_leaf, new)

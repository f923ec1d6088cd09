"""``stagegate serve --cert-secret``: it waits for its certificate, and takes the next one without a restart."""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs.authority import make_authority
from certs.contents import Contents
from certs.errors import CertificateError
from certs.leaf import make_leaf
from certs.probe import probe
from certs.secret_store import SecretStore
from sandbox import Sandbox
from sandbox.demo.control_plane import client_of
from sandbox.demo.process import Process
from tests.certs.adapted import adapted
from tests.waiting import eventually
from webhook.cli import main
from webhook.cluster.client import Client
from webhook.cluster.resource import NAMESPACES, SECRETS

NOW = datetime.now(UTC)
CA = make_authority(NOW, timedelta(days=90))
FIRST, SECOND = (make_leaf(CA, ["localhost"], NOW, timedelta(days=30)) for _ in range(2))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Sandbox(tmp_path / "sandbox") as sandbox:
        client = client_of(sandbox.kubeconfig)
        client.create(NAMESPACES, None, {"metadata": {"name": "ours"}})
        yield client


def shown(port: int) -> bytes | None:
    try:
        return probe("127.0.0.1", port, 5)
    except CertificateError:
        return None


def listens(port: int, host: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((host, port), 5).close()
    except OSError:
        return False
    return True


def test_it_waits_serves_and_follows(client: Client, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kubeconfig = tmp_path / "sandbox" / "kubeconfig"
    options = ["--host", "::", "--port", str(port), "--drain", "0"]
    options += ["--cert-secret", "ours/certs", "--kubeconfig", str(kubeconfig)]
    server = Process(["serve", *options, "--log-format", "json"], tmp_path / "log")
    store = SecretStore(adapted(client), "ours", "certs")
    try:
        eventually(lambda: "does not exist" in server.log.read_text(), "it says what it waits for")
        assert listens(port)
        assert [shown(port) for _ in range(5)] == [None] * 5
        assert listens(port, "::1") == socket.has_dualstack_ipv6()

        store.write(Contents(CA.certificate, CA.key, FIRST.certificate, FIRST.key), "")
        assert server.wait_for_line("serving ", 30) == f"https://localhost:{port}"
        assert shown(port) == FIRST.certificate

        store.write(Contents(CA.certificate, CA.key, SECOND.certificate, SECOND.key), store.read()[1])
        eventually(lambda: shown(port) == SECOND.certificate, "the new leaf is shown")

        uid = client.get(SECRETS, "ours", "certs")["metadata"]["uid"]
        client.delete(SECRETS, "ours", "certs", uid=uid)
        eventually(lambda: "the last good certificate is still served" in server.log.read_text(), "the loss is logged")
        assert shown(port) == SECOND.certificate
    finally:
        server.stop()
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    logged = [line["message"].partition(":")[0] for line in lines if line["logger"] == "stagegate.certificate"]
    assert logged == [
        "no certificate to serve yet",
        "new certificate served",
        "new certificate served",
        "the last good certificate is still served",
    ]
    assert {line["level"] for line in lines} <= {"info", "warning"}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--cert-secret", "certs"], "--cert-secret: must be NAMESPACE/NAME"),
        (["--cert-secret", "a/b/c"], "--cert-secret: must be NAMESPACE/NAME"),
        (["--cert-secret", "a/b", "--cert-dir", "d"], "--cert-secret, or files, not both"),
        (["--cert-secret", "a/b", "--tls-cert", "f"], "--cert-secret, or files, not both"),
        (["--cert-secret", "a/b", "--standalone"], "--cert-secret needs a cluster"),
    ],
)
def test_mistakes_are_one_line(
    options: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("{}")
    standalone = "--standalone" in options
    assert main(["serve", *options, *([] if standalone else ["--kubeconfig", str(kubeconfig)])]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1

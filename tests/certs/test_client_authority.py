"""The client CA: what its file has to hold, the names in a certificate, and the handshakes that it lets through."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.client_authority import ClientAuthority, names_of_client
from certs.context import LiveContext
from certs.errors import CertificateError
from certs.key_pair import KeyPair, new_key, prove, read_key, to_key_pair
from certs.probe import probe
from tests.certs.tls_server import serving
from tests.certs.world import START, authority, leaf

# A handshake verifies certificates of clients at the time of this machine.
NOW = datetime.now(UTC)
SERVERS, CLIENTS, STRANGERS = authority(), authority(NOW), authority(NOW)


def client_of(issuer: KeyPair, name: str = "kube-apiserver", *dns: str) -> KeyPair:
    """A certificate for a client, as kubeadm makes it."""
    key, signer = new_key(), prove(issuer)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(signer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(signer.not_valid_before_utc)
        .not_valid_after(signer.not_valid_before_utc + timedelta(days=30))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    if dns:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in dns]), critical=False)
    return to_key_pair(builder.sign(read_key(issuer.key), hashes.SHA256()), key)


@pytest.mark.parametrize(
    ("shown", "names"),
    [
        (None, set()),
        ({}, set()),
        ({"subject": ((("organizationName", "system:masters"),), (("commonName", "api"),))}, {"api"}),
        (
            {"subject": (), "subjectAltName": (("DNS", "one"), ("IP Address", "10.0.0.1"), ("DNS", "two"))},
            {"one", "two"},
        ),
    ],
)
def test_the_names_of_a_client_are_its_common_name_and_its_dns_names(shown: Any, names: set[str]) -> None:
    assert names_of_client(shown) == names


def test_a_file_without_an_authority_is_named(tmp_path: Path) -> None:
    path = tmp_path / "client-ca.crt"
    with pytest.raises(CertificateError, match=r"cannot read the client CA .*client-ca.crt: No such file"):
        ClientAuthority(path).read()
    path.write_bytes(leaf(SERVERS).certificate)
    with pytest.raises(CertificateError, match=r"client-ca.crt has no CA certificate in PEM"):
        ClientAuthority(path).read()


def live_context(path: Path, minimum: str = "1.3") -> LiveContext:
    live = LiveContext(minimum, ClientAuthority(path))
    live.load(leaf(SERVERS), START)
    return live


def answered(port: int, pair: KeyPair | None, folder: Path, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bool:
    """Whether a client with this certificate gets an answer. With TLS 1.3 it learns of a refusal only then."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = version
    if pair is not None:
        file = folder / "client.pem"
        file.write_bytes(pair.key + pair.certificate)
        context.load_cert_chain(file)
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as raw, context.wrap_socket(raw) as tls:
            tls.sendall(b"x")
            return tls.recv(1) == b"x"
    except OSError:
        return False


@pytest.fixture
def client_ca(tmp_path: Path) -> Path:
    path = tmp_path / "client-ca.crt"
    path.write_bytes(CLIENTS.certificate)
    return path


def test_a_probe_needs_no_certificate(client_ca: Path) -> None:
    """With TLS 1.3 a client knows the server's certificate before the server asks for its own."""
    live = live_context(client_ca)
    assert live.key_pair is not None
    with serving(live) as port:
        assert probe("127.0.0.1", port, 5) == live.key_pair.certificate


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_handshake_takes_certificates_of_the_client_ca_and_no_others(
    client_ca: Path, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    with serving(live_context(client_ca, "1.2")) as port:
        assert answered(port, client_of(CLIENTS), tmp_path, version)
        assert not answered(port, None, tmp_path, version)
        assert not answered(port, client_of(STRANGERS), tmp_path, version)


def test_a_replaced_file_counts_from_the_next_load_and_a_bad_one_leaves_the_last(
    client_ca: Path, tmp_path: Path
) -> None:
    live = live_context(client_ca)
    pair = live.key_pair
    assert pair is not None
    with serving(live) as port:
        assert not live.load(pair, START)
        client_ca.write_bytes(STRANGERS.certificate)
        assert live.load(pair, START)
        assert answered(port, client_of(STRANGERS), tmp_path)
        assert not answered(port, client_of(CLIENTS), tmp_path)
        client_ca.write_bytes(b"")
        with pytest.raises(CertificateError, match="has no CA certificate"):
            live.load(pair, START)
        assert answered(port, client_of(STRANGERS), tmp_path)

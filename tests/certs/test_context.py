"""The live context in real handshakes: a good key pair reaches the next one, a bad one reaches none."""

import socket
import ssl
from datetime import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import certs.key_pair
import certs.leaf
from certs.context import LiveContext
from certs.errors import CertificateError
from certs.key_pair import KeyPair, PrivateKey, new_key, to_key_pair
from certs.probe import probe
from tests.certs.tls_server import serving
from tests.certs.world import DAY, START, authority, leaf

CA = authority()
FIRST, SECOND = leaf(CA), leaf(CA)


def test_a_new_pair_is_shown_in_the_next_handshake() -> None:
    live = LiveContext()
    assert live.load(FIRST, START)
    with serving(live) as port:
        assert probe("127.0.0.1", port, 5) == FIRST.certificate
        assert live.load(SECOND, START)
        assert probe("127.0.0.1", port, 5) == SECOND.certificate


def made_elsewhere(key: PrivateKey, *extensions: x509.ExtensionType, serial: int = 1) -> KeyPair:
    """A self-signed pair as somebody else may store it, for localhost unless extensions are given."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "other")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), serial, START - DAY, START + DAY)
    for each in extensions or (FOR_LOCALHOST,):
        builder = builder.add_extension(each, critical=False)
    return to_key_pair(builder.sign(key, hashes.SHA256()), key)


FOR_LOCALHOST = x509.SubjectAlternativeName([x509.DNSName("localhost")])
FOR_CLIENTS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
ON_SECP256K1 = made_elsewhere(ec.generate_private_key(ec.SECP256K1()))


def restricted_to_pss(pair: KeyPair) -> KeyPair:
    """The pair with its certificate's RSA key restricted to PSS (RFC 4055), which the library itself cannot state."""
    any_padding, pss = bytes.fromhex("06092a864886f70d0101010500"), bytes.fromhex("06092a864886f70d01010a3000")
    whole = ssl.PEM_cert_to_DER_cert(pair.certificate.decode())
    assert whole.count(any_padding) == 1
    return KeyPair(ssl.DER_cert_to_PEM_cert(whole.replace(any_padding, pss)).encode(), pair.key)


def test_a_pair_of_another_algorithm_takes_the_place_of_the_last_one() -> None:
    """OpenSSL keeps one pair of each, and would go on choosing the older."""
    other = made_elsewhere(rsa.generate_private_key(65537, 2048))
    live = LiveContext()
    with serving(live) as port:
        for pair in (FIRST, other, SECOND):
            live.load(pair, START)
            assert probe("127.0.0.1", port, 5) == pair.certificate


def test_an_open_connection_lives_on() -> None:
    live = LiveContext()
    live.load(FIRST, START)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    with (
        serving(live) as port,
        socket.create_connection(("127.0.0.1", port), 5) as connection,
        client.wrap_socket(connection) as tls,
    ):
        tls.sendall(b"before")
        assert tls.recv(100) == b"before"
        live.load(SECOND, START)
        tls.sendall(b"after")
        assert tls.recv(100) == b"after"


@pytest.mark.parametrize(
    ("bad", "now", "reason"),
    [
        (KeyPair(SECOND.certificate, FIRST.key), START, "does not belong"),
        (KeyPair(SECOND.certificate[:100], SECOND.key), START, "not readable"),
        (KeyPair(SECOND.certificate, b""), START, "not readable"),
        (SECOND, START + 40 * DAY, "expired at 2030-01-31T00:00:00Z"),
        (SECOND, START - 8 * DAY, "not valid before"),
        (ON_SECP256K1, START, "the key is on the curve secp256k1: clients accept P-256, P-384 and P-521"),
        (made_elsewhere(ec.generate_private_key(ec.SECP224R1())), START, "on the curve secp224r1"),
        (KeyPair(SECOND.certificate + ON_SECP256K1.certificate, SECOND.key), START, "on the curve secp256k1"),
        (
            KeyPair(SECOND.certificate + ON_SECP256K1.certificate.replace(b"\nMII", b"\nNII", 1), SECOND.key),
            START,
            "of the chain",
        ),
        (made_elsewhere(new_key(), FOR_CLIENTS), START, "for no host"),
        (made_elsewhere(new_key(), FOR_LOCALHOST, FOR_CLIENTS), START, "lacks serverAuth"),
        (
            restricted_to_pss(made_elsewhere(rsa.generate_private_key(65537, 2048))),
            START,
            "the RSA key is restricted to PSS, which clients do not accept",
        ),
        (made_elsewhere(rsa.generate_private_key(65537, 1024)), START, "TLS does not accept the key pair"),
    ],
    ids=[
        "mismatch",
        "cut certificate",
        "no key",
        "expired",
        "not yet valid",
        "curve",
        "curve without a signature scheme",
        "curve in the chain",
        "damaged chain",
        "no subjectAltName",
        "client certificate",
        "RSA key restricted to PSS",
        "weak key",
    ],
)
def test_the_last_good_pair_stays(bad: KeyPair, now: datetime, reason: str) -> None:
    live = LiveContext()
    live.load(FIRST, START)
    with serving(live) as port:
        with pytest.raises(CertificateError, match=reason):
            live.load(bad, now)
        assert probe("127.0.0.1", port, 5) == FIRST.certificate
    assert live.key_pair == FIRST


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=["P-384", "P-521"])
def test_what_clients_take_is_served(curve: ec.EllipticCurve) -> None:
    live = LiveContext("1.2")
    pair = made_elsewhere(ec.generate_private_key(curve))
    live.load(pair, START)
    with serving(live) as port:
        assert probe("127.0.0.1", port, 5) == pair.certificate


@pytest.mark.parametrize("minimum", ["1.2", "1.3"])
def test_a_handshake_is_tried_before_a_pair_is_served(minimum: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair that every rule lets pass, and that OpenSSL loads, can still be of no use."""
    monkeypatch.setattr(certs.key_pair, "check_public_key", lambda key: None)
    monkeypatch.setattr(certs.leaf, "check_public_key", lambda key: None)
    live = LiveContext(minimum)
    live.load(FIRST, START)
    with pytest.raises(CertificateError, match=rf"no client can use the key pair with TLS {minimum}: "):
        live.load(ON_SECP256K1, START)
    assert live.key_pair == FIRST


def test_the_same_pair_is_not_loaded_again() -> None:
    live = LiveContext()
    assert live.load(FIRST, START) is True
    assert live.load(KeyPair(FIRST.certificate, FIRST.key), START) is False


@pytest.mark.parametrize(("minimum", "accepted"), [("1.3", False), ("1.2", True)])
def test_tls_1_2_only_on_request(minimum: str, accepted: bool) -> None:
    live = LiveContext(minimum)
    live.load(FIRST, START)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(live) as port, socket.create_connection(("127.0.0.1", port), 5) as connection:
        if accepted:
            with client.wrap_socket(connection) as tls:
                assert tls.version() == "TLSv1.2"
        else:
            with pytest.raises(ssl.SSLError):
                client.wrap_socket(connection)


def test_a_probe_of_nothing_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(CertificateError, match=f"no TLS handshake with 127.0.0.1:{port}"):
        probe("127.0.0.1", port, 5)


def test_a_probe_of_a_silent_server_ends() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(CertificateError, match="no TLS handshake"),
    ):
        probe("127.0.0.1", silent.getsockname()[1], 0.1)

"""Authorities and leaves pass the path validation of a strict client, and nothing else does."""

import ipaddress
import ssl
from datetime import datetime, timedelta
from itertools import product

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from certs.authority import is_authority, is_issued_by
from certs.bundle import read_bundle
from certs.errors import CertificateError
from certs.key_pair import KeyPair
from certs.leaf import hosts_of, make_leaf, prove_leaf
from tests.certs.world import DAY, POLICY, START, authority, certificate, leaf

CA = authority()
HOSTS = ("localhost", "127.0.0.1", "::1", "stagegate.stagegate-system.svc")
LEAF = leaf(CA, hosts=HOSTS)


def verify(shown: KeyPair, trusted: KeyPair, host: str, at: datetime) -> None:
    try:
        subject: x509.DNSName | x509.IPAddress = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        subject = x509.DNSName(host)
    policy = PolicyBuilder().store(Store([certificate(trusted)])).time(at)
    policy.build_server_verifier(subject).verify(certificate(shown), [])


@pytest.mark.parametrize("host", HOSTS)
def test_a_leaf_is_accepted_for_each_of_its_hosts(host: str) -> None:
    verify(LEAF, CA, host, START)


@pytest.mark.parametrize(
    ("host", "at"),
    [
        ("example.com", START),
        ("127.0.0.2", START),
        ("localhost", START + 31 * DAY),
        ("localhost", START - timedelta(days=8)),
    ],
    ids=["another name", "another address", "expired", "not yet valid"],
)
def test_a_leaf_is_refused(host: str, at: datetime) -> None:
    with pytest.raises(VerificationError):
        verify(LEAF, CA, host, at)


def test_a_leaf_of_another_authority_is_refused() -> None:
    with pytest.raises(VerificationError):
        verify(LEAF, authority(), "localhost", START)


def test_a_leaf_signs_nothing() -> None:
    assert not is_authority(certificate(LEAF))
    with pytest.raises(VerificationError):
        verify(make_leaf(LEAF, ["x"], START, DAY), LEAF, "x", START)


def test_a_clock_that_is_behind_by_less_than_an_hour_accepts_it() -> None:
    verify(LEAF, CA, "localhost", START - timedelta(minutes=59))


def test_a_leaf_never_outlives_its_authority() -> None:
    late = leaf(CA, START + 80 * DAY)
    assert certificate(late).not_valid_after_utc == certificate(CA).not_valid_after_utc


def test_shapes() -> None:
    made = certificate(LEAF)
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert isinstance(made.public_key(), ec.EllipticCurvePublicKey)
    assert hosts_of(made) == frozenset(HOSTS)
    assert made.not_valid_after_utc == START + POLICY.leaf_lifetime
    authority_limits = certificate(CA).extensions.get_extension_for_class(x509.BasicConstraints)
    assert authority_limits.critical
    assert authority_limits.value == x509.BasicConstraints(ca=True, path_length=0)
    assert hosts_of(certificate(CA)) == frozenset()


def test_no_two_authorities_share_a_subject() -> None:
    assert certificate(CA).subject != certificate(authority()).subject


def test_issued_by() -> None:
    assert is_issued_by(certificate(LEAF), certificate(CA))
    assert not is_issued_by(certificate(LEAF), certificate(authority()))
    assert not is_issued_by(certificate(CA), certificate(LEAF))


@pytest.mark.parametrize("hosts", [[], ["exämple"], ["localhost", "localhost:8443"]], ids=["none", "not ASCII", "port"])
def test_hosts_that_cannot_be(hosts: list[str]) -> None:
    with pytest.raises(CertificateError, match="host"):
        make_leaf(CA, hosts, START, DAY)


@pytest.mark.filterwarnings("ignore:Parsed a serial number:cryptography.utils.CryptographyDeprecationWarning")
def test_a_damaged_certificate_is_refused_and_raises_nothing_else() -> None:
    der = ssl.PEM_cert_to_DER_cert(LEAF.certificate.decode())
    refused = 0
    for place, flipped in product(range(len(der)), (0x01, 0x10, 0x80, 0xFF)):
        damaged = der[:place] + bytes([der[place] ^ flipped]) + der[place + 1 :]
        pem = ssl.DER_cert_to_PEM_cert(damaged).encode()
        read_bundle(pem)
        try:
            prove_leaf(KeyPair(pem, LEAF.key))
        except CertificateError:
            refused += 1
    assert refused > len(der)

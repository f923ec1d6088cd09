"""The leaf: the certificate that a server shows."""

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, PublicKeyAlgorithmOID

from certs.authority import BACKDATE, signing_usage
from certs.errors import CertificateError
from certs.host import read_host
from certs.key_pair import KeyPair, check_public_key, new_key, prove, read_chain, read_key, to_key_pair


def make_leaf(authority: KeyPair, hosts: Iterable[str], now: datetime, lifetime: timedelta) -> KeyPair:
    """A new ECDSA P-256 server certificate for the host names and addresses; it never outlives its authority.

    Raises CertificateError if the authority's key is not its certificate's, and for no host or a malformed one.
    """
    issuer = prove(authority)
    names = sorted(set(hosts))
    if not names:
        raise CertificateError("a server certificate needs at least one host")
    key = new_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stagegate")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - BACKDATE, issuer.not_valid_before_utc))
        .not_valid_after(min(now + lifetime, issuer.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(signing_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            ),
            critical=False,
        )
        .sign(read_key(authority.key), hashes.SHA256())
    )
    return to_key_pair(certificate, key)


def hosts_of(certificate: x509.Certificate) -> frozenset[str]:
    """The host names and addresses that the certificate is for; empty when it names none."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return frozenset()
    addresses = (str(address) for address in names.get_values_for_type(x509.IPAddress))
    return frozenset([*names.get_values_for_type(x509.DNSName), *addresses])


def prove_leaf(key_pair: KeyPair) -> x509.Certificate:
    """The certificate of a key pair that a server can show. Raises CertificateError for one that no client accepts.

    API servers and kubectl verify as Go does: by subjectAltName alone, and only certificates for server authentication.
    """
    certificate = prove(key_pair)
    for each in read_chain(key_pair.certificate):
        check_public_key(each.public_key())
        if each.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
            raise CertificateError(
                "the RSA key is restricted to PSS, which clients do not accept; make a key without that restriction"
            )
    if not hosts_of(certificate):
        raise CertificateError("the certificate is for no host: it has no DNS name and no IP address in subjectAltName")
    try:
        usages = set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return certificate
    if not usages & {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}:
        raise CertificateError("the certificate may not be used by servers: its extendedKeyUsage lacks serverAuth")
    return certificate


def _general_name(host: str) -> x509.GeneralName:
    name = read_host(host)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)

"""The certificate authority: makes one, and checks whether a certificate is one or was issued by one."""

from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from certs.key_pair import KeyPair, new_key, to_key_pair

BACKDATE: Final = timedelta(days=7)
"""How far before `now` validity starts: the clock of the maker may be ahead, and that of a peer behind."""


def make_authority(now: datetime, lifetime: timedelta) -> KeyPair:
    """A new self-signed ECDSA P-256 authority that may sign leaves only; no two have the same subject."""
    key = new_key()
    serial = x509.random_serial_number()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"stagegate CA {now:%Y-%m-%d} {serial:x}"[:40])])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(signing_usage(authority=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return to_key_pair(certificate, key)


def signing_usage(*, authority: bool) -> x509.KeyUsage:
    """What the key may sign: certificates (an authority) or handshakes (a leaf)."""
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def is_authority(certificate: x509.Certificate) -> bool:
    """True if the certificate may sign others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """True if the authority's key signed the certificate; the validity period is not checked."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True

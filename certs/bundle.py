"""The bundle: the authorities that clients trust, as one PEM text."""

from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from certs.authority import is_authority
from certs.errors import CertificateError
from certs.key_pair import read_certificate

_BEGIN = b"-----BEGIN CERTIFICATE-----"
_END = b"-----END CERTIFICATE-----"


def read_bundle(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The authorities in the PEM bytes, each once, in their order, without what is not readable or not an authority."""
    found: list[x509.Certificate] = []
    for part in pem.split(_BEGIN)[1:]:
        body, end, _ = part.partition(_END)
        if not end:
            continue
        try:
            certificate = read_certificate(_BEGIN + body + _END + b"\n")
        except CertificateError:
            continue
        if is_authority(certificate) and certificate not in found:
            found.append(certificate)
    return tuple(found)


def write_bundle(authorities: Iterable[x509.Certificate]) -> bytes:
    """The authorities as PEM, each once, in the order given: the same authorities give the same bytes."""
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in dict.fromkeys(authorities))

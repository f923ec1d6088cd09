"""What a store keeps: four PEM texts under their file names."""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from certs.bundle import read_bundle, write_bundle
from certs.errors import CertificateError
from certs.key_pair import KeyPair, prove

CA_CERTIFICATES: Final = "ca.crt"
CA_KEY: Final = "ca.key"
CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
NAMES: Final = (CA_CERTIFICATES, CA_KEY, CERTIFICATE, KEY)
SECRET_NAMES: Final = frozenset({CA_KEY, KEY})


@dataclass(frozen=True, slots=True)
class Contents:
    """``ca_certificates`` is the bundle that clients trust; the authority in it that ``ca_key`` belongs to signs.

    During a rotation the bundle holds the old authority beside the new one. Empty bytes mean absent.
    """

    ca_certificates: bytes = b""
    ca_key: bytes = field(default=b"", repr=False)
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)

    def files(self) -> dict[str, bytes]:
        """File name to bytes, in the order of writing."""
        return dict(zip(NAMES, (self.ca_certificates, self.ca_key, self.certificate, self.key), strict=True))

    @property
    def version(self) -> str:
        """Equal contents have equal versions."""
        digest = hashlib.sha256()
        for name, data in self.files().items():
            digest.update(f"{name} {len(data)}\n".encode() + data)
        return digest.hexdigest()

    @property
    def leaf(self) -> KeyPair:
        """The served key pair, as stored."""
        return KeyPair(self.certificate, self.key)


def signing_authority(contents: Contents) -> KeyPair | None:
    """The authority of the bundle that the stored key belongs to; None if none is readable and matches."""
    for certificate in read_bundle(contents.ca_certificates):
        authority = KeyPair(write_bundle([certificate]), contents.ca_key)
        try:
            prove(authority)
        except CertificateError:
            continue
        return authority
    return None

"""The authority of clients: who signs the certificates that a server's clients show, and the names in them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from certs.bundle import read_bundle, write_bundle
from certs.errors import CertificateError


class ClientAuthority:
    """A PEM file with one or more authorities. It may be replaced at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> bytes:
        """The authorities in the file, PEM. Raises CertificateError if it cannot be read or has none."""
        try:
            authorities = read_bundle(self.path.read_bytes())
        except OSError as problem:
            raise CertificateError(f"cannot read the client CA {self.path}: {problem.strerror}") from problem
        if not authorities:
            raise CertificateError(f"the client CA {self.path} has no CA certificate in PEM")
        return write_bundle(authorities)


def names_of_client(shown: Mapping[str, Any] | None) -> frozenset[str]:
    """The common name and the DNS names of a client's certificate, as ``SSLSocket.getpeercert`` gives it.

    Empty for a client that showed none.
    """
    if not shown:
        return frozenset()
    subject = [value for part in shown.get("subject", ()) for key, value in part if key == "commonName"]
    alternative = [value for key, value in shown.get("subjectAltName", ()) if key == "DNS"]
    return frozenset([*subject, *alternative])

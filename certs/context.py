"""The live TLS context of a server: it loads a new key pair only after checking it, and keeps the last good one."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from certs.alert import AlertingObject
from certs.client_authority import ClientAuthority
from certs.errors import CertificateError
from certs.handshake import shake_hands
from certs.key_pair import KeyPair
from certs.leaf import prove_leaf

if TYPE_CHECKING:
    from cryptography import x509

TLS_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class LiveContext:
    """``context`` is that of the next handshake; read it for each. ``load`` drops no connection.

    Each key pair gets a context of its own: one that has held a key of another algorithm goes on showing that. With a
    client authority, the handshake of a client without a certificate of it fails.
    """

    def __init__(self, minimum: str = "1.3", client_authority: ClientAuthority | None = None) -> None:
        """``minimum`` is a key of TLS_VERSIONS."""
        self.minimum = TLS_VERSIONS[minimum]
        self._client_authority = client_authority
        self._authorities = b""
        self.context = _server_context(self.minimum)
        self.key_pair: KeyPair | None = None
        self.certificate: x509.Certificate | None = None

    def load(self, key_pair: KeyPair, now: datetime) -> bool:
        """Serve this key pair from the next handshake on; False if it is served already, to clients of the same CA.

        Raises CertificateError, and goes on serving the one before, if certificate and key do not match, if the
        certificate is not valid at ``now``, or if clients cannot use it: a handshake in memory tries each TLS version.
        The same holds for a client CA that cannot be read.
        """
        authorities = b"" if self._client_authority is None else self._client_authority.read()
        if (key_pair, authorities) == (self.key_pair, self._authorities):
            return False
        certificate = prove_leaf(key_pair)
        if now < certificate.not_valid_before_utc:
            raise CertificateError(f"the certificate is not valid before {certificate.not_valid_before_utc:%FT%TZ}")
        if now >= certificate.not_valid_after_utc:
            raise CertificateError(f"the certificate expired at {certificate.not_valid_after_utc:%FT%TZ}")
        with _as_file(key_pair) as path:
            try:
                context, trial = _server_context(self.minimum, authorities), _server_context(self.minimum)
                for each in (context, trial):
                    each.load_cert_chain(path)
            except (ssl.SSLError, OSError) as problem:
                raise CertificateError(f"TLS does not accept the key pair: {problem}") from problem
        for name, version in TLS_VERSIONS.items():
            if version >= self.minimum:
                try:
                    shake_hands(trial, version)
                except ssl.SSLError as problem:
                    raise CertificateError(f"no client can use the key pair with TLS {name}: {problem}") from problem
        self.context, self.key_pair, self.certificate = context, key_pair, certificate
        self._authorities = authorities
        return True


def _server_context(minimum: ssl.TLSVersion, client_authorities: bytes = b"") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = minimum
    context.set_alpn_protocols(["http/1.1"])
    context.sslobject_class = AlertingObject
    if client_authorities:
        # A client of TLS 1.3 has verified the server by the time it is refused, so that probes need no certificate.
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_authorities.decode())
    return context


@contextmanager
def _as_file(key_pair: KeyPair) -> Iterator[Path]:
    """The key pair as a file for OpenSSL, which reads no bytes: in memory where possible, so that no key is on disk."""
    text = key_pair.key.rstrip() + b"\n" + key_pair.certificate
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("key-pair", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, text)
            yield Path(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(text)
            file.flush()
            yield Path(file.name)

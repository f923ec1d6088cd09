"""The live TLS context of a server: it takes a new pair only after the proof, and keeps the last good one."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from certs.errors import CertificateError
from certs.handshake import shake_hands
from certs.key_pair import KeyPair
from certs.leaf import prove_leaf

if TYPE_CHECKING:
    from cryptography import x509

TLS_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class LiveContext:
    """``context`` is that of the next handshake: to be asked for at each. ``load`` drops no connection.

    Each pair gets a context of its own: one that has held a pair of another algorithm goes on showing that.
    """

    def __init__(self, minimum: str = "1.3") -> None:
        """``minimum`` is a key of TLS_VERSIONS."""
        self.minimum = TLS_VERSIONS[minimum]
        self.context = _server_context(self.minimum)
        self.pair: KeyPair | None = None
        self.certificate: x509.Certificate | None = None

    def load(self, pair: KeyPair, now: datetime) -> bool:
        """Serve this pair from the next handshake on; False when it is the one already served.

        Raises CertificateError, and leaves the served pair as it was, when the two do not match, when the certificate
        is not valid at ``now``, or when clients cannot use it: a handshake in memory proves each TLS version.
        """
        if pair == self.pair:
            return False
        certificate = prove_leaf(pair)
        if now < certificate.not_valid_before_utc:
            raise CertificateError(f"the certificate is not valid before {certificate.not_valid_before_utc:%FT%TZ}")
        if now >= certificate.not_valid_after_utc:
            raise CertificateError(f"the certificate expired at {certificate.not_valid_after_utc:%FT%TZ}")
        with _as_file(pair) as path:
            try:
                context = _server_context(self.minimum)
                context.load_cert_chain(path)
            except (ssl.SSLError, OSError) as problem:
                raise CertificateError(f"TLS does not accept the pair: {problem}") from problem
        for name, version in TLS_VERSIONS.items():
            if version >= self.minimum:
                try:
                    shake_hands(context, version)
                except ssl.SSLError as problem:
                    raise CertificateError(f"no client can use the pair by TLS {name}: {problem}") from problem
        self.context, self.pair, self.certificate = context, pair, certificate
        return True


def _server_context(minimum: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = minimum
    context.set_alpn_protocols(["http/1.1"])
    return context


@contextmanager
def _as_file(pair: KeyPair) -> Iterator[Path]:
    """The pair as a file for OpenSSL, which reads no bytes: in memory where the system can, so no key meets a disk."""
    text = pair.key.rstrip() + b"\n" + pair.certificate
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pair", os.MFD_CLOEXEC)
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

"""The probe: the certificate that a server shows now."""

import socket
import ssl

from certs.errors import CertificateError


def probe(host: str, port: int, timeout: float, server_name: str | None = None) -> bytes:
    """The leaf, PEM, that the server at the address shows in a TLS handshake; it is returned without verification.

    ``timeout`` in seconds bounds the connection and the handshake. Raises CertificateError when no handshake succeeds.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout) as connection,
            context.wrap_socket(connection, server_hostname=server_name or host) as tls,
        ):
            shown = tls.getpeercert(binary_form=True)
    except (OSError, ValueError) as problem:
        late = isinstance(problem, TimeoutError)
        reason = f"none within {timeout:g} s" if late else getattr(problem, "strerror", None) or problem
        raise CertificateError(f"no TLS handshake with {host}:{port}: {reason}") from problem
    if shown is None:
        raise CertificateError(f"{host}:{port} showed no certificate")
    return ssl.DER_cert_to_PEM_cert(shown).encode()

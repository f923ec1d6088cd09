"""Connections to an API server: the CA they trust, their client certificate, and a check before they send."""

import ssl
import tempfile
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import create_urllib3_context

from webhook.cluster.credentials import ClientCertificate
from webhook.cluster.kubeconfig_fields import Pem


def _nothing() -> None:
    return None


BEFORE_SENDING: Final[ContextVar[Callable[[], None]]] = ContextVar("before sending", default=_nothing)
"""Called in the thread of the request right before its head is sent, and again right before its body is.

Nothing but the call of the socket lies between: a process that is stopped for long is most likely stopped elsewhere.
"""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a response must be there, on the monotonic clock: all of it if ``whole``, else its head."""

    at: float
    whole: bool = True


DEADLINE: Final[ContextVar[Deadline | None]] = ContextVar("deadline", default=None)
"""The deadline of the request that the thread sends."""


@dataclass(frozen=True, slots=True)
class Trust:
    """The CA to trust: ``authority``, None for the system's CAs; any certificate if ``is_insecure``.

    ``server_name`` replaces the host of the URL in the check of the server's certificate.
    """

    authority: Pem | None = None
    is_insecure: bool = False
    server_name: str = ""


def prove_authority(authority: Pem) -> None:
    """Raises ValueError if there is no certificate in it."""
    try:
        _load_authority(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), authority)
    except (OSError, UnicodeDecodeError) as problem:
        raise ValueError("holds no certificate in PEM that can be read") from problem


def prove_certificate(pair: ClientCertificate) -> None:
    """Raises ValueError if certificate and key cannot be read or do not match."""
    try:
        _load_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), pair)
    except (ssl.SSLError, ValueError) as problem:
        raise ValueError("client certificate and key are not PEM that fits together") from problem
    except OSError as problem:
        raise ValueError(f"OpenSSL needs a file for a moment, and there can be none: {problem}") from problem


def pool_classes(trust: Trust, certificate: Callable[[], ClientCertificate | None]) -> dict[str, type[Any]]:
    """Pool classes by scheme. ``certificate`` returns the client certificate; a new one reopens connections."""

    class Secure(_SecureConnection):
        def trusted(self) -> Trust:
            return trust

        def wanted(self) -> ClientCertificate | None:
            return certificate()

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": _PlainPool, "https": SecurePool}


class _CheckedConnection(HTTPConnection):
    """Runs the check before each part of a request, and not while it opens a tunnel through a proxy."""

    _sends_request = False

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.is_closed:
            self.connect()
        self._sends_request = True
        try:
            super().request(*args, **kwargs)
        finally:
            self._sends_request = False

    def send(self, data: Any) -> None:
        if self._sends_request:
            BEFORE_SENDING.get()()
        super().send(data)


class _TimedSocket(ssl.SSLSocket):
    """Ends reading at a deadline. The time-out of a socket begins anew with each byte that arrives."""

    ends_at: float | None = None

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        if self.ends_at is not None:
            left = self.ends_at - time.monotonic()
            if left <= 0:
                raise TimeoutError("the response was not complete in time")
            self.settimeout(left)
        return super().recv_into(*args, **kwargs)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _CheckedConnection


class _SecureConnection(_CheckedConnection, HTTPSConnection):
    """Verifies as kubectl does: the CAs of EKS and others lack key identifiers that Python 3.13 requires.

    Each connection has a context of its own, since loading a context in one thread while another uses it in a handshake
    crashes the process.
    """

    _shown: ClientCertificate | None = None

    def trusted(self) -> Trust:
        raise NotImplementedError

    def wanted(self) -> ClientCertificate | None:
        raise NotImplementedError

    @property
    def is_connected(self) -> bool:
        """False also if the client certificate has changed, so that the pool opens a new connection."""
        return super().is_connected and self._shown == self.wanted()

    def getresponse(self) -> Any:
        deadline, sock = DEADLINE.get(), self.sock
        if deadline is None or not isinstance(sock, _TimedSocket):
            return super().getresponse()
        sock.ends_at = deadline.at
        try:
            return super().getresponse()
        finally:
            if not deadline.whole:
                sock.ends_at = None

    def connect(self) -> None:
        trust, shown = self.trusted(), self.wanted()
        self.ssl_context = _context(trust)
        self.ssl_context.sslsocket_class = _TimedSocket
        if shown is not None:
            _load_certificate(self.ssl_context, shown)
        if self.proxy_config is not None:
            # An HTTPS proxy may have a certificate of the system's CAs, and must not get the client certificate.
            self.proxy_config = self.proxy_config._replace(ssl_context=_context(trust, with_system_cas=True))
        super().connect()
        self._shown = shown
        sock: Any = self.sock
        if not hasattr(sock, "shutdown"):
            # TLS within TLS lacks ``shutdown``, which ends a stream that another thread reads.
            sock.shutdown = sock.socket.shutdown


def _context(trust: Trust, *, with_system_cas: bool = False) -> ssl.SSLContext:
    context = create_urllib3_context(cert_reqs=ssl.CERT_NONE if trust.is_insecure else ssl.CERT_REQUIRED)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if trust.authority is not None:
        _load_authority(context, trust.authority)
    if trust.authority is None or with_system_cas:
        context.load_default_certs()
    return context


def _load_authority(context: ssl.SSLContext, authority: Pem) -> None:
    if isinstance(authority, Path):
        context.load_verify_locations(cafile=authority)
    else:
        context.load_verify_locations(cadata=authority.decode("ascii"))


def _load_certificate(context: ssl.SSLContext, pair: ClientCertificate) -> None:
    """Load the key pair through a temporary file with mode 0600, since OpenSSL reads files only."""
    with tempfile.TemporaryDirectory(prefix="stagegate-") as folder:
        path = Path(folder) / "pair.pem"
        path.touch(mode=0o600)
        path.write_bytes(pair.certificate + b"\n" + pair.key)
        # Without a password OpenSSL would prompt on the terminal for that of an encrypted key.
        context.load_cert_chain(path, password="")

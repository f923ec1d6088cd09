"""The TLS alert: why a handshake failed, sent to the client before the connection ends."""

import ssl


class AlertingObject(ssl.SSLObject):
    """For ``SSLContext.sslobject_class``: a failed handshake first asks for more, so that its alert is written.

    Event loops write what a handshake has to send only while it goes on; a client would see its connection end without
    a reason. The handshake never goes on: it fails for good when the client answers or leaves, or at its deadline.
    """

    _failure: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        """As that of SSLObject; the first failure is raised as SSLWantReadError."""
        if self._failure is not None:
            raise self._failure
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as problem:
            self._failure = problem
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "the alert is to be sent") from problem

"""The served pair on disk: two PEM files."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from certs.context import LiveContext
from certs.errors import CertificateError
from certs.key_pair import KeyPair
from webhook.server.metrics import ServerMetrics
from webhook.server.served_pair import ServedPair


class PairFiles(ServedPair):
    """Reads certificate and key from a path each."""

    def __init__(
        self, certificate: Path, key: Path, live: LiveContext, metrics: ServerMetrics, now: Callable[[], datetime]
    ) -> None:
        super().__init__(live, metrics, now)
        self.certificate = certificate
        self.key = key

    @property
    def place(self) -> str:
        return f"{self.certificate} and {self.key}"

    def read(self) -> KeyPair:
        """What the files hold now. Raises CertificateError for a file that cannot be read."""
        parts = []
        for path in (self.certificate, self.key):
            try:
                parts.append(path.read_bytes())
            except OSError as problem:
                raise CertificateError(f"cannot read {path}: {problem.strerror}") from problem
        return KeyPair(*parts)

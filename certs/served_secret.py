"""The served key pair of a Secret that is watched."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from certs.contents import CERTIFICATE, KEY
from certs.context import LiveContext
from certs.errors import CertificateError
from certs.key_pair import KeyPair
from certs.protocols import SecretWatch
from certs.secret_store import decoded
from certs.served import OnRead, ServedKeyPair


class ServedSecret(ServedKeyPair):
    """Reads the key pair from the local copy of a Secret; ``watch_secret`` makes its watch, given what to call back."""

    def __init__(
        self,
        namespace: str,
        name: str,
        watch_secret: Callable[[str, str, Callable[[], None]], SecretWatch],
        live: LiveContext,
        now: Callable[[], datetime],
        on_read: OnRead,
    ) -> None:
        super().__init__(live, now, on_read)
        self._where = f"{namespace}/{name}"
        self.secret = watch_secret(namespace, name, self.wake)

    @property
    def place(self) -> str:
        return f"Secret {self._where}"

    def start(self) -> None:
        self.secret.start()

    def stop(self) -> None:
        self.secret.stop()

    def read(self) -> KeyPair | None:
        """The key pair of the Secret as last received. Raises CertificateError while it holds none."""
        secret = self.secret.secret
        if secret is not None:
            return key_pair_of(self.place, secret.get("data") or {})
        if self.secret.last_error is not None:
            raise CertificateError(f"cannot read {self.place}: {self.secret.last_error}")
        if not self.secret.synced:
            return None
        raise CertificateError(
            f"{self.place} does not exist; it is made by: stagegate loop --cert-secret {self._where}"
        )


def served_members(secret: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a Secret in wire form that are served: a former release kept the authority's key beside them."""
    data = secret.get("data") or {}
    return {name: data[name] for name in (CERTIFICATE, KEY) if name in data}


def key_pair_of(place: str, data: Mapping[str, Any]) -> KeyPair:
    """The key pair among the members of a Secret. Raises CertificateError for one that is missing or empty."""
    for name in (CERTIFICATE, KEY):
        if not data.get(name):
            raise CertificateError(f"{place} has no {name}")
    return KeyPair(decoded(data[CERTIFICATE]), decoded(data[KEY]))

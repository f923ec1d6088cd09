"""The clients of the server: who may send reviews, by the certificate that a client shows in its handshake."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from certs.client_authority import names_of_client
from webhook.server.head import Refusal

NO_CERTIFICATE: Final = Refusal(403, "this server takes reviews only from clients with a certificate of its client CA")


@dataclass(frozen=True, slots=True)
class Clients:
    """``is_checked``: a client has to show a certificate. Without ``names`` any name in it is accepted.

    A handshake without a certificate of the client authority fails before this is asked; the names are checked here.
    """

    is_checked: bool = False
    names: frozenset[str] = frozenset()

    def refusal(self, shown: Mapping[str, Any] | None) -> Refusal | None:
        """Why every request of a connection is refused, None if it is not.

        ``shown`` is the client's verified certificate as ``SSLSocket.getpeercert`` gives it, empty or None for none.
        """
        if not self.is_checked:
            return None
        if not shown:
            return NO_CERTIFICATE
        found = names_of_client(shown)
        if not self.names or self.names & found:
            return None
        named = ", ".join(sorted(found))[:128] or "no name"
        return Refusal(403, f"the client certificate is for {named!r}, which may not send reviews here")


ANYBODY: Final = Clients()
"""No certificate is asked for."""

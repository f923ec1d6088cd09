"""Probes of servers that are named on the command line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from webhook.cli.arguments import Address


@dataclass(frozen=True, slots=True)
class Probed:
    """``shown``: the certificate (PEM) of each server by its address, None for one that does not answer.

    ``unanswered``: the reason and the way out for each server that does not answer.
    """

    shown: Mapping[str, bytes | None]
    unanswered: tuple[str, ...] = ()


def probed(addresses: Iterable[Address]) -> Probed:
    """Probe these servers, one after the other."""
    from certs.errors import CertificateError
    from certs.probe import probe

    shown: dict[str, bytes | None] = {}
    unanswered = []
    for address in addresses:
        try:
            shown[str(address)] = probe(address.host, address.port, timeout=3.0)
        except CertificateError as problem:
            unanswered.append(f"{problem}; check the address, and that the server runs")
            shown[str(address)] = None
    return Probed(shown, tuple(unanswered))

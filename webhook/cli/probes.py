"""Asking servers, named at the command line, for the certificate that they show."""

from collections.abc import Iterable

from webhook.cli.arguments import Address


def probed(addresses: Iterable[Address]) -> dict[str, bytes | None]:
    """What the servers there show, by the address, None for those that do not answer."""
    from certs.errors import CertificateError
    from certs.probe import probe

    shown: dict[str, bytes | None] = {}
    for address in addresses:
        try:
            shown[str(address)] = probe(address.host, address.port, timeout=3.0)
        except CertificateError:
            shown[str(address)] = None
    return shown

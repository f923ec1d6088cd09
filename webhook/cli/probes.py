"""Asking servers, named at the command line, for the certificate that they show."""

from collections.abc import Iterable

from webhook.cli.errors import USAGE, CommandError


def probed(addresses: Iterable[str]) -> dict[str, bytes | None]:
    """What the servers at these HOST:PORT show, None for those that do not answer. Raises CommandError."""
    from certs.errors import CertificateError
    from certs.probe import probe

    shown: dict[str, bytes | None] = {}
    for address in addresses:
        host, colon, port = address.rpartition(":")
        if not colon or not port.isdigit():
            raise CommandError(f"--probe {address}: wanted HOST:PORT", USAGE)
        try:
            shown[address] = probe(host.strip("[]"), int(port), timeout=3.0)
        except CertificateError:
            shown[address] = None
    return shown

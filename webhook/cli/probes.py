"""Probes of servers that are named on the command line."""

from collections.abc import Iterable

import click

from webhook.cli.arguments import Address


def probed(addresses: Iterable[Address]) -> dict[str, bytes | None]:
    """The certificate (PEM) that each server shows, by its address; None for a server that does not answer."""
    from certs.errors import CertificateError
    from certs.probe import probe

    shown: dict[str, bytes | None] = {}
    for address in addresses:
        try:
            shown[str(address)] = probe(address.host, address.port, timeout=3.0)
        except CertificateError as problem:
            click.echo(f"no answer: {problem}", err=True)
            shown[str(address)] = None
    return shown

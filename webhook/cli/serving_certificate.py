"""The certificate that ``stagegate serve`` shows and the client certificates that it asks for, as its options say."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from webhook.cli.arguments import filled, path, secret
from webhook.cli.command import Options, section
from webhook.cli.errors import MISSING, USAGE, CommandError

if TYPE_CHECKING:
    from certs.context import LiveContext
    from certs.served import ServedKeyPair
    from webhook.cluster.supervisor import Supervisor
    from webhook.server.clients import Clients
    from webhook.server.metrics import ServerMetrics

_F = TypeVar("_F", bound=Callable[..., Any])

_tls = section("certificate")
_OPTIONS: Final[tuple[Callable[[Any], Any], ...]] = (
    _tls("--cert-dir", type=path, metavar="DIR", help="Directory with tls.crt and tls.key."),
    _tls("--tls-cert", type=path, metavar="F", help="The certificate, PEM."),
    _tls("--tls-key", type=path, metavar="F", help="Its private key, PEM."),
    _tls(
        "--cert-secret",
        type=secret,
        metavar="NS/NAME",
        help="Secret with tls.crt and tls.key; it may be created later.",
    ),
    _tls(
        "--client-ca", type=path, metavar="F", help="CA of client certificates, PEM; clients without one are refused."
    ),
    _tls(
        "--client-name",
        multiple=True,
        type=filled,
        metavar="NAME",
        help="Common name or DNS name of a client; repeatable; default: any of that CA.",
    ),
    _tls("--tls-min", type=click.Choice(["1.2", "1.3"]), default="1.3", help="Oldest TLS version."),
)


def certificate_options(command: _F) -> _F:
    """Add the options that the functions of this module read."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def key_pair_paths(arguments: Options) -> tuple[Path, Path] | None:
    """The paths of the certificate and the key; None if a Secret is given instead."""
    if arguments.cert_secret:
        if arguments.cert_dir or arguments.tls_cert or arguments.tls_key:
            raise CommandError("--cert-secret, or files, not both", USAGE)
        if arguments.standalone:
            raise CommandError("--cert-secret needs a cluster, so not with --standalone", USAGE)
        return None
    directory: Path | None = arguments.cert_dir
    if directory is not None:
        if arguments.tls_cert or arguments.tls_key:
            raise CommandError("--cert-dir, or --tls-cert and --tls-key, not both", USAGE)
        if directory.exists() and not directory.is_dir():
            raise CommandError(
                f"--cert-dir: {directory}: it is not a directory; for files: --tls-cert F and --tls-key F", MISSING
            )
        if not directory.is_dir():
            raise CommandError(
                f"{directory}: no such directory; make one with: stagegate certs init {directory} --host localhost",
                MISSING,
            )
        return directory / "tls.crt", directory / "tls.key"
    if not (arguments.tls_cert and arguments.tls_key):
        raise CommandError(
            "a certificate is needed: --cert-dir DIR, or --tls-cert F and --tls-key F, or --cert-secret NS/NAME", USAGE
        )
    return arguments.tls_cert, arguments.tls_key


def clients_of(arguments: Options) -> "Clients":
    """Who may send reviews. The file of the client CA is read once here, so that a wrong one is named at the start."""
    from certs.client_authority import ClientAuthority
    from certs.errors import CertificateError
    from webhook.server.clients import Clients

    if arguments.client_ca is None:
        if arguments.client_name:
            raise CommandError("--client-name needs --client-ca", USAGE)
        return Clients()
    try:
        ClientAuthority(arguments.client_ca).read()
    except CertificateError as problem:
        raise CommandError(f"--client-ca: {problem}", MISSING) from problem
    return Clients(is_checked=True, names=frozenset(arguments.client_name))


def live_context(arguments: Options) -> "LiveContext":
    from certs.client_authority import ClientAuthority
    from certs.context import LiveContext

    authority = None if arguments.client_ca is None else ClientAuthority(arguments.client_ca)
    return LiveContext(arguments.tls_min, authority)


def loaded_files(paths: tuple[Path, Path], live: "LiveContext", metrics: "ServerMetrics") -> "ServedKeyPair":
    from certs.errors import CertificateError
    from certs.served import ServedFiles

    files = ServedFiles(*paths, live, lambda: datetime.now(UTC), metrics.read_key_pair)
    try:
        files.load(files.read())
    except CertificateError as problem:
        message = f"{problem}; make a key pair with: stagegate certs init DIR --host NAME"
        raise CommandError(message, MISSING) from problem
    return files


def watched_secret(
    arguments: Options,
    live: "LiveContext",
    client: Any,
    metrics: "ServerMetrics",
    supervisor: "Supervisor",
) -> "ServedKeyPair":
    from certs.served_secret import ServedSecret
    from webhook.cli.certs_cluster import ClusterClient
    from webhook.cluster.clock import SystemClock

    namespace, name = arguments.cert_secret
    clock = SystemClock()
    watch = ClusterClient(client, clock, supervisor).watch_secret
    return ServedSecret(namespace, name, watch, live, clock.now, metrics.read_key_pair)

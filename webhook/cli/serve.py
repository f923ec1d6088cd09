"""``stagegate serve``: answer admission reviews over HTTPS."""

import argparse
import logging
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from webhook.cli.arguments import any_port, count, filled, namespace, path, seconds, secret
from webhook.cli.cluster import connected
from webhook.cli.errors import MISSING, USAGE, CommandError
from webhook.cli.logs import FORMATS, set_up
from webhook.cli.ports import add_pages_options, listener, pages_listener, url
from webhook.cli.stock_knative import add_stock_knative_options
from webhook.listening import LOOPBACK
from webhook.signals import ignore_the_rest

if TYPE_CHECKING:
    from certs.context import LiveContext
    from certs.served import ServedKeyPair
    from webhook.cluster.supervisor import Supervisor
    from webhook.cluster.transport import Transport
    from webhook.server.clients import Clients
    from webhook.server.knative_side import KnativeSide
    from webhook.server.limits import Limits
    from webhook.server.metrics import ServerMetrics

_LOG: Final = logging.getLogger("stagegate.serve")

_READ_SECONDS: Final = 15.0
"""A page of 500 rollouts takes far less. A server that hangs is logged only after this time."""

EXAMPLES: Final = """\
examples:
  stagegate certs init ./certs-dir --host localhost
  stagegate serve --standalone --cert-dir ./certs-dir --port 8443
      no cluster: every rule is checked, nothing is filled in from a RolloutOrchestrator
  stagegate serve --kubeconfig ./kubeconfig --cert-dir ./certs-dir --enforce warn
      with the cluster's RolloutOrchestrators; findings only warn
  stagegate serve --cert-secret stagegate-system/stagegate-certs --host ::
      in a pod, with the account of the pod; the loop maintains that Secret
  stagegate serve --standalone --cert-dir ./certs-dir --pages-port 8080
      and: curl http://localhost:8080/readyz

It prints its URLs once it is ready. On SIGTERM and SIGHUP it answers the calls under way and exits with 0; on SIGINT
and SIGQUIT it ends at once.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options and the examples."""
    parser.epilog = EXAMPLES
    parser.usage = (
        "stagegate serve [--host H] [--port P]\n"
        "                       (--cert-dir DIR | --tls-cert F --tls-key F | --cert-secret NS/NAME)\n"
        "                       [--kubeconfig F | --standalone] [options]"
    )
    listen = parser.add_argument_group("listening")
    listen.add_argument(
        "--host",
        type=filled,
        default=LOOPBACK,
        metavar="H",
        help="address to listen on (%(default)s); :: is every address, IPv6 and IPv4",
    )
    listen.add_argument(
        "--port", type=any_port, default=8443, metavar="P", help="port, 0 for any free one (%(default)s)"
    )
    add_pages_options(listen.add_argument)
    tls = parser.add_argument_group("certificate")
    tls.add_argument("--cert-dir", type=path, metavar="DIR", help="directory with tls.crt and tls.key")
    tls.add_argument("--tls-cert", type=path, metavar="F", help="the certificate, PEM")
    tls.add_argument("--tls-key", type=path, metavar="F", help="its private key, PEM")
    tls.add_argument(
        "--cert-secret", type=secret, metavar="NS/NAME", help="Secret with tls.crt and tls.key; it may be created later"
    )
    tls.add_argument(
        "--client-ca", type=path, metavar="F", help="CA of client certificates, PEM; reviews without one are refused"
    )
    tls.add_argument(
        "--client-name",
        action="append",
        type=filled,
        default=[],
        metavar="NAME",
        help="common name or DNS name of a client; repeatable; default: any of that CA",
    )
    tls.add_argument("--tls-min", choices=("1.2", "1.3"), default="1.3", help="oldest TLS version (%(default)s)")
    cluster = parser.add_argument_group("cluster").add_mutually_exclusive_group()
    cluster.add_argument(
        "--kubeconfig",
        type=filled,
        metavar="F",
        help="default: the pod's account, else $KUBECONFIG, else ~/.kube/config",
    )
    cluster.add_argument(
        "--standalone", action="store_true", help="no cluster: nothing is filled in from RolloutOrchestrators"
    )
    admission = parser.add_argument_group("admission")
    admission.add_argument(
        "--enforce", choices=("deny", "warn"), default="deny", help="warn: findings never deny a write (%(default)s)"
    )
    admission.add_argument(
        "--forbid-override", action="store_true", help="ignore the annotation stagegate.dev/override"
    )
    admission.add_argument(
        "--controller",
        action="append",
        type=filled,
        default=[],
        metavar="NAME",
        help="a user whose writes are never denied; repeatable; replaces Knative's and Stagegate's accounts",
    )
    knative = parser.add_argument_group("stock Knative")
    add_stock_knative_options(knative.add_argument)
    knative.add_argument(
        "--knative-controller",
        type=filled,
        metavar="NAME",
        help="the user that creates Revisions; default: that of an unmodified Knative",
    )
    knative.add_argument(
        "--own-account",
        action="append",
        type=filled,
        default=[],
        metavar="NAME",
        help="a user who may write held Routes; repeatable; replaces the loop's and the webhook's account",
    )
    knative.add_argument(
        "--settings-namespace",
        type=namespace,
        default="knative-serving",
        metavar="NS",
        help="namespace of the ConfigMaps config-rolloutorchestrator and config-autoscaler (%(default)s)",
    )
    bounds = parser.add_argument_group("bounds")
    bounds.add_argument(
        "--max-connections",
        type=count(1, 1_000_000),
        default=1000,
        metavar="N",
        help="open connections at a time (%(default)s)",
    )
    for name, default, summary in (
        ("handshake-timeout", 5.0, "seconds for a TLS handshake"),
        ("header-timeout", 5.0, "seconds for the head of a request"),
        ("body-timeout", 10.0, "seconds for the whole body of a request"),
        ("drain", 2.0, "seconds from SIGTERM to the last new connection"),
    ):
        least = 0 if name == "drain" else 0.1
        bounds.add_argument(
            f"--{name}", type=seconds(least, 600), default=default, metavar="S", help=f"{summary} (%(default)s)"
        )
    logs = parser.add_argument_group("logs, on standard error")
    logs.add_argument("--log-format", choices=FORMATS, default="auto", help="auto: text on a terminal")
    logs.add_argument("--log-level", choices=("debug", "info", "warning"), default="info", help="(%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal ends it. The server is imported only here, so that --help is quick."""
    ignore_the_rest()
    paths = _key_pair_paths(arguments)
    clients = _clients(arguments)
    limits = _limits(arguments)

    from webhook.cluster.supervisor import Supervisor
    from webhook.server.application import Application
    from webhook.server.metrics import ServerMetrics
    from webhook.server.service import Service

    metrics = ServerMetrics()
    supervisor = Supervisor(count=metrics.faulted)
    transport = None if arguments.standalone else _transport(arguments.kubeconfig)
    client = None if transport is None else _client(transport)
    live = _live_context(arguments)
    key_pair = _load(paths, live, metrics) if paths else _watched(arguments, live, client, metrics, supervisor)
    informers = None if client is None else _informers(client, metrics, supervisor)
    knative = None
    if transport is not None and arguments.stock_knative == "on":
        knative = _knative(arguments, client, transport, metrics, supervisor)
    listening = listener("--port", arguments.host, arguments.port)
    pages = pages_listener(arguments)
    urls = [url("https", arguments.host, listening)]
    if pages is not None:
        urls.append(url("http", arguments.pages_host, pages))
    service = Service(
        _admission_settings(arguments),
        limits,
        key_pair,
        metrics,
        informers,
        pages,
        on_ready=lambda: _announce(", pages ".join(urls)),
        supervisor=supervisor,
        clients=clients,
        knative=knative,
    )
    set_up(arguments.log_format, arguments.log_level)
    Application(service, listening).run()
    return 0


def _announce(url: str) -> None:
    """Print the URLs. The server goes on if standard output cannot be written."""
    try:
        print(f"serving {url}", flush=True)
    except CommandError as problem:
        _LOG.warning("serving %s; %s", url, problem)


def _limits(arguments: argparse.Namespace) -> "Limits":
    from webhook.server.limits import Limits

    return Limits(
        connections=_most_connections(arguments.max_connections),
        handshake_seconds=arguments.handshake_timeout,
        header_seconds=arguments.header_timeout,
        body_seconds=arguments.body_timeout,
        drain_seconds=arguments.drain,
    )


def _key_pair_paths(arguments: argparse.Namespace) -> tuple[Path, Path] | None:
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


def _clients(arguments: argparse.Namespace) -> "Clients":
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


def _live_context(arguments: argparse.Namespace) -> "LiveContext":
    from certs.client_authority import ClientAuthority
    from certs.context import LiveContext

    authority = None if arguments.client_ca is None else ClientAuthority(arguments.client_ca)
    return LiveContext(arguments.tls_min, authority)


def _load(paths: tuple[Path, Path], live: "LiveContext", metrics: "ServerMetrics") -> "ServedKeyPair":
    from certs.errors import CertificateError
    from certs.served import ServedFiles

    files = ServedFiles(*paths, live, lambda: datetime.now(UTC), metrics.read_key_pair)
    try:
        files.load(files.read())
    except CertificateError as problem:
        message = f"{problem}; make a key pair with: stagegate certs init DIR --host NAME"
        raise CommandError(message, MISSING) from problem
    return files


def _watched(
    arguments: argparse.Namespace,
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


def _transport(kubeconfig: str | None) -> "Transport":
    otherwise = "; --standalone needs no cluster"
    return connected(kubeconfig, user_agent="stagegate-serve", pool_size=16, otherwise=otherwise)


def _client(transport: "Transport", seconds: float = _READ_SECONDS) -> Any:
    """A client whose requests take at most so many seconds."""
    from webhook.cluster.client import Client

    return Client(transport, field_manager="stagegate-serve", read_timeout=seconds, write_timeout=seconds)


def _knative(
    arguments: argparse.Namespace,
    client: Any,
    transport: "Transport",
    metrics: "ServerMetrics",
    supervisor: "Supervisor",
) -> "KnativeSide":
    from webhook.admission.knative_objects import OWN_ACCOUNTS, KnativeSettings
    from webhook.admission.settings import KNATIVE_CONTROLLER
    from webhook.cluster.clock import SystemClock
    from webhook.server.knative_side import KnativeSide

    settings = KnativeSettings(
        controller=arguments.knative_controller or KNATIVE_CONTROLLER,
        own_accounts=frozenset(arguments.own_account) or OWN_ACCOUNTS,
        by_default=arguments.progressive,
    )
    return KnativeSide(
        settings,
        client,
        partial(_client, transport),
        SystemClock(),
        metrics,
        supervisor,
        arguments.settings_namespace,
    )


def _informers(client: Any, metrics: "ServerMetrics", supervisor: "Supervisor") -> Any:
    from webhook.cluster.clock import SystemClock
    from webhook.server.informers import RolloutInformers

    return RolloutInformers(client, SystemClock(), metrics, supervisor)


def _admission_settings(arguments: argparse.Namespace) -> Any:
    from webhook.admission import DEFAULT_CONTROLLERS, Settings

    return Settings(
        enforce=arguments.enforce,
        allow_override=not arguments.forbid_override,
        controllers=frozenset(arguments.controller) or DEFAULT_CONTROLLERS,
    )


def _most_connections(wanted: int) -> int:
    """The wanted number, limited by the number of files that the process may open."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + 128
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(wanted, soft - 128))

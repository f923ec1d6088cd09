"""``stagegate serve``: answer admission reviews over HTTPS."""

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from webhook.cli.arguments import any_port, count, filled, namespace, seconds
from webhook.cli.cluster import connected
from webhook.cli.command import Command, Options, section
from webhook.cli.errors import CommandError
from webhook.cli.logs import log_options, set_up
from webhook.cli.ports import listener, pages_listener, pages_options, url
from webhook.cli.serving_certificate import (
    certificate_options,
    clients_of,
    key_pair_paths,
    live_context,
    loaded_files,
    watched_secret,
)
from webhook.cli.stock_knative import stock_knative_options
from webhook.listening import LOOPBACK
from webhook.signals import ignore_the_rest

if TYPE_CHECKING:
    from webhook.cluster.supervisor import Supervisor
    from webhook.cluster.transport import Transport
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


_listen = section("listening")
_cluster = section("cluster")
_admission = section("admission")
_knative_option = section("stock Knative")
_bounds = section("bounds")


@click.command(
    "serve",
    cls=Command,
    epilog=EXAMPLES,
    options_metavar="(--cert-dir DIR | --tls-cert F --tls-key F | --cert-secret NS/NAME) [--standalone] [OPTIONS]",
)
@_listen(
    "--host",
    type=filled,
    default=LOOPBACK,
    metavar="H",
    help="Address to listen on; :: is every address, IPv6 and IPv4.",
)
@_listen("--port", type=any_port, default="8443", metavar="P", help="Port, 0 for any free one.")
@pages_options(_listen)
@certificate_options
@_cluster(
    "--kubeconfig", type=filled, metavar="F", help="Default: the pod's account, else $KUBECONFIG, else ~/.kube/config."
)
@_cluster("--standalone", is_flag=True, help="No cluster: nothing is filled in from RolloutOrchestrators.")
@_admission("--enforce", type=click.Choice(["deny", "warn"]), default="deny", help="warn: findings never deny a write.")
@_admission(
    "--on-error",
    type=click.Choice(["refuse", "allow"]),
    default="refuse",
    help="What becomes of a write that the webhook fails on. Held Routes are refused anyway.",
)
@_admission("--forbid-override", is_flag=True, help="Ignore the annotation stagegate.dev/override.")
@_admission(
    "--controller",
    multiple=True,
    type=filled,
    metavar="NAME",
    help="A user whose writes are never denied; repeatable; replaces Knative's and Stagegate's accounts.",
)
@stock_knative_options(_knative_option)
@_knative_option(
    "--knative-controller",
    type=filled,
    metavar="NAME",
    help="The user that creates Revisions; default: that of an unmodified Knative.",
)
@_knative_option(
    "--own-account",
    multiple=True,
    type=filled,
    metavar="NAME",
    help="A user who may write held Routes; repeatable; replaces the loop's and the webhook's account.",
)
@_knative_option(
    "--settings-namespace",
    type=namespace,
    default="knative-serving",
    metavar="NS",
    help="Namespace of the ConfigMaps config-rolloutorchestrator and config-autoscaler.",
)
@_bounds("--max-connections", type=count(1, 1_000_000), default="500", metavar="N", help="Open connections at a time.")
@_bounds("--handshake-timeout", type=seconds(0.1, 600), default="5", metavar="S", help="Seconds for a TLS handshake.")
@_bounds(
    "--header-timeout", type=seconds(0.1, 600), default="5", metavar="S", help="Seconds for the head of a request."
)
@_bounds("--body-timeout", type=seconds(0.1, 600), default="10", metavar="S", help="Seconds for the whole body.")
@_bounds(
    "--drain", type=seconds(0, 600), default="2", metavar="S", help="Seconds from SIGTERM to the last new connection."
)
@log_options(section("logs, on standard error"))
def command(**given: Any) -> int:
    if given["kubeconfig"] and given["standalone"]:
        raise click.UsageError("--kubeconfig or --standalone, not both", click.get_current_context())
    return run(Options(**given))


def run(arguments: Options) -> int:
    """Serve until a signal ends it. The server is imported only here, so that --help is quick."""
    ignore_the_rest()
    paths = key_pair_paths(arguments)
    clients = clients_of(arguments)
    limits = _limits(arguments)

    from webhook.cluster.supervisor import Supervisor
    from webhook.server.application import Application
    from webhook.server.metrics import ServerMetrics
    from webhook.server.service import Service

    metrics = ServerMetrics()
    supervisor = Supervisor(count=metrics.faulted)
    supervisor.report_uncaught()
    transport = None if arguments.standalone else _transport(arguments.kubeconfig)
    client = None if transport is None else _client(transport)
    live = live_context(arguments)
    key_pair = (
        loaded_files(paths, live, metrics) if paths else watched_secret(arguments, live, client, metrics, supervisor)
    )
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


def _limits(arguments: Options) -> "Limits":
    from webhook.server.limits import Limits

    return Limits(
        connections=_most_connections(arguments.max_connections),
        handshake_seconds=arguments.handshake_timeout,
        header_seconds=arguments.header_timeout,
        body_seconds=arguments.body_timeout,
        drain_seconds=arguments.drain,
    )


def _transport(kubeconfig: str | None) -> "Transport":
    otherwise = "; --standalone needs no cluster"
    return connected(kubeconfig, user_agent="stagegate-serve", pool_size=16, otherwise=otherwise)


def _client(transport: "Transport", seconds: float = _READ_SECONDS) -> Any:
    """A client whose requests take at most so many seconds."""
    from webhook.cluster.client import Client

    return Client(transport, field_manager="stagegate-serve", read_timeout=seconds, write_timeout=seconds)


def _knative(
    arguments: Options,
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


def _admission_settings(arguments: Options) -> Any:
    from webhook.admission import DEFAULT_CONTROLLERS, Settings

    return Settings(
        enforce=arguments.enforce,
        on_error=arguments.on_error,
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

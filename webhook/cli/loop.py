"""``stagegate loop``: carry rollouts through their stages."""

import argparse
import gc
import logging
import os
from collections.abc import Callable
from importlib import metadata
from typing import TYPE_CHECKING, Final

from webhook.cli.arguments import (
    count,
    filled,
    lease_namespace,
    namespace,
    namespaces,
    object_name,
    port,
    seconds,
    secret,
    selector,
)
from webhook.cli.cluster import connected
from webhook.cli.errors import MISSING, CommandError
from webhook.cli.logs import FORMATS, set_up
from webhook.cli.ports import add_pages_options, pages_listener, url
from webhook.cli.stock_knative import add_stock_knative_options
from webhook.signals import end_on_signal, ignore_the_rest

if TYPE_CHECKING:
    from certs.controller import CertificateController
    from webhook.loop.process import LoopProcess, ProcessOptions
    from webhook.server.pages import PagesServer

_LOG: Final = logging.getLogger(__name__)

_DAY: Final = 86400
_WEEK: Final = 7 * _DAY

EXAMPLES: Final = """\
examples:
  stagegate loop
      in a pod, with the account of the pod; else with $KUBECONFIG or ~/.kube/config
  stagegate loop --kubeconfig ./kubeconfig --no-leader-elect
      on this machine, alone
  stagegate loop --namespaces team-a,team-b
      two namespaces only
  stagegate loop --steps=off
      beside upstream's own controllers: completes StagePodAutoscalers, and nothing else
  stagegate loop --cert-secret stagegate-system/stagegate-certs
      manages the webhook's certificates too: creation, renewal, rotation, recovery
  stagegate loop --pages-host :: --pages-port 8080 --log-format json
      in a pod: probes read /healthz and /readyz, scrapers /metrics

SIGTERM, SIGINT, SIGQUIT and SIGHUP end it in order: it finishes what is under way, then releases the lease.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options and the examples."""
    parser.epilog = EXAMPLES
    cluster = parser.add_argument_group("cluster")
    cluster.add_argument(
        "--kubeconfig",
        type=filled,
        metavar="F",
        help="default: the account of the pod, else $KUBECONFIG, else ~/.kube/config",
    )
    cluster.add_argument(
        "--context", type=filled, metavar="NAME", help="context of the kubeconfig; default: its current one"
    )
    cluster.add_argument(
        "--namespaces", type=namespaces, default=(), metavar="A,B", help="watch only these; default: all"
    )
    work = parser.add_argument_group("work")
    work.add_argument("--steps", choices=("on", "off"), default="on", help="off: only complete SPAs (%(default)s)")
    work.add_argument(
        "--force-delete",
        choices=("on", "off"),
        default="on",
        help="off: never delete a pod that hangs in termination (%(default)s)",
    )
    work.add_argument(
        "--concurrency", type=count(1, 256), default=16, metavar="N", help="rollouts reconciled at a time (%(default)s)"
    )
    work.add_argument(
        "--resync",
        type=seconds(0, _WEEK),
        default=600.0,
        metavar="S",
        help="seconds after which all are reconciled again, 0: never (600); at most a week",
    )
    work.add_argument(
        "--spa-grace",
        type=seconds(0, _DAY),
        default=300.0,
        metavar="S",
        help="seconds for which a StagePodAutoscaler without a Revision is kept (300)",
    )
    work.add_argument(
        "--settings-namespace",
        type=namespace,
        default="knative-serving",
        metavar="NS",
        help="namespace of the ConfigMap config-rolloutorchestrator (%(default)s)",
    )
    add_stock_knative_options(parser.add_argument_group("rollouts of Services on stock Knative").add_argument)
    lead = parser.add_argument_group("leader election")
    lead.add_argument("--no-leader-elect", action="store_true", help="work without a lease; for a single process")
    lead.add_argument(
        "--lease-namespace",
        type=namespace,
        default=lease_namespace(),
        metavar="NS",
        help="namespace of the lease stagegate-loop; default: $POD_NAMESPACE, else stagegate-system",
    )
    lead.add_argument(
        "--lease-duration",
        type=seconds(3, 600),
        default=15.0,
        metavar="S",
        help="seconds without a renewal after which another process takes over (15); at least 3",
    )
    certificates = parser.add_argument_group("the webhook's certificates, which the leader manages")
    certificates.add_argument(
        "--cert-secret",
        type=secret,
        metavar="NS/NAME",
        help="Secret to keep them in; default: they are not managed",
    )
    certificates.add_argument(
        "--webhook-configuration",
        action="append",
        type=object_name,
        default=[],
        metavar="NAME",
        help="webhook configuration whose caBundle is set; repeatable (those of the manifests)",
    )
    certificates.add_argument(
        "--webhook-pods",
        type=selector,
        default="app.kubernetes.io/name=stagegate-webhook",
        metavar="SELECTOR",
        help="selector of the pods that serve, in the Secret's namespace (%(default)s)",
    )
    certificates.add_argument(
        "--webhook-port", type=port, default=8443, metavar="P", help="the port they serve on (%(default)s)"
    )
    certificates.add_argument(
        "--ca-settle",
        type=seconds(0, _DAY),
        default=30.0,
        metavar="S",
        help="seconds that API servers may take to read a new caBundle (30); at most a day",
    )
    output = parser.add_argument_group("pages and logs")
    add_pages_options(output.add_argument)
    output.add_argument("--log-format", choices=FORMATS, default="auto", help="auto: text on a terminal")
    output.add_argument("--log-level", choices=("debug", "info", "warning"), default="info", help="(%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Run until a signal ends it. The client is imported only here, so that --help is quick."""
    from webhook.cluster.clock import SystemClock
    from webhook.cluster.errors import ApiError, Forbidden, NoCredentials, Unauthorized
    from webhook.loop.process import LoopProcess

    ignore_the_rest()
    options = options_from(arguments)
    transport = connected(
        arguments.kubeconfig,
        arguments.context,
        user_agent=f"stagegate/{metadata.version('stagegate')} (loop)",
        pool_size=16 + arguments.concurrency + 9 * max(1, len(arguments.namespaces)),
    )
    set_up(arguments.log_format, arguments.log_level)
    process = LoopProcess(transport, SystemClock(), options, settled=spared_collector())
    process.pages = _pages(process, arguments)
    if arguments.cert_secret:
        process.runnables.append(_controller(process, arguments))
    end_on_signal(process.stop)
    try:
        process.run()
    except Forbidden as problem:
        raise CommandError(f"forbidden: {problem}; bind the loop's roles to this account", MISSING) from problem
    except Unauthorized as problem:
        raise CommandError(f"the credentials are not accepted: {problem}", MISSING) from problem
    except NoCredentials as problem:
        raise CommandError(f"there are no credentials: {problem}", MISSING) from problem
    except ApiError as problem:
        raise CommandError(f"the API server cannot be reached: {problem}", MISSING) from problem
    return 0


def spared_collector() -> Callable[[], None]:
    """Return a function that keeps what the caches hold out of garbage collection; call it when they are full.

    These objects live long and have no cycles, and collecting over them stops every thread for 0.1 s or more.
    """
    usual = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)

    def settled() -> None:
        gc.freeze()
        gc.set_threshold(*usual)

    return settled


def _pages(process: "LoopProcess", arguments: argparse.Namespace) -> "PagesServer | None":
    listening = pages_listener(arguments)
    if listening is None:
        return None
    from webhook.server.pages import PagesServer, make_app

    app = make_app(
        "The companion loop, which carries rollouts through their stages.",
        process.health,
        lambda now: process.readiness(),
        process.metrics.registry,
        supervisor=process.supervisor,
    )
    _LOG.info("pages at %s/metrics", url("http", arguments.pages_host, listening))
    return PagesServer(app, listening, process.supervisor)


def _controller(process: "LoopProcess", arguments: argparse.Namespace) -> "CertificateController":
    from datetime import timedelta

    from certs.ca_injection import CONFIGURATIONS, FIELD_MANAGER
    from certs.controller import ControllerOptions, make_controller
    from certs.metrics import CertificateMetrics
    from certs.rotation import RotationPolicy
    from webhook.cli.certs_cluster import ClusterClient
    from webhook.cluster.clock import SystemClock

    namespace, name = arguments.cert_secret
    policy = RotationPolicy(settle=timedelta(seconds=arguments.ca_settle))
    clock = SystemClock()
    return make_controller(
        ClusterClient(process.fenced_client(FIELD_MANAGER), clock, process.supervisor),
        clock,
        name,
        arguments.webhook_configuration or CONFIGURATIONS,
        ControllerOptions(namespace, arguments.webhook_pods, arguments.webhook_port, policy),
        process.supervisor,
        process.is_leader,
        CertificateMetrics(process.metrics.registry).show,
    )


def options_from(arguments: argparse.Namespace) -> "ProcessOptions":
    """The options of the process, from the command line."""
    from webhook.cluster.lease import LeaseTimes
    from webhook.knative.service_seen import ServiceOptions
    from webhook.loop.loop import LoopOptions
    from webhook.loop.process import ProcessOptions

    return ProcessOptions(
        loop=LoopOptions(
            namespaces=arguments.namespaces,
            concurrency=arguments.concurrency,
            resync=arguments.resync,
            steps=arguments.steps == "on",
            force_delete=arguments.force_delete == "on",
            settings_namespace=arguments.settings_namespace,
            spa_grace=arguments.spa_grace,
            stock_knative=arguments.stock_knative == "on",
            services=ServiceOptions(default_opt_in=arguments.progressive),
        ),
        leader_elect=not arguments.no_leader_elect,
        lease_namespace=arguments.lease_namespace,
        lease_times=LeaseTimes.of(arguments.lease_duration),
        patient="KUBERNETES_SERVICE_HOST" in os.environ and not (arguments.kubeconfig or arguments.context),
    )

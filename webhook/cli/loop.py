"""``stagegate loop``: carry rollouts through their stages."""

import gc
import logging
import os
from collections.abc import Callable
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import click

from webhook.api.lease import LONGEST_DURATION
from webhook.cli.arguments import (
    count,
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
from webhook.cli.cluster_options import connection_options
from webhook.cli.command import Command, Options, section
from webhook.cli.errors import MISSING, CommandError
from webhook.cli.logs import log_options, set_up
from webhook.cli.ports import pages_listener, pages_options, url
from webhook.cli.stock_knative import stock_knative_options
from webhook.signals import end_on_signal, ignore_the_rest

if TYPE_CHECKING:
    from certs.controller import CertificateController
    from webhook.loop.process import LoopProcess, ProcessOptions
    from webhook.pages_server import PagesServer

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


_cluster = section("cluster")
_work = section("work")
_lead = section("leader election")
_certificates = section("the webhook's certificates, which the leader manages")
_SWITCH: Final = click.Choice(["on", "off"])


@click.command("loop", cls=Command, epilog=EXAMPLES)
@connection_options(_cluster)
@_cluster("--namespaces", type=namespaces, metavar="A,B", help="Watch only these; default: all.")
@_work("--steps", type=_SWITCH, default="on", help="off: only complete SPAs.")
@_work("--force-delete", type=_SWITCH, default="on", help="off: never delete a pod that hangs in termination.")
@_work("--concurrency", type=count(1, 256), default="16", metavar="N", help="Rollouts reconciled at a time.")
@_work(
    "--resync",
    type=seconds(0, _WEEK),
    default="600",
    metavar="S",
    help="Seconds after which all are reconciled again, 0: never; at most a week.",
)
@_work(
    "--spa-grace",
    type=seconds(0, _DAY),
    default="300",
    metavar="S",
    help="Seconds for which a StagePodAutoscaler without a Revision is kept.",
)
@_work(
    "--settings-namespace",
    type=namespace,
    default="knative-serving",
    metavar="NS",
    help="Namespace of the ConfigMap config-rolloutorchestrator.",
)
@stock_knative_options(section("rollouts of Services on stock Knative"))
@_lead("--no-leader-elect", is_flag=True, help="Work without a lease; for a single process.")
@_lead(
    "--lease-namespace",
    type=namespace,
    default=lease_namespace,
    show_default=False,
    metavar="NS",
    help="Namespace of the lease stagegate-loop; default: $POD_NAMESPACE, else stagegate-system.",
)
@_lead(
    "--lease-duration",
    type=seconds(3, LONGEST_DURATION),
    default="15",
    metavar="S",
    help="Seconds without a renewal after which another process takes over; at least 3.",
)
@_certificates(
    "--cert-secret", type=secret, metavar="NS/NAME", help="Secret to keep them in; default: they are not managed."
)
@_certificates(
    "--webhook-configuration",
    multiple=True,
    type=object_name,
    metavar="NAME",
    help="Webhook configuration whose caBundle is set; repeatable; default: those of the manifests.",
)
@_certificates(
    "--webhook-pods",
    type=selector,
    default="app.kubernetes.io/name=stagegate-webhook",
    metavar="SELECTOR",
    help="Selector of the pods that serve, in the Secret's namespace.",
)
@_certificates("--webhook-port", type=port, default="8443", metavar="P", help="The port they serve on.")
@_certificates(
    "--ca-settle",
    type=seconds(0, _DAY),
    default="30",
    metavar="S",
    help="Seconds that API servers may take to read a new caBundle; at most a day.",
)
@pages_options(section("pages and logs"))
@log_options(section("pages and logs"))
def command(**given: Any) -> int:
    return run(Options(**given))


def run(arguments: Options) -> int:
    """Run until a signal ends it. The client is imported only here, so that --help is quick."""
    from webhook.cluster.clock import SystemClock
    from webhook.cluster.errors import ApiError, Forbidden, NoCredentials, Unauthorized, Unreachable
    from webhook.loop.process import LoopProcess

    ignore_the_rest()
    options = options_from(arguments)
    transport = connected(
        arguments.kubeconfig,
        arguments.context,
        user_agent=f"stagegate/{metadata.version('stagegate')} (loop)",
        pool_size=16 + arguments.concurrency + 9 * max(1, len(arguments.namespaces or ())),
    )
    set_up(arguments.log_format, arguments.log_level)
    process = LoopProcess(transport, SystemClock(), options, settled=spared_collector())
    process.supervisor.report_uncaught()
    process.pages = _pages(process, arguments)
    if arguments.cert_secret:
        process.runnables.append(_controller(process, arguments))
    end_on_signal(process.stop, process.supervisor.fault)
    try:
        process.run()
    except Forbidden as problem:
        raise CommandError(f"forbidden: {problem}; bind the loop's roles to this account", MISSING) from problem
    except Unauthorized as problem:
        raise CommandError(f"the credentials are not accepted: {problem}", MISSING) from problem
    except NoCredentials as problem:
        raise CommandError(f"there are no credentials: {problem}", MISSING) from problem
    except Unreachable as problem:
        raise CommandError(f"the API server cannot be reached: {problem}", MISSING) from problem
    except ApiError as problem:
        raise CommandError(f"the API server gives no answer that the loop can use: {problem}", MISSING) from problem
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


def _pages(process: "LoopProcess", arguments: Options) -> "PagesServer | None":
    listening = pages_listener(arguments)
    if listening is None:
        return None
    from webhook.pages_server import PagesServer
    from webhook.server.pages import make_app

    app = make_app(
        "The companion loop, which carries rollouts through their stages.",
        process.health,
        lambda now: process.readiness(),
        process.metrics.registry,
        supervisor=process.supervisor,
    )
    _LOG.info("pages at %s/metrics", url("http", arguments.pages_host, listening))
    return PagesServer(app, listening, process.supervisor)


def _controller(process: "LoopProcess", arguments: Options) -> "CertificateController":
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


def options_from(arguments: Options) -> "ProcessOptions":
    """The options of the process, from the command line."""
    from webhook.cluster.lease import LeaseTimes
    from webhook.knative.service_seen import ServiceOptions
    from webhook.loop.loop_options import LoopOptions
    from webhook.loop.process import ProcessOptions

    return ProcessOptions(
        loop=LoopOptions(
            namespaces=arguments.namespaces or (),
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

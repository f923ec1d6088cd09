"""``stagegate web``: rollouts in a browser; read-only."""

import threading
import time
from datetime import UTC, datetime
from typing import Final

import click

from webhook.cli.arguments import any_port, count, filled, namespace
from webhook.cli.cluster_options import ClusterOptions, connection_options
from webhook.cli.command import Command, section
from webhook.cli.logs import log_options, set_up
from webhook.cli.ports import listener, url
from webhook.listening import LOOPBACK
from webhook.signals import end_on_signal, wait_for

_POOL: Final = 24
_OTHER_THREADS: Final = 8
"""Threads for pages, beside those of streams: open streams never hold up a probe."""
_OTHER_CONNECTIONS: Final = 200

_cluster = section("cluster")

EXAMPLES: Final = """\
examples:
  stagegate web
      all rollouts that your kubeconfig may read, at http://127.0.0.1:8090
  stagegate web -n team-a
      one namespace
  stagegate web --host :: --log-format json
      in a pod, with the account of the pod; see the component web of the manifests

The page changes nothing; what steers a rollout is the command line. Everybody who reaches it sees what its account may
read, so it listens on loopback by default. It needs no script; with one, pages follow the cluster.
"""


@click.command("web", cls=Command, epilog=EXAMPLES)
@click.option("--host", type=filled, default=LOOPBACK, metavar="H", help="Address; :: is every one, IPv6 and IPv4.")
@click.option("--port", type=any_port, default="8090", metavar="P", help="0 for any free one.")
@click.option("--streams", type=count(1, 200), default="24", metavar="N", help="Live pages at a time.")
@_cluster("-n", "--namespace", type=namespace, metavar="NS", help="Show this one; default: every namespace.")
@connection_options(_cluster)
@log_options(section("log"))
def command(*, host: str, port: int, streams: int, log_format: str, log_level: str, **cluster: str | None) -> int:
    """Show rollouts in a browser, of one namespace or of all; nothing is ever written."""
    from webhook.cluster.supervisor import Supervisor
    from webhook.diagnosis.live_world import LiveWorld
    from webhook.pages_server import PageLimits, PagesServer
    from webhook.web.metrics import WebMetrics
    from webhook.web.pages import PageOptions, loopback_hosts, make_app

    set_up(log_format, log_level)
    client = ClusterOptions(cluster["kubeconfig"], cluster["context"]).client_as("stagegate-web", pool_size=_POOL)
    listening = listener("--port", host, port)
    print(f"serving {url('http', host, listening)}", flush=True)
    ended, metrics = threading.Event(), WebMetrics()
    supervisor = Supervisor(count=metrics.faulted)
    supervisor.report_uncaught()
    source = LiveWorld(client, cluster["namespace"], lambda: datetime.now(UTC), supervisor=supervisor)
    options = PageOptions(
        monotonic=time.monotonic,
        hosts=loopback_hosts(host),
        streams=streams,
        records=True,
        ended=ended,
        supervisor=supervisor,
        registry=metrics.registry,
    )
    # A stream takes a thread as long as it lasts.
    limits = PageLimits(threads=streams + _OTHER_THREADS, connections=streams + _OTHER_CONNECTIONS)
    server = PagesServer(make_app(source, options), listening, supervisor, limits)
    end_on_signal(ended.set, supervisor.fault)
    source.begin()
    server.start()
    wait_for(ended)
    source.stop()
    server.stop()
    return 0

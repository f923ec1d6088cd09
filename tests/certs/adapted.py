"""A client of ours as the cluster that ``certs`` needs."""

from webhook.cli.certs_cluster import ClusterClient
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock, SystemClock
from webhook.cluster.supervisor import Supervisor


def adapted(client: Client, clock: Clock | None = None) -> ClusterClient:
    return ClusterClient(client, clock or SystemClock(), Supervisor())

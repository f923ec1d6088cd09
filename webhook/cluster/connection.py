"""Finding the API server: a kubeconfig and a context, or the account of the pod."""

import os
import ssl
from pathlib import Path
from typing import Any

import yaml
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import create_urllib3_context
from urllib3.util.ssl_ import resolve_cert_reqs

from webhook.cluster.transport import KubernetesTransport, before_sending


class NoCluster(Exception):
    """There is no way to a cluster from here; one line that says what to do."""


def connect(
    kubeconfig: str | None = None, context: str | None = None, *, user_agent: str, pool_size: int = 32
) -> KubernetesTransport:
    """A transport to the cluster of a kubeconfig, or of the pod's own account when none is named.

    Nothing is sent yet. ``pool_size`` is the number of connections kept open. Raises NoCluster.
    """
    from kubernetes import client, config

    configuration = client.Configuration()
    try:
        if kubeconfig or context:
            _read_kubeconfig(config, configuration, kubeconfig, context)
        else:
            _read_surroundings(config, configuration)
    except config.ConfigException as problem:
        raise NoCluster(_one_line(problem)) from problem
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as problem:
        # The client's loader takes the form of a kubeconfig for granted.
        where = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
        raise NoCluster(f"kubeconfig {where}: not a kubeconfig: {_one_line(problem)}") from problem
    configuration.connection_pool_maxsize = pool_size
    # Each request is sent once: a fence and a precondition hold for one attempt, not for a silent second one.
    configuration.retries = False
    api_client = client.ApiClient(configuration)
    api_client.user_agent = user_agent
    api_client.rest_client.pool_manager.pool_classes_by_scheme = {"http": HTTPConnectionPool, "https": _Pool}
    return KubernetesTransport(api_client)


def _read_kubeconfig(config: Any, configuration: Any, kubeconfig: str | None, context: str | None) -> None:
    if kubeconfig and not Path(kubeconfig).is_file():
        raise NoCluster(f"kubeconfig {kubeconfig}: no such file")
    config.load_kube_config(kubeconfig, context=context, client_configuration=configuration, persist_config=False)


def _read_surroundings(config: Any, configuration: Any) -> None:
    try:
        config.load_incluster_config(configuration)
    except config.ConfigException:
        try:
            config.load_kube_config(client_configuration=configuration, persist_config=False)
        except config.ConfigException as problem:
            raise NoCluster(
                "no cluster: this is not a pod, and there is no kubeconfig at $KUBECONFIG or ~/.kube/config; "
                "name one with --kubeconfig"
            ) from problem


class _Connection(HTTPSConnection):
    """Verifies as kubectl does: the authorities of EKS and others lack key identifiers that Python 3.13 asks for.

    Each connection has a context of its own. The library loads authorities and key into it when it connects, and a
    context that is loaded in one thread while another shakes hands with it ends the process.
    """

    def request(self, *args: Any, **kwargs: Any) -> None:
        before_sending()
        super().request(*args, **kwargs)

    def connect(self) -> None:
        self.ssl_context = create_urllib3_context(cert_reqs=resolve_cert_reqs(self.cert_reqs))
        self.ssl_context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not (self.ca_certs or self.ca_cert_dir or self.ca_cert_data):
            self.ssl_context.load_default_certs()
        super().connect()


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


def _one_line(problem: Exception) -> str:
    return " ".join(str(problem).split())

"""Finding the API server: a kubeconfig and a context, or the account of the pod."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from webhook.cluster.account import pod_credentials, user_credentials
from webhook.cluster.clock import SystemClock
from webhook.cluster.credentials import Credentials, CredentialsFailed
from webhook.cluster.kubeconfig import BadKubeconfig, files, load
from webhook.cluster.pool import Trust, pool_classes, prove_authority
from webhook.cluster.proxy import BadProxy, proxy_for
from webhook.cluster.transport import KubernetesTransport


class NoCluster(Exception):
    """There is no way to a cluster from here; one line that says what to do."""


@dataclass(frozen=True, slots=True)
class _Way:
    """What leads to an API server. ``proxy_url`` is that of the kubeconfig, ``headers`` are sent with each request."""

    server: str
    trust: Trust
    credentials: Credentials
    proxy_url: str = ""
    headers: Sequence[tuple[str, str]] = ()


def connect(
    kubeconfig: str | None = None, context: str | None = None, *, user_agent: str, pool_size: int = 32
) -> KubernetesTransport:
    """A transport to the cluster of a kubeconfig, or of the pod's own account when none is named.

    Nothing is sent yet, but credentials are asked for: a plugin that fails stops a command at once. ``pool_size`` is
    the number of connections kept open. Raises NoCluster.
    """
    from kubernetes import client

    try:
        way = None if kubeconfig or context else _of_pod()
        if way is None:
            way = _of_kubeconfig(kubeconfig, context)
        way.credentials.current()
        proxy = proxy_for(way.server, way.proxy_url, os.environ)
    except (BadKubeconfig, BadProxy, CredentialsFailed) as problem:
        raise NoCluster(str(problem)) from problem
    configuration = client.Configuration(host=way.server)
    configuration.verify_ssl = not way.trust.is_insecure
    configuration.tls_server_name = way.trust.server_name or None
    # The official client would take ALL_PROXY too, come between us and loopback, and apply NO_PROXY to a proxy-url.
    configuration.proxy = None if proxy is None else proxy.url
    configuration.no_proxy = ""
    if proxy is not None and proxy.authorization:
        configuration.proxy_headers = {"Proxy-Authorization": proxy.authorization}
    configuration.connection_pool_maxsize = pool_size
    # Each request is sent once: a fence and a precondition hold for one attempt, not for a silent second one.
    configuration.retries = False
    api_client = client.ApiClient(configuration)
    api_client.user_agent = user_agent
    api_client.rest_client.pool_manager.pool_classes_by_scheme = pool_classes(
        way.trust, lambda: way.credentials.certificate
    )
    return KubernetesTransport(api_client, way.credentials, way.headers, "" if proxy is None else str(proxy))


def _of_pod() -> _Way | None:
    """That of the pod's service account; None where this is not a pod."""
    from kubernetes import client, config

    configuration: Any = client.Configuration()
    load_pod: Any = config.load_incluster_config
    try:
        load_pod(configuration)
    except config.ConfigException:
        return None
    except OSError as problem:
        raise NoCluster(f"the service account of the pod: {problem}") from problem
    trust = _proven(Trust(Path(configuration.ssl_ca_cert)), "the service account of the pod: ca.crt")
    return _Way(configuration.host, trust, pod_credentials(configuration, SystemClock()))


def _of_kubeconfig(kubeconfig: str | None, context: str | None) -> _Way:
    paths = files(kubeconfig, os.environ)
    if not paths:
        raise NoCluster(
            "no cluster: this is not a pod, and there is no kubeconfig at $KUBECONFIG or ~/.kube/config; "
            "name one with --kubeconfig"
        )
    read = partial(load, paths, context)
    chosen = read()
    trust = Trust(chosen.cluster.authority, chosen.cluster.is_insecure, chosen.cluster.tls_server_name)
    return _Way(
        chosen.cluster.server,
        _proven(trust, f"context {chosen.name}: certificate-authority"),
        user_credentials(chosen, read, SystemClock()),
        chosen.cluster.proxy_url,
        () if chosen.user.impersonation is None else chosen.user.impersonation.headers(),
    )


def _proven(trust: Trust, where: str) -> Trust:
    if trust.authority is not None:
        try:
            prove_authority(trust.authority)
        except ValueError as problem:
            raise NoCluster(f"{where}: {problem}") from problem
    return trust

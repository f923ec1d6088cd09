"""The connection to the API server, from a kubeconfig and a context or from the pod's service account."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from webhook.cluster.account import pod_credentials, user_credentials
from webhook.cluster.clock import SystemClock
from webhook.cluster.credentials import Credentials, CredentialsFailed
from webhook.cluster.kubeconfig import files, load
from webhook.cluster.kubeconfig_fields import BadKubeconfig
from webhook.cluster.pool import Trust, pool_classes, prove_authority
from webhook.cluster.proxy import BadProxy, proxy_for
from webhook.cluster.transport import KubernetesTransport

POD_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class NoCluster(Exception):
    """No cluster can be reached; one line with the reason and the way out."""


@dataclass(frozen=True, slots=True)
class _Target:
    """How to reach an API server. ``proxy_url`` is the kubeconfig's; ``headers`` are sent with each request."""

    server: str
    trust: Trust
    credentials: Credentials
    proxy_url: str = ""
    headers: Sequence[tuple[str, str]] = ()


def connect(
    kubeconfig: str | None = None, context: str | None = None, *, user_agent: str, pool_size: int = 32
) -> KubernetesTransport:
    """A transport to the cluster of a kubeconfig, or of the pod's service account if neither argument is given.

    It gets credentials at once, so that a failing plugin stops a command early, but sends nothing yet. ``pool_size`` is
    the number of connections kept open. Raises NoCluster.
    """
    from kubernetes import client

    try:
        target = None if kubeconfig or context else _of_pod()
        if target is None:
            target = _of_kubeconfig(kubeconfig, context)
        target.credentials.current()
        proxy = proxy_for(target.server, target.proxy_url, os.environ)
    except (BadKubeconfig, BadProxy, CredentialsFailed) as problem:
        raise NoCluster(str(problem)) from problem
    configuration = client.Configuration(host=target.server)
    configuration.verify_ssl = not target.trust.is_insecure
    configuration.tls_server_name = target.trust.server_name or None
    # The official client would also use ALL_PROXY, a proxy for loopback, and NO_PROXY for a proxy-url.
    configuration.proxy = None if proxy is None else proxy.url
    configuration.no_proxy = ""
    if proxy is not None and proxy.authorization:
        configuration.proxy_headers = {"Proxy-Authorization": proxy.authorization}
    configuration.connection_pool_maxsize = pool_size
    # No retries: fence and precondition are valid for one attempt only.
    configuration.retries = False
    api_client = client.ApiClient(configuration)
    api_client.user_agent = user_agent
    api_client.rest_client.pool_manager.pool_classes_by_scheme = pool_classes(
        target.trust, lambda: target.credentials.certificate
    )
    return KubernetesTransport(api_client, target.credentials, target.headers, "" if proxy is None else str(proxy))


def default_namespace(kubeconfig: str | None = None, context: str | None = None) -> str:
    """The namespace of the kubeconfig's context, or of the pod if neither argument is given; else ``default``.

    Without a kubeconfig and outside of a pod it is ``default`` too. Raises NoCluster.
    """
    if not (kubeconfig or context):
        try:
            return POD_NAMESPACE.read_text().strip() or "default"
        except OSError:
            pass
    paths = files(kubeconfig, os.environ)
    try:
        return (load(paths, context).namespace if paths else "") or "default"
    except BadKubeconfig as problem:
        raise NoCluster(str(problem)) from problem


def _of_pod() -> _Target | None:
    """The connection of the pod's service account; None outside of a pod."""
    from kubernetes import client, config

    configuration: Any = client.Configuration()
    load_pod: Any = config.load_incluster_config
    try:
        load_pod(configuration)
    except config.ConfigException:
        return None
    except OSError as problem:
        raise NoCluster(f"the service account of the pod: {problem}") from problem
    trust = _checked(Trust(Path(configuration.ssl_ca_cert)), "the service account of the pod: ca.crt")
    return _Target(configuration.host, trust, pod_credentials(configuration, SystemClock()))


def _of_kubeconfig(kubeconfig: str | None, context: str | None) -> _Target:
    paths = files(kubeconfig, os.environ)
    if not paths:
        raise NoCluster(
            "no cluster: this is not a pod, and there is no kubeconfig at $KUBECONFIG or ~/.kube/config; "
            "name one with --kubeconfig"
        )
    read = partial(load, paths, context)
    chosen = read()
    trust = Trust(chosen.cluster.authority, chosen.cluster.is_insecure, chosen.cluster.tls_server_name)
    return _Target(
        chosen.cluster.server,
        _checked(trust, f"context {chosen.name}: certificate-authority"),
        user_credentials(chosen, read, SystemClock()),
        chosen.cluster.proxy_url,
        () if chosen.user.impersonation is None else chosen.user.impersonation.headers(),
    )


def _checked(trust: Trust, where: str) -> Trust:
    if trust.authority is not None:
        try:
            prove_authority(trust.authority)
        except ValueError as problem:
            raise NoCluster(f"{where}: {problem}") from problem
    return trust

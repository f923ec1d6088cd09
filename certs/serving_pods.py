"""The pods that serve: their addresses, and the certificate that each shows."""

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from certs.errors import CertificateError
from certs.probe import probe
from certs.protocols import Cluster

_LOG: Final = logging.getLogger(__name__)

SELECTOR: Final = "app.kubernetes.io/name=stagegate-webhook"
PORT: Final = 8443
_PROBE_SECONDS: Final = 2.0
_PROBES_AT_ONCE: Final = 8
_ENDED: Final = ("Succeeded", "Failed")

Probe = Callable[[str], bytes | None]
"""The certificate (PEM) that the server at an address shows, None when it shows none."""


class ServingPods:
    """The pods of a namespace that ``selector`` matches; each is probed for its certificate."""

    def __init__(self, cluster: Cluster, namespace: str, selector: str, probe: Probe) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._selector = selector
        self._probe = probe

    def shown(self) -> dict[str, bytes | None]:
        """Name and address of each pod to its certificate (PEM), None for no answer. Raises ClusterError."""
        return shown_by(addresses_of(self._cluster.list("Pod", self._namespace, self._selector)), self._probe)


def shown_by(addresses: Mapping[str, str], probe: Probe) -> dict[str, bytes | None]:
    """Name to certificate (PEM); several addresses are probed at once."""
    with ThreadPoolExecutor(_PROBES_AT_ONCE, "probe") as threads:
        return dict(zip(addresses, threads.map(probe, addresses.values()), strict=True))


def addresses_of(pods: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """A name and the address of each pod that may answer calls: those that have an address and have not ended."""
    found: dict[str, str] = {}
    for pod in pods:
        status = pod.get("status") or {}
        address = status.get("podIP")
        if address and status.get("phase") not in _ENDED:
            found[f"{pod['metadata']['name']} ({address})"] = address
    return dict(sorted(found.items()))


def prober(port: int, seconds: float = _PROBE_SECONDS) -> Probe:
    """A probe of that port. The timeout bounds the connection, and then each step of the handshake."""

    def ask(address: str) -> bytes | None:
        try:
            return probe(address, port, seconds)
        except CertificateError as problem:
            _LOG.info("a pod shows no certificate: %s", problem)
            return None

    return ask

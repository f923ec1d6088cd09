"""Ingress: simulates an ingress class, which programs Knative's KIngress objects."""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from tests.controlplane.session import Session
from tests.rig.watcher import Watcher

CLASS: Final = "rig.ingress.networking.knative.dev"
_API: Final = "/apis/networking.internal.knative.dev/v1alpha1"
_GATEWAY: Final = {"ingress": [{"domainInternal": "gateway.knative-serving.svc.cluster.local"}]}


class Ingress:
    """At work until the API server ends. What is in a namespace of ``stalled`` is not programmed."""

    def __init__(self, new_session: Callable[[], Session]) -> None:
        self.stalled: set[str] = set()
        self._shares: dict[tuple[str, str], dict[str, int]] = {}
        self._session = new_session()
        self._watcher = Watcher(new_session(), f"{_API}/ingresses", self._handle)

    def stop(self) -> None:
        """After the API server has ended."""
        self._watcher.join()
        self._session.close()

    def resume(self, namespace: str) -> None:
        """Program what was left in a namespace."""
        self.stalled.discard(namespace)
        for ingress in self._session.get(f"{_API}/namespaces/{namespace}/ingresses").body["items"]:
            self._handle("MODIFIED", ingress)

    def share(self, namespace: str, service: str, revision: str) -> int:
        """The percentage of a service's requests that goes to a revision now."""
        return self._shares.get((namespace, service), {}).get(revision, 0)

    def _handle(self, kind: str, ingress: dict[str, Any]) -> None:
        metadata = ingress["metadata"]
        generation = metadata["generation"]
        seen = ingress.get("status", {}).get("observedGeneration")
        if kind == "DELETED" or seen == generation or metadata["namespace"] in self.stalled:
            return
        self._program(ingress)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        status = {
            "observedGeneration": generation,
            "conditions": [
                {"type": name, "status": "True", "lastTransitionTime": now}
                for name in ("LoadBalancerReady", "NetworkConfigured", "Ready")
            ],
            "publicLoadBalancer": _GATEWAY,
            "privateLoadBalancer": _GATEWAY,
        }
        path = f"{_API}/namespaces/{metadata['namespace']}/ingresses/{metadata['name']}/status"
        answer = self._session.patch(path, {"status": status})
        assert answer.status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND), answer.message

    def _program(self, ingress: dict[str, Any]) -> None:
        metadata = ingress["metadata"]
        if "serving.knative.dev/route" not in metadata["labels"]:
            return  # That of a DomainMapping, which leads to a Service and not to revisions.
        # The first rule is that of the service itself; those of tags follow.
        splits = ingress["spec"]["rules"][0]["http"]["paths"][0]["splits"]
        route = (metadata["namespace"], metadata["labels"]["serving.knative.dev/route"])
        self._shares[route] = {each["serviceName"]: each["percent"] for each in splits}

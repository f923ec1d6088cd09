"""The webhook configurations of the manifests on a real API server, answered by a receiver."""

import copy
from typing import Any, Final

from tests.controlplane.session import Session
from tests.e2e.cluster import SPAS, Namespace, documents, eventually, register, spa, unregister
from tests.e2e.receiver import Receiver

MUTATE: Final = "/mutate"
VALIDATE: Final = "/validate"


class Registered:
    """Both configurations of the manifests, pointed at a receiver and held to one namespace."""

    def __init__(self, admin: Session, receiver: Receiver, namespace: Namespace) -> None:
        self.receiver = receiver
        self.namespace = namespace
        self._admin = admin
        self._bodies = [self._pointed(copy.deepcopy(body)) for body in documents("webhooks")]
        for body in self._bodies:
            register(admin, body)

    def _pointed(self, body: dict[str, Any]) -> dict[str, Any]:
        body["metadata"]["name"] = f"{self.namespace.name}.{body['metadata']['name']}"
        (webhook,) = body["webhooks"]
        webhook["clientConfig"] = self.receiver.client_config(webhook["clientConfig"]["service"]["path"])
        webhook["namespaceSelector"]["matchExpressions"].append(
            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [self.namespace.name, "kube-system"]}
        )
        return body

    def in_force(self, session: Session) -> None:
        """Wait until both are called, then forget the calls."""

        def called() -> bool:
            session.create(self.namespace.path(SPAS), spa("probe"), dryRun="All")
            return set(self.receiver.paths()) >= {MUTATE, VALIDATE}

        eventually(called)
        self.receiver.calls.clear()

    def remove(self) -> None:
        for body in self._bodies:
            unregister(self._admin, body)

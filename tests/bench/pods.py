"""Pods of the loop's bench: they run, are deleted, and end a moment later, as in a cluster."""

import itertools
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.cluster.client import Client
from webhook.cluster.resource import PODS

LINGER: Final = 0.5
"""Seconds from its deletion until a pod is gone."""


@dataclass(frozen=True, slots=True)
class Pod:
    name: str
    uid: str


class Pods:
    """The pods of revisions in one namespace. No kubelet runs: what one would say is written by hand."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._running: defaultdict[str, list[Pod]] = defaultdict(list)
        self._ending: list[tuple[float, Pod]] = []
        self._numbers = itertools.count()
        self.ended = 0
        """How many have been deleted so far."""

    @property
    def at_rest(self) -> bool:
        """Whether none is on its way out."""
        return not self._ending

    def scale(self, service: str, revision: str, replicas: int) -> None:
        """Let a revision run so many: start what lacks, delete the rest."""
        pods = self._running[revision]
        while len(pods) < replicas:
            pods.append(self._start(service, revision))
        while len(pods) > replicas:
            pod = pods.pop()
            self._client.delete(PODS, self._namespace, pod.name, uid=pod.uid)
            self._ending.append((time.monotonic() + LINGER, pod))
            self.ended += 1

    def pass_on(self) -> None:
        """Let those go whose time has come."""
        now = time.monotonic()
        for when, pod in list(self._ending):
            if when <= now:
                self._client.delete(PODS, self._namespace, pod.name, uid=pod.uid, grace_period_seconds=0)
                self._ending.remove((when, pod))

    def _start(self, service: str, revision: str) -> Pod:
        name = f"{revision}-{next(self._numbers)}"
        labels = {SERVICE_LABEL: service, REVISION_LABEL: revision}
        # Only a pod that sits on a node is given time to end.
        spec = {"nodeName": "bench", "containers": [{"name": "user-container", "image": "none"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}
        made: dict[str, Any] = self._client.create(PODS, self._namespace, pod)
        self._client.patch(PODS, self._namespace, name, {"status": {"phase": "Running"}}, "status")
        return Pod(name, made["metadata"]["uid"])

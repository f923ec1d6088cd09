"""An autoscaler that is slow, so that stages are late although every replica that runs is available."""

import random
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.cluster.client import Client
from webhook.cluster.errors import AlreadyExists
from webhook.cluster.resource import DEPLOYMENTS, POD_AUTOSCALERS
from webhook.planning import scale_bounds

Wire = dict[str, Any]
CLASS: Final = "slow.chaos.test"
_FASTEST, _SLOWEST = 0.3, 3.0


@dataclass
class _Pace:
    wanted: int
    since: float
    after: float


@dataclass
class SlowAutoscaler:
    """Moves PodAutoscalers of its class, without pods, some time after something else is wanted of them.

    Each revision has a Deployment, all of whose replicas are always available: a late stage may shift its traffic.
    """

    client: Client
    namespace: str
    service: str
    demand: int
    chance: random.Random
    running: dict[str, int] = field(default_factory=dict)
    _paces: dict[str, _Pace] = field(default_factory=dict)

    @property
    def is_still(self) -> bool:
        """True while nothing else is wanted of any revision than what runs."""
        return not self._paces

    def take(self, name: str, running: int) -> None:
        """Scale this revision from now on; it has a PodAutoscaler."""
        labels = {SERVICE_LABEL: self.service, REVISION_LABEL: name}
        container = {"name": "user-container", "image": "sandbox.invalid/simulated"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"replicas": running, "selector": {"matchLabels": labels}, "template": template}
        kind = {"apiVersion": DEPLOYMENTS.api_version, "kind": DEPLOYMENTS.kind}
        metadata = {"name": f"{name}-deployment", "labels": labels}
        with suppress(AlreadyExists):
            self.client.create(DEPLOYMENTS, self.namespace, {**kind, "metadata": metadata, "spec": spec})
        self._report(name, running)

    def forget(self, name: str) -> None:
        """Its PodAutoscaler is deleted."""
        self.running.pop(name, None)
        self._paces.pop(name, None)

    def step(self, revisions: Mapping[str, tuple[Wire, Wire | None]], percents: Mapping[str, int]) -> None:
        """``revisions`` holds, by name, the entry with their own bounds, and their SPA; ``percents`` the stage."""
        now = time.monotonic()
        for name in sorted(self.running.keys() & revisions.keys()):
            entry, spa = revisions[name]
            bounds = (spa or {}).get("spec") or {}
            low, high = scale_bounds(
                entry.get("minScale"), entry.get("maxScale"), bounds.get("stageMinScale"), bounds.get("stageMaxScale")
            )
            wanted = max(-(-self.demand * percents.get(name, 0) // 100), low)
            wanted = min(wanted, high) if high else wanted
            if wanted == self.running[name]:
                if self._paces.pop(name, None) is not None:
                    self._report_scale(name, wanted, wanted)
                continue
            pace = self._paces.get(name)
            if pace is None or pace.wanted != wanted:
                pace = self._paces[name] = _Pace(wanted, now, self.chance.uniform(_FASTEST, _SLOWEST))
                if self.running[name] == 0:
                    # The first replica is wanted before it runs, as while its image is pulled.
                    self._report_scale(name, wanted, 0)
            if now - pace.since >= pace.after:
                self._report(name, wanted)

    def _report(self, name: str, running: int) -> None:
        deployment = f"{name}-deployment"
        self.client.patch(DEPLOYMENTS, self.namespace, deployment, {"spec": {"replicas": running}})
        available = {"type": "Available", "status": "True"}
        status = {
            "replicas": running,
            "readyReplicas": running,
            "availableReplicas": running,
            "conditions": [available],
        }
        self.client.patch(DEPLOYMENTS, self.namespace, deployment, {"status": status}, "status")
        self._report_scale(name, running, running)
        self.running[name] = running

    def _report_scale(self, name: str, desired: int, actual: int) -> None:
        scale = {"desiredScale": desired, "actualScale": actual}
        self.client.patch(POD_AUTOSCALERS, self.namespace, name, {"status": scale}, "status")

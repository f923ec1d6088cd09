"""An SPA lister that shows the writes made on top of it."""

from collections.abc import Mapping, Sequence

from webhook.api import StagePodAutoscaler
from webhook.strategies.protocols import SPALister


class Overlay:
    """What a lister shows, with the SPAs that were put over it. What was read once stays as it was read."""

    def __init__(self, lister: SPALister) -> None:
        self._lister = lister
        self._read: dict[tuple[str, str], StagePodAutoscaler | None] = {}
        self._put: dict[tuple[str, str], StagePodAutoscaler] = {}

    def get(self, namespace: str, name: str) -> StagePodAutoscaler | None:
        key = (namespace, name)
        if key in self._put:
            return self._put[key]
        if key not in self._read:
            self._read[key] = self._lister.get(namespace, name)
        return self._read[key]

    def list(self, namespace: str, labels: Mapping[str, str]) -> Sequence[StagePodAutoscaler]:
        for spa in self._lister.list(namespace, labels):
            self._read.setdefault((namespace, spa.name), spa)
        found = [
            spa
            for spa in {**self._read, **self._put}.values()
            if spa is not None and spa.namespace == namespace and labels.items() <= spa.metadata.labels.items()
        ]
        return sorted(found, key=lambda spa: spa.name)

    def put(self, spa: StagePodAutoscaler) -> None:
        self._put[spa.namespace, spa.name] = spa

    def written(self, spa: StagePodAutoscaler) -> StagePodAutoscaler | None:
        """What was put here under the name of that SPA, or None."""
        return self._put.get((spa.namespace, spa.name))

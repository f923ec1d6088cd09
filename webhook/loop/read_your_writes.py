"""A read-your-writes lister: SPAs as the lister under it shows them, and the writes that were planned since."""

from collections.abc import Mapping, Sequence

from webhook.api import StagePodAutoscaler
from webhook.strategies.protocols import SPALister


class ReadYourWritesLister:
    """Shows what was written here in place of what the lister under it shows.

    An SPA that was read once stays as it was read, so that one pass decides on one state of it.
    """

    def __init__(self, lister: SPALister) -> None:
        self._lister = lister
        self._read: dict[tuple[str, str], StagePodAutoscaler | None] = {}
        self._written: dict[tuple[str, str], StagePodAutoscaler] = {}

    def get(self, namespace: str, name: str) -> StagePodAutoscaler | None:
        key = (namespace, name)
        if key in self._written:
            return self._written[key]
        if key not in self._read:
            self._read[key] = self._lister.get(namespace, name)
        return self._read[key]

    def list(self, namespace: str, labels: Mapping[str, str]) -> Sequence[StagePodAutoscaler]:
        for spa in self._lister.list(namespace, labels):
            self._read.setdefault((namespace, spa.name), spa)
        found = [
            spa
            for spa in {**self._read, **self._written}.values()
            if spa is not None and spa.namespace == namespace and labels.items() <= spa.metadata.labels.items()
        ]
        return sorted(found, key=lambda spa: spa.name)

    def write(self, spa: StagePodAutoscaler) -> None:
        """Show this SPA from now on."""
        self._written[spa.namespace, spa.name] = spa

"""The metrics of the page's process."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, ProcessCollector

LOOPS: Final = ("history", "pages", "reflector", "stream", "thread")
"""The parts of the process in which an unexpected exception can occur."""


class WebMetrics:
    """What the process counts; every series starts at zero."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._faults = Counter(
            "stagegate_web_faults",
            "Unexpected exceptions by the part of the process that raised them.",
            ["loop"],
            registry=self.registry,
        )
        for loop in LOOPS:
            self._faults.labels(loop)

    def faulted(self, loop: str) -> None:
        """One exception that nothing a client or the cluster did explains."""
        self._faults.labels(loop).inc()

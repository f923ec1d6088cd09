"""The handler: one admission review from the bytes of its body to the bytes of the answer, counted and logged."""

import logging
import time
from collections.abc import Callable
from typing import Final

from webhook.admission import Lookup, Response, Settings, examine
from webhook.cluster.supervisor import Supervisor
from webhook.server.head import LINE_TYPE
from webhook.server.metrics import ServerMetrics

_LOG: Final = logging.getLogger("stagegate.admission")
_FAILED: Final = Response(500, LINE_TYPE, b"the server failed on this review; its log says why\n", None)

Examine = Callable[[bytes, str, Lookup, Settings], Response]


class AdmissionHandler:
    """Answers reviews from a lookup that others keep up to date."""

    def __init__(
        self,
        lookup: Lookup,
        settings: Settings,
        metrics: ServerMetrics,
        supervisor: Supervisor | None = None,
        examine: Examine = examine,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.lookup = lookup
        self.settings = settings
        self.metrics = metrics
        self._supervisor = supervisor or Supervisor(count=metrics.faulted)
        self._examine = examine
        self._clock = clock

    def answer(self, path: str, body: bytes) -> Response:
        """The answer to one review; ``path`` is /mutate or /validate, without a query. Raises nothing."""
        started = self._clock()
        try:
            answer = self._examine(body, path, self.lookup, self.settings)
        except Exception:
            self._supervisor.fault("admission", f"no answer to a review of {len(body)} bytes at {path}")
            answer = _FAILED
        self.metrics.answered(path, answer, self._clock() - started)
        verdict = answer.verdict
        if verdict is not None and not verdict.allowed:
            _LOG.info(
                "denied",
                extra={
                    "fields": {
                        "path": path,
                        "operation": verdict.operation,
                        "kind": verdict.kind,
                        "namespace": verdict.namespace,
                        "name": verdict.name,
                        "uid": verdict.uid,
                        "ids": ",".join(verdict.ids_by_effect.get("denied", [])),
                    }
                },
            )
        return answer

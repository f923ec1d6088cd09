"""The handler: one admission review from the bytes of its body to the bytes of the answer, counted and logged."""

import logging
import time
from collections.abc import Callable
from math import inf
from typing import Final

from webhook.admission import Lookup, Response, Settings, examine
from webhook.admission.failure import read_failed
from webhook.cluster.supervisor import Supervisor
from webhook.server.failed_review import answer_failed
from webhook.server.head import KNATIVE_PATH, LINE_TYPE
from webhook.server.knative_handler import EventualResponse, KnativeHandler, left_alone
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
        knative: KnativeHandler | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.lookup = lookup
        self.settings = settings
        self.metrics = metrics
        self._supervisor = supervisor or Supervisor(count=metrics.faulted)
        self._examine = examine
        self._knative = knative
        self._clock = clock

    def answer(self, path: str, body: bytes, within: float = inf) -> EventualResponse:
        """The answer to one review, at /knative perhaps later, ``within`` so many seconds; ``path`` has no query.

        Raises nothing for any bytes.
        """
        if path != KNATIVE_PATH:
            return self.review(path, body)
        started = self._clock()
        try:
            answer = self._knative.answer(body, within) if self._knative is not None else left_alone(body)
        except Exception as problem:
            answer = self._failed(path, body, problem)
        if isinstance(answer, Response):
            return self._answered(path, answer, started)
        answer.add_done_callback(lambda given: self._answered(path, given.result(), started))
        return answer

    def review(self, path: str, body: bytes) -> Response:
        """The answer to one review at /mutate or /validate."""
        started = self._clock()
        try:
            answer = self._examine(body, path, self.lookup, self.settings)
        except Exception as problem:
            answer = self._failed(path, body, problem)
        return self._answered(path, answer, started)

    def _failed(self, path: str, body: bytes, problem: Exception) -> Response:
        request = read_failed(body, path)
        if request is None:
            self._supervisor.fault("admission", f"no answer to a review of {len(body)} bytes at {path}", problem)
            return _FAILED
        return answer_failed(request, problem, self.settings.on_error, self._supervisor)

    def _answered(self, path: str, answer: Response, started: float) -> Response:
        """Count one answer, and log it if it denies."""
        self.metrics.answered(path, answer, self._clock() - started)
        verdict = answer.verdict
        if verdict is not None and not verdict.allowed and not verdict.failed:
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

"""The handler: one admission review from the bytes of its body to the bytes of the answer, counted and logged."""

import logging
import time
from collections.abc import Callable
from math import inf
from typing import Final

from webhook.admission import Lookup, Response, Settings, examine
from webhook.cluster.supervisor import Supervisor
from webhook.server.failed_review import answer_failed
from webhook.server.head import KNATIVE_PATH
from webhook.server.knative_handler import EventualResponse, KnativeHandler, left_alone
from webhook.server.metrics import ServerMetrics

_LOG: Final = logging.getLogger("stagegate.admission")

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
        except BaseException as problem:
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
        except BaseException as problem:
            answer = self._failed(path, body, problem)
        return self._answered(path, answer, started)

    def _failed(self, path: str, body: bytes, problem: BaseException) -> Response:
        # Judging waits for nothing and is interrupted by nothing: whatever it raises is a fault of it.
        return answer_failed(path, body, problem, self.settings.on_error, self._supervisor)

    def _answered(self, path: str, answer: Response, started: float) -> Response:
        """The answer, once it is counted, and logged if it denies; an exception in either takes no answer away."""
        try:
            self._record(path, answer, self._clock() - started)
        except BaseException as problem:
            self._supervisor.fault("metrics", f"an answer at {path} is not counted", problem)
        return answer

    def _record(self, path: str, answer: Response, seconds: float) -> None:
        self.metrics.answered(path, answer, seconds)
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

"""The handler of Knative's own objects: the pin before a Revision is created, and the guard of a held Route."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from webhook.admission import Response
from webhook.admission.envelope import or_refusal, response_of
from webhook.admission.knative_objects import (
    KnativeSettings,
    allowed,
    annotations_of_request,
    new_revision_of,
    read_knative_request,
    revision_verdict,
    route_verdict,
)
from webhook.admission.request import REVISION, Request
from webhook.api.wire import Wire
from webhook.cluster.supervisor import Supervisor
from webhook.knative.bounds import Defaults, bounds_at_birth
from webhook.knative.opt_in import Obstacle
from webhook.knative.pin import NOT_OPTED_IN, NewRevision, Observation, decide_pin
from webhook.server.failed_review import answer_unjudged
from webhook.server.metrics import PinResult, ServerMetrics
from webhook.server.pin_rate import PinRate
from webhook.server.pinner import Outcome, Pinner
from webhook.server.quotation import quoting

if TYPE_CHECKING:
    from concurrent.futures import Future

_LOG: Final = logging.getLogger("stagegate.knative")

PIN_SECONDS: Final = 1.5
"""For the whole of a pin. The API server waits 2 seconds for the answer, and its way there and back counts too."""
_RESERVE_SECONDS: Final = 0.5
"""What is left of the API server's time when a pin has to be over."""
_MARGIN_SECONDS: Final = 0.1
"""What a pin may take beyond its time before the answer no longer waits for it."""

EventualResponse = Response | asyncio.Future[Response]


class View(Protocol):
    """Knative's objects in memory; no method sends a request."""

    def unsynced(self) -> str: ...
    def observe(self, new: NewRevision) -> Observation: ...
    def route(self, namespace: str, name: str) -> Wire: ...
    def defaults(self) -> Defaults: ...
    def written(self, route: Wire) -> None: ...


class KnativeHandler:
    """Answers reviews of Revisions and Routes. It denies nothing: what cannot be decided in time is left as it is."""

    def __init__(
        self,
        settings: KnativeSettings,
        metrics: ServerMetrics,
        monotonic: Callable[[], float],
        view: View,
        pinner: Pinner,
        rate: PinRate | None = None,
        supervisor: Supervisor | None = None,
        seconds: float = PIN_SECONDS,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._monotonic = monotonic
        self._view = view
        self._pinner = pinner
        self._rate = rate or PinRate(monotonic)
        self._seconds = seconds
        self._logged = PinRate(monotonic, burst=1, seconds_each=60.0)
        self._supervisor = supervisor or Supervisor(count=metrics.faulted)

    def answer(self, body: bytes, within: float = inf) -> EventualResponse:
        """The answer to one review, later if a pin has to be carried out first. Called on the event loop.

        The API server waits ``within`` so many seconds for it.
        """
        return or_refusal(body, lambda: self._answer(body, min(self._seconds, within - _RESERVE_SECONDS)))

    def _answer(self, body: bytes, seconds: float) -> EventualResponse:
        request = read_knative_request(body)
        if request.kind == REVISION:
            return self._revision(request, seconds)
        verdict = route_verdict(request, self._settings) if request.kind else allowed(request)
        if request.kind:
            self._metrics.guarded(put_back=bool(verdict.defaults))
        return response_of(verdict)

    def _revision(self, request: Request, seconds: float) -> EventualResponse:
        started = self._monotonic()
        new = new_revision_of(request, self._settings)
        if isinstance(new, str):
            return self._left(request, "ignored", new)
        if unsynced := self._view.unsynced():
            return self._left(request, "not read", unsynced)
        observed = self._view.observe(new)
        route = self._view.route(new.namespace, new.service)
        decision = decide_pin(new, observed, route)
        if isinstance(decision, Obstacle):
            result: PinResult = "not asked" if decision.reason == NOT_OPTED_IN else "not held"
            return self._left(request, result, f"{decision.reason}: {decision.message}")
        if decision.patch(route) is None:
            return self._settled(request, new, Outcome("repeated"), started)
        if not self._rate.take(new.namespace, new.service):
            return self._refused(request, new, "rate", "the Service had too many pins within a minute")
        pinning = self._pinner.begin(route, lambda current: decide_pin(new, observed, current), started + seconds)
        if pinning is None:
            return self._refused(request, new, "busy", "too many pins are under way")
        return self._later(request, new, pinning, started, seconds)

    def _later(
        self, request: Request, new: NewRevision, pinning: "Future[Outcome]", started: float, seconds: float
    ) -> EventualResponse:
        """An answer that is given when the pin has ended, or when its time is over."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Response] = loop.create_future()

        def settle(outcome: Outcome) -> None:
            if answer.done():
                return
            timer.cancel()
            try:
                response = self._settled(request, new, outcome, started)
            except BaseException as problem:
                response = answer_unjudged(request, problem, "allow", self._supervisor)
            answer.set_result(response)

        def ended(done: "Future[Outcome]") -> None:
            # The loop of a server that has just stopped is closed.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, self._outcome_of(new, done))

        late = Outcome("late", "the API server did not answer in time")
        timer = loop.call_later(max(seconds, 0.0) + _MARGIN_SECONDS, settle, late)
        pinning.add_done_callback(ended)
        return answer

    def _outcome_of(self, new: NewRevision, done: "Future[Outcome]") -> Outcome:
        if done.cancelled():
            return Outcome("failed", "the server stops")
        problem = done.exception()
        if problem is None:
            return done.result()
        fields = {"kind": REVISION, "namespace": new.namespace, "name": new.name}
        names = (new.namespace, new.service)
        is_withheld = quoting(problem, lambda: [self._view.route(new.namespace, new.service)], names)
        self._supervisor.fault("admission", f"Service {new.service} is not pinned", problem, fields, is_withheld)
        return Outcome("failed", f"unexpected {type(problem).__name__}")

    def _settled(self, request: Request, new: NewRevision, outcome: Outcome, started: float) -> Response:
        """The answer once it is known what became of a pin; the Revision is lowered only if its Route is pinned."""
        seconds = self._monotonic() - started
        self._metrics.pinned(outcome.result, seconds)
        _log(new, outcome.result, outcome.detail, seconds, outcome.conflicts)
        if not outcome.is_pinned:
            return response_of(allowed(request, skipped=f"not pinned: {outcome.result}"))
        if outcome.route is not None:
            self._view.written(outcome.route)
        lowered = bounds_at_birth(annotations_of_request(request), self._view.defaults())
        return response_of(revision_verdict(request, lowered))

    def _left(self, request: Request, result: PinResult, reason: str) -> Response:
        """The answer where no pin is begun."""
        self._metrics.pinned(result)
        return response_of(allowed(request, skipped=reason))

    def _refused(self, request: Request, new: NewRevision, result: PinResult, reason: str) -> Response:
        """The answer where a pin was due and is not begun; a Service is logged once a minute."""
        if self._logged.take(new.namespace, new.service):
            _log(new, result, reason)
        return self._left(request, result, reason)


def left_alone(body: bytes) -> Response:
    """The answer to one review of a webhook without a cluster, or with ``--stock-knative off``."""

    def answer() -> Response:
        return response_of(allowed(read_knative_request(body), skipped="this webhook leaves Knative's objects alone"))

    return or_refusal(body, answer)


def _log(new: NewRevision, result: PinResult, detail: str, seconds: float = 0.0, conflicts: int = 0) -> None:
    """One line for each pin. Repeated ones are logged for debugging only, since no rate bounds them."""
    fields: dict[str, object] = {
        "namespace": new.namespace,
        "service": new.service,
        "revision": new.name,
        "result": result,
        "conflicts": conflicts,
        "seconds": round(seconds, 3),
    }
    if detail:
        fields["detail"] = detail
    level = {"pinned": logging.INFO, "repeated": logging.DEBUG, "not held": logging.INFO}
    _LOG.log(level.get(result, logging.WARNING), "pin", extra={"fields": fields})

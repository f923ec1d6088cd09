"""The target ``reviews``: the path on the first line, then the body; all three paths, on a small cluster in memory."""

import asyncio
import itertools
import time
import zlib
from concurrent.futures import Future
from typing import Any, Final

from tests.admission.reviews import entry, ro, stored_ro
from tests.fuzz.answered_reviews import hold, judge_answer, judge_failed
from tests.fuzz.faults import Faults
from tests.knative.routes import route, service
from webhook.admission import Lookup, Response, RolloutCache, Settings, examine
from webhook.admission.knative_objects import KnativeSettings
from webhook.api.wire import Wire
from webhook.knative.bounds import Defaults
from webhook.knative.opt_in import Obstacle
from webhook.knative.pin import NewRevision, Observation
from webhook.server.handler import AdmissionHandler, Examine
from webhook.server.head import ADMISSION_PATHS, OWN_PATHS
from webhook.server.knative_handler import KnativeHandler
from webhook.server.metrics import ServerMetrics
from webhook.server.pinner import Decide, Outcome

MOST_SECONDS: Final = 1.0
"""Of CPU for one answer, with every branch counted."""
FAILED_OF: Final = 16
"""One of so many inputs also meets a webhook that fails, which takes much longer."""


class View:
    """One opted-in Service named hello and its Route, and no other."""

    def __init__(self) -> None:
        self.known = route()

    def unsynced(self) -> str:
        return ""

    def observe(self, new: NewRevision) -> Observation:
        return Observation(service() if new.service == "hello" else None)

    def route(self, namespace: str, name: str) -> Wire:
        return self.known if name == "hello" else {}

    def defaults(self) -> Defaults:
        return Defaults()

    def written(self, written: Wire) -> None:
        """The next review finds the Route as it was, so that one input cannot change the answer to another."""


class AtOnce:
    """A pinner whose every pin succeeds at once."""

    def begin(self, route: Wire, decide: Decide, deadline: float) -> "Future[Outcome]":
        done: Future[Outcome] = Future()
        decision = decide(route)
        if isinstance(decision, Obstacle):
            done.set_result(Outcome("not held", decision.message))
        else:
            done.set_result(Outcome("pinned", route={**route, **(decision.patch(route) or {})}))
        return done


class Webhook:
    """The handler of a server, without the server."""

    def __init__(self, examine: Examine = examine) -> None:
        metrics = ServerMetrics()
        seconds = itertools.count(step=100.0)
        pinner: Any = AtOnce()
        knative = KnativeHandler(KnativeSettings(), metrics, lambda: next(seconds), View(), pinner)
        self.handler = AdmissionHandler(cluster(), Settings(), metrics, examine=examine, knative=knative)
        self.loop = asyncio.new_event_loop()
        self.seconds = 0.0

    def ask(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body. ``path`` has no query; at other paths than its three the handler is not asked."""
        begun = time.process_time()
        if path in ADMISSION_PATHS:
            answer = self.loop.run_until_complete(self._given(path, body))
        else:
            answer = examine(body, path, self.handler.lookup, self.handler.settings)
        self.seconds = time.process_time() - begun
        return answer.status, answer.body

    async def _given(self, path: str, body: bytes) -> Response:
        answer = self.handler.answer(path, body)
        return answer if isinstance(answer, Response) else await answer


def cluster() -> RolloutCache:
    """Two rollouts that list hello-00002, one of them twice, and namespaces with each kind of enforcement."""
    filled = RolloutCache(lambda: 1000.0)
    lists: dict[str, Any] = {
        "initialRevisions": [entry("hello-00001", 100, minScale=1, maxScale=4)],
        "targetRevisions": [entry("hello-00002", 100, minScale=2, maxScale=10)],
        "stageTargetRevisions": [
            entry("hello-00001", 70, "down", targetReplicas=3),
            entry("hello-00002", 30, "up", minScale=1, maxScale=3),
        ],
    }
    other = ro({"targetRevisions": [entry("other-00001", 100, minScale=5)]}, name="other", uid="uid-of-other")
    filled.replace_all([stored_ro(strategy="availability", **lists), other])
    for namespace, word in (("default", "deny"), ("warned", "warn"), ("misspelt", "wran")):
        filled.put_namespace(namespace, {"stagegate.dev/enforce": word})
    return filled


def _fails(body: bytes, path: str, lookup: Lookup, settings: Settings) -> Response:
    raise ZeroDivisionError("a bug in a rule")


class Reviews:
    """Asks one webhook about each input, and now and then one whose every rule raises."""

    def __init__(self, webhook: Webhook | None = None) -> None:
        self.webhook = webhook or Webhook()
        self.failing = Webhook(_fails)
        self.faults = Faults()

    def close(self) -> None:
        for each in (self.faults, self.webhook.loop, self.failing.loop):
            each.close()

    def check(self, data: bytes) -> None:
        """Raise if the answer to this input breaks a law."""
        first, _, body = data.partition(b"\n")
        path = first.decode("latin-1").partition("?")[0]
        status, answer = self.webhook.ask(path, body)
        seconds = self.webhook.seconds
        self.faults.raise_any()
        hold(seconds <= MOST_SECONDS, "an answer takes bounded time", f"{seconds:.2f} s for {len(body)} bytes")
        judge_answer(self.webhook.ask, path, body, status, answer)
        self.faults.raise_any()
        if path in OWN_PATHS and zlib.crc32(data) % FAILED_OF == 0:
            judge_failed(status, answer, *self.failing.ask(path, body))
            self.faults.forget()

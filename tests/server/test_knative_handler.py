"""Reviews of Revisions and Routes: the cluster and the request before; the answer, the writes and the counts after."""

import asyncio
import base64
import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event
from typing import Any

import pytest

from tests.admission.test_knative_objects import HELD, LOOP, review, revision, update
from tests.cluster.fake_api import FakeApi, status_error
from tests.knative.routes import HOLD, floating, held_entries, hold, named, route, service
from webhook.admission import EmptyLookup, Response, Settings
from webhook.admission.knative_objects import KnativeSettings
from webhook.api.wire import Wire, copy_of
from webhook.cluster.client import Client
from webhook.cluster.resource import ROUTES
from webhook.knative.bounds import Defaults
from webhook.knative.pin import NewRevision, Observation
from webhook.knative.settings import HoldSettings
from webhook.server.handler import AdmissionHandler
from webhook.server.knative_handler import KnativeHandler
from webhook.server.metrics import PIN_RESULTS, ServerMetrics
from webhook.server.pin_rate import PinRate
from webhook.server.pinner import Pinner

LIVELY = {"autoscaling.knative.dev/min-scale": "4"}
CREATE = review(revision(annotations=LIVELY))


class View:
    """The cluster as it is in memory."""

    def __init__(self, one: Wire, observed: Observation) -> None:
        self.one: Wire = copy_of(one)
        self.observed = observed
        self.missing = ""

    def unsynced(self) -> str:
        return self.missing

    def observe(self, new: NewRevision) -> Observation:
        return self.observed

    def route(self, namespace: str, name: str) -> Wire:
        return self.one

    def defaults(self) -> Defaults:
        return Defaults()

    def written(self, route: Wire) -> None:
        self.one = route


class Place:
    """A webhook beside a cluster with one Service and its Route."""

    def __init__(self, one: Wire | None = None, observed: Observation | None = None, seconds: float = 60.0) -> None:
        self.api = FakeApi()
        self.api.serve(ROUTES)
        stored = self.api.put(ROUTES, one or route())
        self.view = View(stored, observed or Observation(service()))
        self.metrics = ServerMetrics()
        self.pinner = Pinner(lambda seconds: Client(self.api, field_manager="test"), time.monotonic)
        self.rate = PinRate(time.monotonic, burst=3, seconds_each=3600.0)
        knative = KnativeHandler(
            KnativeSettings(), self.metrics, time.monotonic, self.view, self.pinner, self.rate, seconds=seconds
        )
        self.handler = AdmissionHandler(EmptyLookup(), Settings(), self.metrics, knative=knative)

    def answers(self, *bodies: bytes) -> list[dict[str, Any]]:
        """The responses to reviews that are sent one after the other."""

        async def ask() -> list[dict[str, Any]]:
            return [response_in(await given(self.handler.answer("/knative", body))) for body in bodies]

        try:
            return asyncio.run(ask())
        finally:
            self.pinner.stop()

    def pins(self) -> dict[str, float]:
        """How many pins had each result; those without any are left out."""
        counts = {
            result: self.metrics.registry.get_sample_value("stagegate_pins_total", {"result": result}) or 0.0
            for result in PIN_RESULTS
        }
        return {result: count for result, count in counts.items() if count}

    def stored(self) -> Any:
        return self.api.get(ROUTES, "default", "hello")


async def given(answer: Response | asyncio.Future[Response]) -> Response:
    return answer if isinstance(answer, Response) else await asyncio.wait_for(answer, 60)


def response_in(answer: Response) -> dict[str, Any]:
    assert answer.status == 200
    return dict(json.loads(answer.body)["response"])


def patch_in(response: dict[str, Any]) -> list[dict[str, Any]]:
    return list(json.loads(base64.b64decode(response["patch"])))


def test_the_route_is_pinned_and_then_the_revision_is_lowered() -> None:
    place = Place()
    (response,) = place.answers(CREATE)
    assert response["allowed"] is True
    assert {each["path"]: each["value"] for each in patch_in(response)} == {
        "/metadata/annotations/autoscaling.knative.dev~1min-scale": "1",
        "/metadata/annotations/autoscaling.knative.dev~1stagegate-own": ('{"min-scale":"4","set":{"min-scale":"1"}}'),
    }
    assert place.stored()["metadata"]["annotations"][HOLD] == hold("hello-00002")
    assert place.stored()["spec"]["traffic"] == held_entries(a=100)
    assert place.view.one == place.stored()
    assert place.pins() == {"pinned": 1}


def test_the_same_review_again_writes_nothing_and_gives_the_same_answer() -> None:
    place = Place()
    first, second = place.answers(CREATE, CREATE)
    assert first == second
    assert place.api.written() == ["patch routes default/hello"]
    assert place.pins() == {"pinned": 1, "repeated": 1}


@pytest.mark.parametrize(
    ("body", "result", "reason"),
    [
        (review(revision(), userInfo={"username": "jane"}), "ignored", "the Revision is not created by "),
        (review(revision(), dryRun=True), "ignored", "the request is a dry run"),
        (review(revision(labels={"serving.knative.dev/service": ""})), "ignored", "the Revision belongs to no Service"),
    ],
)
def test_a_request_that_pins_nothing(body: bytes, result: str, reason: str) -> None:
    place = Place()
    (response,) = place.answers(body)
    assert (response["allowed"], "patch" in response) == (True, False)
    assert response["auditAnnotations"]["skipped"].startswith(reason)
    assert (place.api.requests, place.pins()) == ([], {result: 1})


@pytest.mark.parametrize(
    ("observed", "missing", "result", "reason"),
    [
        (Observation(service(annotations={})), "", "not asked", "NotOptedIn: "),
        (Observation(None), "", "not held", "ServiceUnknown: "),
        (Observation(service(), settings=HoldSettings(holds_nothing_new=True)), "", "not held", "HoldingNothingNew: "),
        (Observation(service()), "routes not read yet", "not read", "routes not read yet"),
    ],
)
def test_a_cluster_in_which_nothing_is_pinned(observed: Observation, missing: str, result: str, reason: str) -> None:
    place = Place(observed=observed)
    place.view.missing = missing
    (response,) = place.answers(CREATE)
    assert (response["allowed"], "patch" in response) == (True, False)
    assert response["auditAnnotations"]["skipped"].startswith(reason)
    assert (place.api.requests, place.pins()) == ([], {result: 1})


def test_a_pin_that_fails_leaves_the_revision_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    place = Place()
    place.api.fail = lambda request: status_error(request, 403, "Forbidden", "routes may not be patched")
    (response,) = place.answers(CREATE)
    assert (response["allowed"], "patch" in response) == (True, False)
    assert place.pins() == {"failed": 1}
    (record,) = [each for each in caplog.records if each.name == "stagegate.knative"]
    assert (record.levelno, vars(record)["fields"]["detail"]) == (
        logging.WARNING,
        "patch routes default/hello: routes may not be patched",
    )


def test_a_pin_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Place().answers(CREATE, CREATE)
    (record,) = [each for each in caplog.records if each.name == "stagegate.knative"]
    fields = vars(record)["fields"]
    assert fields.pop("seconds") >= 0
    assert fields == {
        "namespace": "default",
        "service": "hello",
        "revision": "hello-00002",
        "result": "pinned",
        "conflicts": 0,
    }


def test_a_stranger_moves_nothing_and_is_held_to_the_rate(caplog: pytest.LogCaptureFixture) -> None:
    place = Place(route(held_entries(a=75, b=25), [named("a", 75), named("b", 25)], hold("b")))
    forged = [review(revision(name=f"hello-{number:05}", annotations=LIVELY)) for number in range(20)]
    responses = place.answers(*forged)
    assert [("patch" in each) for each in responses] == [True] * 3 + [False] * 17
    assert place.api.written() == ["patch routes default/hello"] * 3
    assert place.stored()["spec"]["traffic"] == held_entries(a=75, b=25)
    assert place.pins() == {"pinned": 3, "rate": 17}
    refused = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert len(refused) == 1


def test_an_api_server_that_hangs_is_not_waited_for() -> None:
    """The event loop answers others meanwhile, and the pin's own answer comes when its time is over."""
    place = Place(seconds=0.2)
    hangs, answers = Event(), []

    def fail(request: Any) -> None:
        hangs.wait(60)

    place.api.fail = fail

    async def ask() -> None:
        slow = place.handler.answer("/knative", CREATE)
        assert isinstance(slow, asyncio.Future)
        answers.append(await given(place.handler.answer("/knative", review(revision(), dryRun=True))))
        assert not slow.done()
        answers.append(await given(slow))
        hangs.set()

    asyncio.run(ask())
    place.pinner.stop()
    assert [response_in(each)["auditAnnotations"]["skipped"] for each in answers] == [
        "the request is a dry run",
        "not pinned: late",
    ]
    assert place.pins() == {"ignored": 1, "late": 1}


def test_too_many_pins_at_once_are_not_begun() -> None:
    place = Place()
    place.pinner.begin = lambda *_: None  # type: ignore[method-assign]
    (response,) = place.answers(CREATE)
    assert (response["allowed"], response["auditAnnotations"]) == (True, {"skipped": "too many pins are under way"})
    assert place.pins() == {"busy": 1}


def _raises(*_: object) -> Any:
    raise ZeroDivisionError("a bug in a pin")


def _exits(*_: object) -> Any:
    raise SystemExit("a bug in a pin")


@pytest.mark.parametrize(
    "broken",
    [
        lambda place: setattr(place.pinner, "pin", _raises),
        lambda place: setattr(place.view, "defaults", _raises),
        lambda place: setattr(place.view, "written", _raises),
        lambda place: setattr(place.view, "defaults", _exits),
        lambda place: setattr(place.pinner, "pin", _exits),
        lambda place: setattr(place.metrics, "pinned", _raises),
    ],
    ids=["in its thread", "in the answer", "in the view", "an exit", "an exit in its thread", "in the count"],
)
def test_a_fault_is_logged_and_counted_and_the_revision_is_left_as_it_is(
    broken: Callable[[Place], None], caplog: pytest.LogCaptureFixture
) -> None:
    place = Place()
    broken(place)
    (response,) = place.answers(CREATE)
    assert (response["allowed"], "patch" in response) == (True, False)
    assert "a bug in a pin" in caplog.text
    assert place.metrics.registry.get_sample_value("stagegate_faults_total", {"loop": "admission"}) == 1


@pytest.mark.parametrize(
    ("within", "pins"), [(2.0, {"pinned": 1}), (0.6, {"pinned": 1}), (0.5, {"late": 1}), (0.1, {"late": 1})]
)
def test_a_pin_is_begun_only_while_the_api_server_waits_for_it(within: float, pins: dict[str, float]) -> None:
    place = Place()

    async def ask() -> Response:
        return await given(place.handler.answer("/knative", CREATE, within))

    assert response_in(asyncio.run(ask()))["allowed"]
    assert place.pins() == pins


def test_a_server_that_stops_answers_what_waits_for_a_thread() -> None:
    place = Place()
    dropped: Future[Any] = Future()
    place.pinner.begin = lambda *_: dropped  # type: ignore[method-assign]

    async def ask() -> Response:
        answer = place.handler.answer("/knative", CREATE)
        dropped.cancel()
        dropped.set_running_or_notify_cancel()
        return await given(answer)

    assert response_in(asyncio.run(ask()))["auditAnnotations"] == {"skipped": "not pinned: failed"}


@pytest.mark.parametrize(
    ("body", "put_back"),
    [
        (update(HELD, route([floating(100)])), True),
        (update(route(), route()), False),
        (update(HELD, route(), LOOP), False),
    ],
)
def test_a_route_is_answered_at_once_and_counted(body: bytes, put_back: bool) -> None:
    place = Place()
    (response,) = place.answers(body)
    assert (response["allowed"], "patch" in response) == (True, put_back)
    sample = {"result": "put back" if put_back else "passed"}
    assert place.metrics.registry.get_sample_value("stagegate_route_reviews_total", sample) == 1
    assert place.api.requests == []


def test_without_a_cluster_everything_is_left_as_it_is() -> None:
    handler = AdmissionHandler(EmptyLookup(), Settings(), ServerMetrics())
    for body in (CREATE, update(HELD, route([floating(100)]))):
        answer = handler.answer("/knative", body)
        assert isinstance(answer, Response)
        assert response_in(answer)["auditAnnotations"] == {"skipped": "this webhook leaves Knative's objects alone"}


@pytest.mark.parametrize("body", [b"", b"{}", b"[" * 100_000])
def test_what_is_no_review_is_refused(body: bytes) -> None:
    answer = Place().handler.answer("/knative", body)
    assert isinstance(answer, Response)
    assert answer.status == 400


def test_answers_are_counted_by_path_kind_and_verdict() -> None:
    place = Place()
    place.answers(CREATE, update(HELD, route([floating(100)])), review({}, "services"))
    samples = [
        ("Revision", "CREATE", "allowed"),
        ("Route", "UPDATE", "allowed"),
        ("other", "CREATE", "skipped"),
    ]
    for kind, operation, verdict in samples:
        labels = {"path": "/knative", "kind": kind, "operation": operation, "verdict": verdict}
        assert place.metrics.registry.get_sample_value("stagegate_admission_reviews_total", labels) == 1
    count = place.metrics.registry.get_sample_value("stagegate_pin_duration_seconds_count")
    assert count == 1

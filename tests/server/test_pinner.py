"""A pin on the cluster: the Route before, what other clients do meanwhile, the requests and what became of it."""

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from tests.cluster.fake_api import FakeApi, status_error
from tests.knative.routes import HOLD, UID, floating, held_entries, hold, named, route, service
from webhook.api.wire import Wire, copy_of
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError, OutcomeUnknown
from webhook.cluster.resource import ROUTES
from webhook.cluster.transport import Request
from webhook.knative.opt_in import Obstacle
from webhook.knative.pin import NewRevision, Observation, Pin, decide_pin
from webhook.server.pinner import MOST_AT_ONCE, TRIES, Outcome, Pinner

NEW = NewRevision("default", "b", "hello", UID)


def decide(current: Wire) -> Pin | Obstacle:
    return decide_pin(NEW, Observation(service()), current)


class Place:
    """An API server with one Route, and a clock that moves with each request."""

    def __init__(self, one: Wire | None = None, seconds_each: float = 0.0) -> None:
        self.api = FakeApi()
        self.api.serve(ROUTES)
        self.seen = self.api.put(ROUTES, one or route())
        self.now = 100.0
        self.timeouts: list[float] = []
        self._seconds_each = seconds_each

    def client_within(self, seconds: float) -> Client:
        self.timeouts.append(round(seconds, 2))
        self.now += self._seconds_each
        return Client(self.api, field_manager="test", read_timeout=seconds, write_timeout=seconds)

    def pin(self, decide: Callable[[Wire], Pin | Obstacle] = decide, seconds: float = 1.5) -> Outcome:
        pinner = Pinner(self.client_within, lambda: self.now)
        try:
            return pinner.pin(copy_of(self.seen), decide, self.now + seconds)
        finally:
            pinner.stop()

    def stored(self) -> Any:
        return self.api.get(ROUTES, "default", "hello")

    def changed(self, **labels: str) -> None:
        one = copy_of(self.stored())
        one["metadata"]["labels"] = labels
        self.api.put(ROUTES, one)


def test_the_route_is_pinned_by_one_conditional_write() -> None:
    place = Place()
    outcome = place.pin()
    assert (outcome.result, outcome.is_pinned) == ("pinned", True)
    assert place.api.written() == ["patch routes default/hello"]
    assert place.api.reads == []
    assert place.api.writes[0].body["metadata"]["resourceVersion"] == place.seen["metadata"]["resourceVersion"]
    assert (place.stored()["metadata"]["annotations"][HOLD], place.stored()["spec"]["traffic"]) == (
        hold("b"),
        held_entries(a=100),
    )
    assert outcome.route == place.stored()


def test_a_route_that_is_pinned_for_the_revision_is_not_written() -> None:
    place = Place(route(held_entries(a=100), annotation=hold("b")))
    outcome = place.pin()
    assert (outcome.result, outcome.is_pinned, place.api.requests) == ("repeated", True, [])


def test_after_a_conflict_the_route_is_read_and_decided_on_once_more() -> None:
    place = Place()
    moved = copy_of(place.stored()) | {"status": {"traffic": [named("c", 100)]}}
    place.api.put(ROUTES, moved)
    outcome = place.pin()
    assert (outcome.result, outcome.conflicts) == ("pinned", 1)
    assert [str(call) for call in place.api.reads] == ["get routes default/hello"]
    assert place.stored()["spec"]["traffic"] == [named("c", 100), floating(), named("c", 0)]


def test_a_conflict_whose_route_has_no_traffic_any_more_ends_the_pin() -> None:
    place = Place()
    place.api.put(ROUTES, copy_of(place.stored()) | {"status": {}})
    outcome = place.pin()
    assert (outcome.result, outcome.is_pinned, outcome.detail) == (
        "not held",
        False,
        "the Route sends no traffic to any revision yet",
    )


def test_a_route_that_changes_again_and_again_is_given_up() -> None:
    place = Place()

    def before_write(request: Request) -> None:
        if request.method == "PATCH":
            place.changed(version=str(place.api.version))

    place.api.fail = before_write
    assert place.pin() == Outcome(
        "conflict", f"the Route changed during each of {TRIES} attempts to pin it", conflicts=TRIES
    )
    assert place.api.written() == ["patch routes default/hello"] * TRIES
    assert len(place.api.reads) == TRIES - 1
    assert HOLD not in place.stored()["metadata"]["annotations"]


def test_a_route_that_is_deleted_meanwhile_is_not_held() -> None:
    place = Place()
    place.changed(x="y")

    def before_read(request: Request) -> None:
        if request.method == "GET":
            place.api.remove(ROUTES, "default", "hello")

    place.api.fail = before_read
    assert place.pin() == Outcome("not held", "the Route has been deleted")


@pytest.mark.parametrize(
    "problem",
    [
        lambda request: status_error(request, 403, "Forbidden", "not allowed"),
        lambda request: status_error(request, 500, "InternalError", "broken"),
        lambda request: OutcomeUnknown(request.call, "timed out"),
    ],
)
def test_what_cannot_be_written_is_not_pinned(problem: Callable[[Request], ApiError]) -> None:
    place = Place()
    place.api.fail = problem
    outcome = place.pin()
    assert (outcome.result, outcome.is_pinned) == ("failed", False)
    assert outcome.detail.startswith("patch routes default/hello: ")


def test_each_request_gets_what_is_left_of_the_time_and_none_is_begun_without() -> None:
    place = Place(seconds_each=0.8)
    place.changed(x="y")
    assert place.pin() == Outcome("late", "the deadline passed before the Route was written")
    assert place.timeouts == [1.5, 0.7]
    assert place.api.written() == ["patch routes default/hello"]
    assert HOLD not in place.stored()["metadata"]["annotations"]


def test_no_more_than_a_bounded_number_is_under_way() -> None:
    place = Place()
    wait = Event()

    def slow(current: Wire) -> Pin | Obstacle:
        wait.wait(60)
        return decide(current)

    pinner = Pinner(place.client_within, lambda: place.now)
    begun = [pinner.begin(place.seen, slow, place.now + 1) for _ in range(MOST_AT_ONCE + 2)]
    assert [each is None for each in begun] == [False] * MOST_AT_ONCE + [True] * 2
    wait.set()
    outcomes = [each.result(60) for each in begun if each is not None]
    assert {outcome.result for outcome in outcomes} <= {"pinned", "repeated"}
    again = pinner.begin(place.seen, decide, place.now + 1)
    assert again is not None
    assert again.result(60).is_pinned
    pinner.stop()

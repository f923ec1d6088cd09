"""Events: what is sent, what is counted instead, and what is dropped."""

import itertools
import threading
import tracemalloc

import pytest

from tests.cluster.fake_api import FakeApi
from tests.cluster.fake_clock import FakeClock
from webhook.cluster.client import Client
from webhook.cluster.errors import Forbidden
from webhook.cluster.events import Correlator, Event, EventRecorder, reference_to
from webhook.cluster.resource import EVENTS, ROLLOUT_ORCHESTRATORS
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.transport import Request

HELLO = reference_to(
    ROLLOUT_ORCHESTRATORS, {"namespace": "default", "name": "hello", "uid": "u1", "resourceVersion": "7"}
)


class Recording:
    def __init__(self, burst: int = 25) -> None:
        self.api, self.clock = FakeApi(), FakeClock()
        self.api.serve(EVENTS)
        self.counted: list[str] = []
        numbers = itertools.count(1)

        def suffix() -> str:
            return str(next(numbers))

        self.recorder = EventRecorder(
            Client(self.api, field_manager="test"),
            "loop",
            self.clock,
            suffix,
            correlator=Correlator(suffix, quiet=300, burst=burst, refill=60),
            on_count=self.counted.append,
        )

    def emit(self, message: str = "m", reason: str = "Waiting", type_: str = "Normal", *, repeats: bool = True) -> None:
        self.recorder.send(Event(HELLO, type_, reason, message, repeats))


def test_a_new_event_says_who_what_when_and_about_whom() -> None:
    recording = Recording()
    recording.emit("the stage has begun", "StageStarted")
    assert recording.api.get(EVENTS, "default", "hello.1") is not None
    assert recording.api.writes[0].body == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "hello.1", "namespace": "default"},
        "involvedObject": {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "RolloutOrchestrator",
            "namespace": "default",
            "name": "hello",
            "uid": "u1",
            "resourceVersion": "7",
        },
        "type": "Normal",
        "reason": "StageStarted",
        "message": "the stage has begun",
        "source": {"component": "loop"},
        "reportingComponent": "loop",
        "reportingInstance": "loop",
        "firstTimestamp": "2026-01-02T03:04:05Z",
        "lastTimestamp": "2026-01-02T03:04:05Z",
        "count": 1,
    }


def test_a_repetition_is_counted_and_reported_once_in_a_while() -> None:
    recording = Recording()
    for _ in range(4):
        recording.emit()
        recording.clock.advance(60)
    assert recording.api.written() == ["create events default/hello.1"]
    recording.clock.advance(60)
    recording.emit()
    assert recording.api.written() == ["create events default/hello.1", "patch events default/hello.1"]
    assert recording.api.writes[-1].body == {"count": 5, "lastTimestamp": "2026-01-02T03:09:05Z"}


def test_what_has_happened_once_more_is_counted_at_once_within_the_bucket() -> None:
    recording = Recording(burst=3)
    for _ in range(5):
        recording.emit("paused", repeats=False)
        recording.clock.advance(1)
    assert [body["count"] for body in (write.body for write in recording.api.writes) if body] == [1, 2, 3]
    recording.clock.advance(60)
    recording.emit("paused", repeats=False)
    assert recording.api.writes[-1].body == {"count": 6, "lastTimestamp": "2026-01-02T03:05:10Z"}


@pytest.mark.parametrize(
    ("message", "reason", "type_"), [("other", "Waiting", "Normal"), ("m", "X", "Normal"), ("m", "Waiting", "Warning")]
)
def test_something_else_is_an_event_of_its_own(message: str, reason: str, type_: str) -> None:
    recording = Recording()
    recording.emit()
    recording.emit(message, reason, type_)
    assert recording.api.written() == ["create events default/hello.1", "create events default/hello.2"]


def test_an_event_that_has_expired_is_stored_anew() -> None:
    recording = Recording()
    recording.emit()
    recording.api.remove(EVENTS, "default", "hello.1")
    recording.clock.advance(3600)
    recording.emit()
    stored = recording.api.get(EVENTS, "default", "hello.1")
    assert stored is not None
    assert stored["count"] == 2


def test_an_object_that_talks_too_much_is_cut_short_and_may_speak_again_later() -> None:
    recording = Recording(burst=3)
    for number in range(10):
        recording.emit(f"message {number}")
    assert len(recording.api.writes) == 3
    recording.clock.advance(60)
    recording.emit("later")
    recording.emit("too soon")
    assert [write.body["message"] for write in recording.api.writes[3:]] == ["later"]


def test_a_failure_is_counted_and_the_next_time_is_the_first_time() -> None:
    recording = Recording()
    recording.api.fail = lambda request: Forbidden(request.call, "no", status=403)
    recording.emit()
    recording.api.fail = lambda request: None
    recording.emit()
    assert recording.counted == ["failed", "sent"]
    assert recording.api.written() == ["create events default/hello.2"]


def test_telling_never_waits() -> None:
    recording = Recording()
    for number in range(10_500):
        recording.recorder.record(Event(HELLO, "Normal", "R", str(number)))
    assert recording.counted == ["dropped"] * 500


def test_what_is_queued_is_sent_before_the_end() -> None:
    recording = Recording()
    recording.recorder.record(Event(HELLO, "Normal", "R", "m"))
    recording.recorder.start()
    recording.recorder.stop(5)
    assert recording.api.written() == ["create events default/hello.1"]


def test_a_fault_costs_one_event_and_the_next_one_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    recording = Recording()
    faults: list[str] = []
    recording.recorder._supervisor = Supervisor(recording.clock.monotonic, faults.append, random_number=lambda: 0.0)
    sent = threading.Event()

    def fault(request: Request) -> None:
        if "poison" in str(request.body):
            raise KeyError("metadata")
        sent.set()

    recording.api.fail = fault
    recording.recorder.start()
    recording.recorder.record(Event(HELLO, "Normal", "Waiting", "poison"))
    recording.recorder.record(Event(HELLO, "Normal", "Waiting", "second"))
    assert sent.wait(20)
    recording.recorder.stop()
    assert (faults, recording.counted) == (["events"], ["failed", "sent"])
    assert caplog.records[0].exc_info


def test_what_is_queued_at_the_end_is_sent() -> None:
    recording = Recording()
    recording.recorder.start()
    for number in range(20):
        recording.recorder.record(Event(HELLO, "Normal", "Waiting", str(number)))
    recording.recorder.stop(20)
    assert recording.counted == ["sent"] * 20


def test_what_is_remembered_of_events_is_small() -> None:
    """Of thousands, each with its own long message: a rollout has some twenty, and the next one others."""
    correlator = Correlator(lambda: "x" * 16, burst=10_000)
    now = FakeClock().now()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(5_000):
            message = f"{number} {'m' * 1_000}"
            assert correlator.correlate(Event(HELLO, "Normal", "StageStarted", message), now, float(number)) is not None
        assert tracemalloc.get_traced_memory()[0] - before < 2_000_000
    finally:
        tracemalloc.stop()
    assert correlator.correlate(Event(HELLO, "Normal", "StageStarted", message), now, 5_000.0) is None


def test_what_has_expired_is_forgotten_and_what_repeats_is_not() -> None:
    correlator, now = Correlator(lambda: "x", quiet=300, burst=2, refill=60), FakeClock().now()
    gone, lasts = Event(HELLO, "Normal", "StageStarted", "gone"), Event(HELLO, "Normal", "Waiting", "lasts")
    for event in (gone, lasts):
        assert correlator.correlate(event, now, 0.0) is not None
    for minute in range(5, 70, 5):
        repeated = correlator.correlate(lasts, now, minute * 60.0)
        assert repeated is not None
        assert not repeated.is_new
    assert correlator.correlate(gone, now, 3900.0) is not None
    assert len(correlator._known) == 2
    assert correlator.correlate(lasts, now, 10_000.0) is not None
    assert len(correlator._known) == 1
    assert len(correlator._buckets) == 1, "the bucket of an object is made anew when it is full"

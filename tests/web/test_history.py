"""The history of the page: recorded while no page is open, also after an exception."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.waiting import eventually
from tests.web.pages import FakeSource
from tests.web.scenes import PATH, first_stage, stuck_second_stage
from webhook.cluster.supervisor import Supervisor
from webhook.diagnosis.world import World
from webhook.web.metrics import WebMetrics
from webhook.web.pages import PageOptions, make_app


class BreakingSource(FakeSource):
    """A world that cannot be had a few times."""

    failures = 0

    def world(self) -> World:
        if self.failures:
            self.failures -= 1
            raise ZeroDivisionError("by a rollout of nobody")
        return super().world()


class Recorded:
    """Pages that record, on a clock that a test sets for the supervisor."""

    def __init__(self, source: FakeSource) -> None:
        self.ended, self.metrics, self.seconds = threading.Event(), WebMetrics(), 0.0
        supervisor = Supervisor(lambda: self.seconds, self.metrics.faulted, random_number=lambda: 0.0)
        options = PageOptions(
            time.monotonic, records=True, ended=self.ended, supervisor=supervisor, registry=self.metrics.registry
        )
        self.client: Any = make_app(source, options).test_client()

    def faults(self, loop: str) -> float:
        return self.metrics.registry.get_sample_value("stagegate_web_faults_total", {"loop": loop}) or 0.0

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.client.get(f"{PATH}?format=json").text)
        return found


@pytest.fixture
def source() -> BreakingSource:
    return BreakingSource(first_stage())


@pytest.fixture
def recorded(source: BreakingSource) -> Iterator[Recorded]:
    pages = Recorded(source)
    yield pages
    pages.ended.set()
    source.show(source.shown)


def test_what_changes_is_recorded_while_no_page_is_open(recorded: Recorded, source: BreakingSource) -> None:
    eventually(lambda: source.asked, "the first stage is recorded")
    source.show(stuck_second_stage())
    assert [stage["when"] for stage in recorded.document()["stages"]][:2] == ["done", "now"]


def test_an_exception_is_logged_whole_and_counted_and_the_change_is_recorded_all_the_same(
    recorded: Recorded, source: BreakingSource, caplog: pytest.LogCaptureFixture
) -> None:
    eventually(lambda: source.asked, "the thread has begun")
    source.failures = 2
    source.show(stuck_second_stage())
    eventually(lambda: recorded.faults("history") == 2, "both exceptions are counted")
    asked = source.asked
    eventually(lambda: source.asked > asked, "it is tried again until it can be had")

    assert caplog.text.count("unexpected exception: history; the process continues") == 2
    assert caplog.text.count("ZeroDivisionError: by a rollout of nobody") == 2
    assert "in _record" in caplog.text, "with its traceback"
    assert recorded.client.get("/healthz").text == "ok\n"
    source.show(first_stage())
    observed = [one["traffic"] for one in recorded.document()["moments"] if not one["isPlanned"]]
    assert len(observed) == 3, "the second stage is there, which no request has asked for"
    assert observed[0] == observed[2] != observed[1]


def test_a_thread_that_hangs_turns_health_red(source: BreakingSource) -> None:
    entered, go_on = threading.Event(), threading.Event()

    class Hanging(BreakingSource):
        def wait(self, version: int, seconds: float) -> int:
            entered.set()
            go_on.wait(60.0)
            return super().wait(version, 0.0)

    pages = Recorded(Hanging(first_stage()))
    try:
        assert entered.wait(60.0)
        pages.seconds = 301.0
        answer = pages.client.get("/healthz")
        assert (answer.status_code, answer.text) == (503, "history: no turn for 301 s\n")
    finally:
        pages.ended.set()
        go_on.set()


def test_an_exception_of_a_page_or_a_stream_is_logged_and_counted_too(
    source: BreakingSource, caplog: pytest.LogCaptureFixture
) -> None:
    pages = Recorded(source)
    pages.ended.set()
    source.failures = 1
    answer = pages.client.get("/")
    assert (answer.status_code, answer.text) == (500, "the page failed; the log of the process says why\n")
    assert pages.client.get("/").status_code == 200

    pages.ended.clear()
    source.failures = 1
    stream = pages.client.get("/?format=stream", buffered=False)
    assert list(stream.response) == []
    stream.close()
    assert (pages.faults("pages"), pages.faults("stream")) == (1.0, 1.0)
    assert caplog.text.count("ZeroDivisionError: by a rollout of nobody") == 2


def test_what_it_counts_is_at_metrics(source: BreakingSource) -> None:
    pages = Recorded(source)
    pages.ended.set()
    assert 'stagegate_web_faults_total{loop="history"} 0.0' in pages.client.get("/metrics").text

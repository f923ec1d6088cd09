"""The reflector: list, watch, and what it does when the server or the connection fails."""

import threading
from typing import Any

import pytest

from tests.cluster.fake_api import FakeApi, Script
from tests.cluster.fake_clock import FakeClock
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError, Call, Forbidden, Gone, OutcomeUnknown, TooManyRequests, Unreachable
from webhook.cluster.indexer import Change, Indexer
from webhook.cluster.reflector import Pace, Reflector
from webhook.cluster.resource import PODS
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.transport import Request
from webhook.cluster.trim import only

WATCH = Call("watch", "pods")


class ReflectedPods:
    """One reflector of pods on a fake API server."""

    def __init__(self, **options: Any) -> None:
        self.api, self.clock = FakeApi(), FakeClock()
        self.api.serve(PODS)
        self.changes: list[str] = []
        self.faults: list[str] = []
        self.poison: set[str] = set()
        self.counted: list[str] = []
        self.reflector = Reflector(
            Client(self.api, field_manager="test"),
            PODS,
            Indexer(self.clock.monotonic),
            self.clock,
            on_change=self.changed,
            on_count=self.counted.append,
            random_number=lambda: 0.0,
            supervisor=Supervisor(self.clock.monotonic, self.faults.append),
            **options,
        )

    def changed(self, change: Change) -> None:
        if rendered(change) in self.poison:
            raise KeyError("metadata")
        self.changes.append(rendered(change))

    def pod(self, name: str, **spec: Any) -> Wire:
        return self.api.put(PODS, {"metadata": {"name": name}, "spec": spec})

    def names(self) -> list[str]:
        return [one["metadata"]["name"] for one in self.reflector.store.objects()]


def rendered(change: Change) -> str:
    if change.before is None:
        return f"+{change.object['metadata']['name']}"
    return f"{'-' if change.after is None else '~'}{change.object['metadata']['name']}"


def test_it_lists_then_watches_from_there() -> None:
    reflected = ReflectedPods()
    reflected.pod("a")
    assert not reflected.reflector.synced
    reflected.reflector.step()
    assert reflected.reflector.synced
    reflected.pod("b")
    reflected.pod("a", x=1)
    reflected.api.remove(PODS, "default", "a")
    reflected.reflector.step()
    assert reflected.changes == ["+a", "+b", "~a", "-a"]
    assert reflected.counted == ["list", "watch", "bookmark", "watch", "event", "event", "event", "bookmark"]
    assert [call.verb for call in reflected.api.reads] == ["list", "watch", "watch"]


def test_it_lists_in_pages() -> None:
    reflected = ReflectedPods(pace=Pace(page=2))
    for name in "abcde":
        reflected.pod(name)
    reflected.reflector.step()
    assert reflected.names() == list("abcde")
    assert [call.verb for call in reflected.api.reads] == ["list", "list", "list", "watch"]


def test_pages_that_expire_are_read_again_in_one_piece() -> None:
    reflected = ReflectedPods(pace=Pace(page=2))
    for name in "abc":
        reflected.pod(name)
    reflected.api.fail = lambda request: (
        Gone(request.call, "continue token expired", status=410) if "continue" in request.query else None
    )
    reflected.reflector.step()
    assert reflected.names() == list("abc")


def test_a_watch_asks_for_bookmarks_and_both_time_outs() -> None:
    reflected = ReflectedPods(pace=Pace(shortest_watch=100, longest_watch=200, silence=70))
    reflected.reflector.step()
    watch = reflected.api.requests[-1]
    assert watch.query["allowWatchBookmarks"] == "true"
    assert watch.query["timeoutSeconds"] == "100"
    assert watch.timeout == 70


def test_after_410_it_lists_again_and_notices_what_was_deleted_meanwhile() -> None:
    reflected = ReflectedPods()
    reflected.pod("a")
    reflected.reflector.step()
    reflected.pod("b")
    reflected.api.remove(PODS, "default", "a")
    reflected.api.compact()
    assert reflected.reflector.step() > 0
    reflected.reflector.step()
    assert reflected.changes == ["+a", "-a", "+b"]
    assert "gone" in reflected.counted


def test_a_cut_connection_is_taken_up_where_it_ended() -> None:
    reflected = ReflectedPods()
    reflected.reflector.step()
    reflected.api.streams = [Script([OutcomeUnknown(WATCH, "connection reset")])]
    assert reflected.reflector.step() == 1.0
    reflected.pod("a")
    reflected.reflector.step()
    assert reflected.names() == ["a"]
    assert reflected.counted.count("list") == 1


def test_after_a_silent_connection_it_lists_again() -> None:
    reflected = ReflectedPods(pace=Pace(silence=60))
    reflected.reflector.step()
    reflected.api.streams = [Script([lambda: reflected.clock.advance(60), OutcomeUnknown(WATCH, "read timed out")])]
    reflected.reflector.step()
    reflected.reflector.step()
    assert reflected.counted.count("list") == 2
    assert "silence" in reflected.counted


def test_failures_are_spaced_further_and_further_and_an_answer_ends_that() -> None:
    reflected = ReflectedPods()
    reflected.api.fail = lambda request: Unreachable(request.call, "connection refused")
    assert [reflected.reflector.step() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    reflected.api.fail = lambda request: None
    assert reflected.reflector.step() == 0.0
    reflected.api.fail = lambda request: Unreachable(request.call, "connection refused")
    assert reflected.reflector.step() == 1.0


def test_a_server_that_ends_every_watch_at_once_is_not_asked_in_a_loop() -> None:
    reflected = ReflectedPods()
    reflected.api.streams = [Script([]), Script([])]
    assert reflected.reflector.step() == 1.0
    assert reflected.reflector.step() == 2.0


def test_retry_after_is_honoured() -> None:
    reflected = ReflectedPods()
    reflected.api.fail = lambda request: TooManyRequests(request.call, "slow down", retry_after=17)
    assert reflected.reflector.step() == 17.0


def test_jitter_stretches_a_delay() -> None:
    reflected = ReflectedPods()
    reflected.reflector._backoff.random = lambda: 0.5
    reflected.api.fail = lambda request: Unreachable(request.call, "connection refused")
    assert reflected.reflector.step() == 1.5


@pytest.mark.parametrize("problem", [Forbidden(WATCH, "no", status=403), Unreachable(WATCH, "refused")])
def test_what_cannot_be_listed_is_not_synced_and_not_empty(problem: ApiError) -> None:
    reflected = ReflectedPods()
    reflected.api.fail = lambda request: problem
    reflected.reflector.step()
    assert not reflected.reflector.synced
    assert reflected.reflector.age() == float("inf")
    assert reflected.reflector.last_error is problem


def test_a_resource_that_is_no_longer_served_is_not_synced_and_keeps_its_objects() -> None:
    reflected = ReflectedPods()
    reflected.pod("a")
    reflected.reflector.step()
    reflected.api.withdraw(PODS)
    reflected.reflector.step()
    assert not reflected.reflector.synced
    assert reflected.names() == ["a"]
    assert reflected.changes == ["+a"]


def test_a_resource_that_is_not_served_is_asked_for_once_in_a_while_and_found_when_it_comes() -> None:
    reflected = ReflectedPods(pace=Pace(absent=60))
    reflected.api.withdraw(PODS)
    assert [reflected.reflector.step() for _ in range(3)] == [60, 60, 60]
    assert reflected.reflector.absent
    reflected.api.serve(PODS)
    reflected.pod("a")
    assert reflected.reflector.step() == 0
    assert reflected.reflector.synced
    assert not reflected.reflector.absent


def test_a_list_of_one_namespace_says_nothing_about_the_others() -> None:
    reflected = ReflectedPods(namespace="default")
    elsewhere = reflected.api.put(PODS, {"metadata": {"name": "x", "namespace": "elsewhere"}})
    reflected.reflector.store.replace([elsewhere], "1", "elsewhere")
    reflected.pod("a")
    reflected.reflector.step()
    assert reflected.names() == ["a", "x"]


def test_every_sign_of_life_is_heard() -> None:
    contacts: list[int] = []
    reflected = ReflectedPods(on_contact=lambda: contacts.append(1))
    reflected.reflector.step()
    assert len(contacts) == 3, "the list, the opened watch, its bookmark"


def test_events_that_come_twice_or_out_of_order_change_nothing() -> None:
    reflected = ReflectedPods()
    old = {"metadata": {"name": "a", "namespace": "default", "uid": "u", "resourceVersion": "201"}}
    new = {"metadata": {"name": "a", "namespace": "default", "uid": "u", "resourceVersion": "202"}}
    events = [{"type": kind, "object": one} for kind, one in [("ADDED", new), ("ADDED", old), ("MODIFIED", new)]]
    reflected.api.streams = [Script(events)]
    reflected.reflector.step()
    assert reflected.changes == ["+a"]
    reflected.reflector.step()
    assert reflected.api.requests[-1].query["resourceVersion"] == "202", "it does not go back to an older version"


def test_age_counts_from_the_last_sign_of_life() -> None:
    reflected = ReflectedPods()
    reflected.reflector.step()
    reflected.clock.advance(30)
    assert reflected.reflector.age() == 30
    reflected.reflector.step()
    assert reflected.reflector.age() == 0


def test_objects_are_trimmed_before_they_are_kept() -> None:
    reflected = ReflectedPods(trim=only("status.phase"))
    reflected.api.put(
        PODS, {"metadata": {"name": "a", "managedFields": [1]}, "spec": {"x": 1}, "status": {"phase": "P"}}
    )
    reflected.reflector.step()
    assert reflected.reflector.store.objects() == [
        {
            "metadata": {"name": "a", "namespace": "default", "uid": "uid-a", "resourceVersion": "101"},
            "status": {"phase": "P"},
        }
    ]


def test_stop_ends_the_thread() -> None:
    reflected = ReflectedPods()
    reflected.reflector.start()
    assert reflected.reflector.wait_until_synced(5)
    reflected.reflector.stop()
    assert reflected.reflector._thread is not None
    assert not reflected.reflector._thread.is_alive()


# Faults of the program


def test_a_change_that_is_not_taken_holds_nothing_up_and_is_passed_on_again(caplog: pytest.LogCaptureFixture) -> None:
    reflected = ReflectedPods()
    reflected.pod("a")
    reflected.pod("b")
    reflected.poison = {"+a", "~b"}
    assert reflected.reflector.step() == 0.0
    reflected.pod("b", x=1)
    reflected.pod("c")
    assert reflected.reflector.step() == 0.0
    assert reflected.changes == ["+b", "+c"]
    assert reflected.faults == ["reflector"] * 3, "a from the list and once more before the watch, b from the watch"
    assert "a change of pods default/a" in caplog.text
    reflected.poison = set()
    reflected.reflector.step()
    assert reflected.changes == ["+b", "+c", "+a", "~b"]


def test_a_change_that_is_not_taken_is_tried_again_soon_and_then_later_and_later() -> None:
    reflected = ReflectedPods()
    reflected.reflector.step()
    reflected.poison = {"+a", "+b"}
    reflected.pod("a")
    reflected.pod("b")
    reflected.reflector.step()
    assert reflected.faults == ["reflector"], "the watch ends at the first change that is not taken"
    seconds = []
    for _ in range(7):
        reflected.reflector.step()
        seconds.append(reflected.api.requests[-1].query["timeoutSeconds"])
    assert seconds == ["2", "2", "4", "8", "16", "30", "30"]
    reflected.poison = set()
    reflected.reflector.step()
    assert reflected.changes == ["+a", "+b"]
    assert reflected.api.requests[-1].query["timeoutSeconds"] == "300"
    reflected.poison = {"+c"}
    reflected.pod("c")
    reflected.reflector.step()
    reflected.reflector.step()
    assert reflected.api.requests[-1].query["timeoutSeconds"] == "2", "the backoff begins anew"


@pytest.mark.parametrize("where", ["a list", "a watch"])
@pytest.mark.parametrize("what", ["trim", "index", "contact"])
def test_after_a_fault_it_lists_anew_and_loses_nothing(what: str, where: str) -> None:
    broken = False

    def fault(_: Any = None) -> list[str]:
        if broken:
            raise KeyError("metadata")
        return []

    def trimmed(one: Any) -> Wire:
        return {**one, "trimmed": fault()}

    options: dict[str, dict[str, Any]] = {"trim": {"trim": trimmed}, "index": {}, "contact": {"on_contact": fault}}
    reflected = ReflectedPods(**options[what])
    if what == "index":
        reflected.reflector.store = Indexer(reflected.clock.monotonic, {"x": fault})
    if where == "a watch":
        reflected.reflector.step()
    broken = True
    reflected.pod("a")
    reflected.pod("b")
    with pytest.raises(KeyError):
        reflected.reflector.step()
    assert isinstance(reflected.reflector.last_error, KeyError)
    broken = False
    reflected.reflector.step()
    assert reflected.names() == ["a", "b"]
    assert sorted(reflected.changes) == ["+a", "+b"]
    assert reflected.reflector.last_error is None


@pytest.mark.parametrize(("listed", "after"), [("", "200"), ("abc", "200"), ("99", "200"), ("9" * 5000, "9" * 5000)])
def test_a_version_that_is_no_number_is_no_fault(listed: str, after: str) -> None:
    reflected = ReflectedPods()
    reflected.reflector._version = listed
    reflected.api.streams = [Script([{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "200"}}}])]
    reflected.reflector.step()
    assert reflected.reflector._version == after


def test_it_goes_on_in_its_thread_after_a_fault() -> None:
    reflected = ReflectedPods(pace=Pace(shortest_watch=1, longest_watch=1))
    raised = threading.Event()

    def fault(_: Request) -> None:
        reflected.api.fail = lambda request: None
        raised.set()
        raise RuntimeError("a bug in the client")

    reflected.api.fail = fault
    reflected.reflector.start()
    try:
        assert raised.wait(20)
        assert reflected.reflector.wait_until_synced(20)
        assert reflected.faults == ["reflector"]
    finally:
        reflected.reflector.stop()


def test_once_synced_it_remembers_that_it_was() -> None:
    reflected = ReflectedPods()
    reflected.reflector.step()
    reflected.api.withdraw(PODS)
    reflected.reflector.step()
    assert (reflected.reflector.synced, reflected.reflector.was_synced) == (False, True)


@pytest.mark.parametrize(("required", "level"), [(True, "WARNING"), (False, "INFO")])
def test_the_log_says_once_that_a_resource_is_not_served(
    required: bool, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    reflected = ReflectedPods(required=required)
    reflected.api.withdraw(PODS)
    with caplog.at_level("INFO"):
        reflected.reflector.step()
        reflected.reflector.step()
    assert [(record.levelname, record.message) for record in caplog.records] == [
        (level, "list pods: the server does not serve this resource")
    ]

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


class World:
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
        if said(change) in self.poison:
            raise KeyError("metadata")
        self.changes.append(said(change))

    def pod(self, name: str, **spec: Any) -> Wire:
        return self.api.put(PODS, {"metadata": {"name": name}, "spec": spec})

    def names(self) -> list[str]:
        return [one["metadata"]["name"] for one in self.reflector.store.objects()]


def said(change: Change) -> str:
    if change.before is None:
        return f"+{change.object['metadata']['name']}"
    return f"{'-' if change.after is None else '~'}{change.object['metadata']['name']}"


def test_it_lists_then_watches_from_there() -> None:
    world = World()
    world.pod("a")
    assert not world.reflector.synced
    world.reflector.step()
    assert world.reflector.synced
    world.pod("b")
    world.pod("a", x=1)
    world.api.remove(PODS, "default", "a")
    world.reflector.step()
    assert world.changes == ["+a", "+b", "~a", "-a"]
    assert world.counted == ["list", "watch", "bookmark", "watch", "event", "event", "event", "bookmark"]
    assert [call.verb for call in world.api.reads] == ["list", "watch", "watch"]


def test_it_lists_in_pages() -> None:
    world = World(pace=Pace(page=2))
    for name in "abcde":
        world.pod(name)
    world.reflector.step()
    assert world.names() == list("abcde")
    assert [call.verb for call in world.api.reads] == ["list", "list", "list", "watch"]


def test_pages_that_expire_are_read_again_in_one_piece() -> None:
    world = World(pace=Pace(page=2))
    for name in "abc":
        world.pod(name)
    world.api.fail = lambda request: (
        Gone(request.call, "continue token expired", status=410) if "continue" in request.query else None
    )
    world.reflector.step()
    assert world.names() == list("abc")


def test_a_watch_asks_for_bookmarks_and_both_time_outs() -> None:
    world = World(pace=Pace(shortest_watch=100, longest_watch=200, silence=70))
    world.reflector.step()
    watch = world.api.requests[-1]
    assert watch.query["allowWatchBookmarks"] == "true"
    assert watch.query["timeoutSeconds"] == "100"
    assert watch.timeout == 70


def test_after_410_it_lists_again_and_notices_what_was_deleted_meanwhile() -> None:
    world = World()
    world.pod("a")
    world.reflector.step()
    world.pod("b")
    world.api.remove(PODS, "default", "a")
    world.api.compact()
    assert world.reflector.step() > 0
    world.reflector.step()
    assert world.changes == ["+a", "-a", "+b"]
    assert "gone" in world.counted


def test_a_cut_connection_is_taken_up_where_it_ended() -> None:
    world = World()
    world.reflector.step()
    world.api.streams = [Script([OutcomeUnknown(WATCH, "connection reset")])]
    assert world.reflector.step() == 1.0
    world.pod("a")
    world.reflector.step()
    assert world.names() == ["a"]
    assert world.counted.count("list") == 1


def test_after_a_silent_connection_it_lists_again() -> None:
    world = World(pace=Pace(silence=60))
    world.reflector.step()
    world.api.streams = [Script([lambda: world.clock.advance(60), OutcomeUnknown(WATCH, "read timed out")])]
    world.reflector.step()
    world.reflector.step()
    assert world.counted.count("list") == 2
    assert "silence" in world.counted


def test_failures_are_spaced_further_and_further_and_an_answer_ends_that() -> None:
    world = World()
    world.api.fail = lambda request: Unreachable(request.call, "connection refused")
    assert [world.reflector.step() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    world.api.fail = lambda request: None
    assert world.reflector.step() == 0.0
    world.api.fail = lambda request: Unreachable(request.call, "connection refused")
    assert world.reflector.step() == 1.0


def test_a_server_that_ends_every_watch_at_once_is_not_asked_in_a_loop() -> None:
    world = World()
    world.api.streams = [Script([]), Script([])]
    assert world.reflector.step() == 1.0
    assert world.reflector.step() == 2.0


def test_retry_after_is_honoured() -> None:
    world = World()
    world.api.fail = lambda request: TooManyRequests(request.call, "slow down", retry_after=17)
    assert world.reflector.step() == 17.0


def test_jitter_stretches_a_delay() -> None:
    world = World()
    world.reflector._backoff.random = lambda: 0.5
    world.api.fail = lambda request: Unreachable(request.call, "connection refused")
    assert world.reflector.step() == 1.5


@pytest.mark.parametrize("problem", [Forbidden(WATCH, "no", status=403), Unreachable(WATCH, "refused")])
def test_what_cannot_be_listed_is_not_synced_and_not_empty(problem: ApiError) -> None:
    world = World()
    world.api.fail = lambda request: problem
    world.reflector.step()
    assert not world.reflector.synced
    assert world.reflector.age() == float("inf")
    assert world.reflector.last_error is problem


def test_a_resource_that_is_no_longer_served_is_not_synced_and_keeps_its_objects() -> None:
    world = World()
    world.pod("a")
    world.reflector.step()
    world.api.withdraw(PODS)
    world.reflector.step()
    assert not world.reflector.synced
    assert world.names() == ["a"]
    assert world.changes == ["+a"]


def test_a_resource_that_is_not_served_is_asked_for_once_in_a_while_and_found_when_it_comes() -> None:
    world = World(pace=Pace(absent=60))
    world.api.withdraw(PODS)
    assert [world.reflector.step() for _ in range(3)] == [60, 60, 60]
    assert world.reflector.absent
    world.api.serve(PODS)
    world.pod("a")
    assert world.reflector.step() == 0
    assert world.reflector.synced
    assert not world.reflector.absent


def test_a_list_of_one_namespace_says_nothing_about_the_others() -> None:
    world = World(namespace="default")
    elsewhere = world.api.put(PODS, {"metadata": {"name": "x", "namespace": "elsewhere"}})
    world.reflector.store.replace([elsewhere], "1", "elsewhere")
    world.pod("a")
    world.reflector.step()
    assert world.names() == ["a", "x"]


def test_every_sign_of_life_is_heard() -> None:
    contacts: list[int] = []
    world = World(on_contact=lambda: contacts.append(1))
    world.reflector.step()
    assert len(contacts) == 3, "the list, the opened watch, its bookmark"


def test_events_that_come_twice_or_out_of_order_change_nothing() -> None:
    world = World()
    old = {"metadata": {"name": "a", "namespace": "default", "uid": "u", "resourceVersion": "201"}}
    new = {"metadata": {"name": "a", "namespace": "default", "uid": "u", "resourceVersion": "202"}}
    events = [{"type": kind, "object": one} for kind, one in [("ADDED", new), ("ADDED", old), ("MODIFIED", new)]]
    world.api.streams = [Script(events)]
    world.reflector.step()
    assert world.changes == ["+a"]
    world.reflector.step()
    assert world.api.requests[-1].query["resourceVersion"] == "202", "it does not go back to an older version"


def test_age_counts_from_the_last_sign_of_life() -> None:
    world = World()
    world.reflector.step()
    world.clock.advance(30)
    assert world.reflector.age() == 30
    world.reflector.step()
    assert world.reflector.age() == 0


def test_objects_are_trimmed_before_they_are_kept() -> None:
    world = World(trim=only("status.phase"))
    world.api.put(PODS, {"metadata": {"name": "a", "managedFields": [1]}, "spec": {"x": 1}, "status": {"phase": "P"}})
    world.reflector.step()
    assert world.reflector.store.objects() == [
        {
            "metadata": {"name": "a", "namespace": "default", "uid": "uid-a", "resourceVersion": "101"},
            "status": {"phase": "P"},
        }
    ]


def test_stop_ends_the_thread() -> None:
    world = World()
    world.reflector.start()
    assert world.reflector.wait_until_synced(5)
    world.reflector.stop()
    assert world.reflector._thread is not None
    assert not world.reflector._thread.is_alive()


# Faults of the program


def test_a_change_that_is_not_taken_holds_nothing_up_and_is_passed_on_again(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.pod("a")
    world.pod("b")
    world.poison = {"+a", "~b"}
    assert world.reflector.step() == 0.0
    world.pod("b", x=1)
    world.pod("c")
    assert world.reflector.step() == 0.0
    assert world.changes == ["+b", "+c"]
    assert world.faults == ["reflector"] * 3, "a from the list and once more before the watch, b from the watch"
    assert "a change of pods default/a" in caplog.text
    world.poison = set()
    world.reflector.step()
    assert world.changes == ["+b", "+c", "+a", "~b"]


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
    world = World(**options[what])
    if what == "index":
        world.reflector.store = Indexer(world.clock.monotonic, {"x": fault})
    if where == "a watch":
        world.reflector.step()
    broken = True
    world.pod("a")
    world.pod("b")
    with pytest.raises(KeyError):
        world.reflector.step()
    assert isinstance(world.reflector.last_error, KeyError)
    broken = False
    world.reflector.step()
    assert world.names() == ["a", "b"]
    assert sorted(world.changes) == ["+a", "+b"]
    assert world.reflector.last_error is None


@pytest.mark.parametrize(("listed", "after"), [("", "200"), ("abc", "200"), ("99", "200"), ("9" * 5000, "9" * 5000)])
def test_a_version_that_is_no_number_is_no_fault(listed: str, after: str) -> None:
    world = World()
    world.reflector._version = listed
    world.api.streams = [Script([{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "200"}}}])]
    world.reflector.step()
    assert world.reflector._version == after


def test_it_goes_on_in_its_thread_after_a_fault() -> None:
    world = World(pace=Pace(shortest_watch=1, longest_watch=1))
    raised = threading.Event()

    def fault(_: Request) -> None:
        world.api.fail = lambda request: None
        raised.set()
        raise RuntimeError("a bug in the client")

    world.api.fail = fault
    world.reflector.start()
    try:
        assert raised.wait(20)
        assert world.reflector.wait_until_synced(20)
        assert world.faults == ["reflector"]
    finally:
        world.reflector.stop()


def test_once_synced_it_remembers_that_it_was() -> None:
    world = World()
    world.reflector.step()
    world.api.withdraw(PODS)
    world.reflector.step()
    assert (world.reflector.synced, world.reflector.was_synced) == (False, True)


@pytest.mark.parametrize(("required", "level"), [(True, "WARNING"), (False, "INFO")])
def test_the_log_says_once_that_a_resource_is_not_served(
    required: bool, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(required=required)
    world.api.withdraw(PODS)
    with caplog.at_level("INFO"):
        world.reflector.step()
        world.reflector.step()
    assert [(record.levelname, record.message) for record in caplog.records] == [
        (level, "list pods: the server does not serve this resource")
    ]

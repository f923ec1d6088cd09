"""The reflector: list, watch, and what it does when the server or the connection fails."""

import threading
from typing import Any

import pytest

from tests.cluster.fake_api import Script
from tests.cluster.reflected_pods import ReflectedPods
from webhook.cluster.errors import ApiError, Call, Forbidden, Gone, OutcomeUnknown, TooManyRequests, Unreachable
from webhook.cluster.reflector import Pace
from webhook.cluster.resource import PODS
from webhook.cluster.transport import Request
from webhook.cluster.trim import only

WATCH = Call("watch", "pods")


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


def test_watches_that_end_at_once_are_said_once_and_are_no_sign_of_life(caplog: pytest.LogCaptureFixture) -> None:
    reflected = ReflectedPods()
    reflected.reflector.step()
    for _ in range(3):
        reflected.clock.advance(100)
        reflected.api.streams = [Script([])]
        reflected.reflector.step()
    assert reflected.reflector.age() == 300
    assert caplog.messages == ["watch pods: the server ended it at once, without an event"]
    assert reflected.counted.count("error") == 3
    reflected.reflector.step()
    assert (reflected.reflector.age(), reflected.reflector.last_error) == (0, None)


def test_a_watch_that_ends_late_is_followed_by_a_list_which_finds_what_no_event_said() -> None:
    reflected = ReflectedPods(pace=Pace(relist=300.0))
    kept = reflected.pod("a")
    reflected.reflector.step()
    one = reflected.reflector.store.get("default", "a")
    reflected.pod("b")
    reflected.api.history.clear()
    reflected.clock.advance(299)
    reflected.reflector.step()
    assert reflected.names() == ["a"]
    reflected.clock.advance(1)
    reflected.reflector.step()
    reflected.reflector.step()
    assert reflected.names() == ["a", "b"]
    assert reflected.changes == ["+a", "+b"]
    assert reflected.counted.count("list") == 2
    assert reflected.reflector.store.get("default", "a") is one, "what is known is not stored once more"
    assert kept == one


def test_a_server_that_lost_data_is_listed_again_and_believed() -> None:
    reflected = ReflectedPods()
    reflected.pod("a", x=1)
    reflected.reflector.step()
    store = reflected.reflector.store
    own = {
        "metadata": {"name": "a", "namespace": "default", "uid": "uid-a", "resourceVersion": "200"},
        "spec": {"x": 2},
    }
    store.assume(own)
    store.assume_deleted(reflected.pod("b"))
    reflected.reflector.step()
    assert (reflected.names(), store.get("default", "a")) == (["a"], own)

    def lost() -> None:
        reflected.reflector.list_again()

    reflected.api.streams = [Script([lost, bookmark("300"), bookmark("301")])]
    reflected.reflector.step()
    assert reflected.api.streams == []
    reflected.reflector.step()
    assert reflected.names() == ["a", "b"]
    found = store.get("default", "a")
    assert found is not None
    assert found["spec"] == {"x": 1}


def test_it_lists_at_once_if_that_is_asked_for_while_a_watch_is_opened() -> None:
    reflected = ReflectedPods()

    def ask(request: Request) -> None:
        if request.call.verb == "watch":
            reflected.reflector.list_again()

    reflected.api.fail = ask
    reflected.api.streams = [Script([lambda: pytest.fail("the watch is read"), bookmark("300")])]
    assert reflected.reflector.step() == 0.0
    reflected.api.fail = lambda request: None
    reflected.reflector.step()
    assert reflected.counted.count("list") == 2
    assert not reflected.reflector.outdated


@pytest.mark.parametrize("is_served", [True, False])
def test_it_is_outdated_until_it_has_listed_again(is_served: bool) -> None:
    reflected = ReflectedPods()
    assert not reflected.reflector.outdated
    reflected.reflector.list_again()
    assert not reflected.reflector.outdated, "it has no objects yet"
    reflected.reflector.step()
    reflected.reflector.list_again()
    reflected.api.fail = lambda request: Unreachable(request.call, "refused")
    reflected.reflector.step()
    assert reflected.reflector.outdated
    reflected.api.fail = lambda request: None
    if not is_served:
        reflected.api.withdraw(PODS)
    reflected.reflector.step()
    assert not reflected.reflector.outdated


def test_it_is_outdated_at_every_moment_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others ask while this thread is between any two of its steps."""
    reflected = ReflectedPods()
    reflected.reflector.step()
    seen: list[bool] = []

    class Asked(threading.Event):
        def clear(self) -> None:
            super().clear()
            seen.append(reflected.reflector.outdated)

    monkeypatch.setattr(reflected.reflector, "_must_list", Asked())
    reflected.reflector.list_again()
    reflected.reflector.step()
    assert (seen, reflected.reflector.outdated) == ([True], False)


def bookmark(version: str) -> dict[str, Any]:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}


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


def test_once_synced_it_remembers_that_it_was() -> None:
    reflected = ReflectedPods()
    reflected.reflector.step()
    reflected.api.withdraw(PODS)
    reflected.reflector.step()
    assert (reflected.reflector.synced, reflected.reflector.was_synced) == (False, True)


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

"""Faults of the program in a reflector: nothing is lost, and the reflector goes on."""

import threading
from typing import Any

import pytest

from tests.cluster.fake_api import Script
from tests.cluster.reflected_pods import ReflectedPods
from webhook.api.wire import Wire
from webhook.cluster.indexer import Indexer
from webhook.cluster.reflector import Pace
from webhook.cluster.transport import Request


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

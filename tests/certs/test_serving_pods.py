"""The pods that serve: which they are, and that they are probed at the same time."""

import socket
import threading
from datetime import timedelta
from typing import Any

import pytest

from certs.authority import make_authority
from certs.context import LiveContext
from certs.leaf import make_leaf
from certs.serving_pods import ServingPods, addresses_of, prober, shown_by
from tests.certs.adapted import adapted
from tests.certs.tls_server import serving
from tests.cluster.fake_api import FakeApi
from tests.cluster.fake_clock import START
from webhook.cluster.client import Client
from webhook.cluster.resource import PODS

DAY = timedelta(days=1)


def pod(name: str, address: str = "", phase: str = "Running", app: str = "hook") -> dict[str, Any]:
    status = {"phase": phase} | ({"podIP": address} if address else {})
    return {"metadata": {"name": name, "namespace": "ours", "labels": {"app": app}}, "status": status}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (pod("a", "10.0.0.1"), {"a (10.0.0.1)": "10.0.0.1"}),
        (pod("a", "fd00::1"), {"a (fd00::1)": "fd00::1"}),
        (pod("a", "10.0.0.1", "Pending"), {"a (10.0.0.1)": "10.0.0.1"}),
        (pod("a", phase="Pending"), {}),
        (pod("a", "10.0.0.1", "Succeeded"), {}),
        (pod("a", "10.0.0.1", "Failed"), {}),
        ({"metadata": {"name": "a"}}, {}),
    ],
    ids=["IPv4", "IPv6", "not running yet", "no address yet", "ended", "failed", "just made"],
)
def test_who_may_answer_calls(given: dict[str, Any], expected: dict[str, str]) -> None:
    assert addresses_of([given]) == expected


def test_the_selected_pods_of_the_namespace_are_asked() -> None:
    api = FakeApi()
    api.serve(PODS)
    for one in (pod("b", "10.0.0.2"), pod("a", "10.0.0.1"), pod("c", "10.0.0.3", app="other")):
        api.put(PODS, one)
    pods = ServingPods(adapted(Client(api, field_manager="test")), "ours", "app=hook", {"10.0.0.1": b"shown"}.get)
    assert pods.shown() == {"a (10.0.0.1)": b"shown", "b (10.0.0.2)": None}
    assert str(api.reads[0]) == "list pods ours"


def test_many_are_asked_at_once() -> None:
    all_are_asked = threading.Barrier(8)

    def ask(address: str) -> bytes:
        all_are_asked.wait(20)
        return address.encode()

    assert shown_by({name: name for name in "abcdefgh"}, ask) == {name: name.encode() for name in "abcdefgh"}


def test_a_fault_in_a_probe_is_raised_where_the_controller_counts_it() -> None:
    def fails(address: str) -> bytes | None:
        raise KeyError(address)

    with pytest.raises(KeyError):
        shown_by({"a": "10.0.0.1", "b": "10.0.0.2"}, fails)


def test_a_server_shows_its_leaf() -> None:
    leaf = make_leaf(make_authority(START, 90 * DAY), ["a"], START, DAY)
    live = LiveContext()
    live.load(leaf, START)
    with serving(live) as port:
        assert prober(port)("127.0.0.1") == leaf.certificate


def test_one_without_a_certificate_and_one_that_is_not_there_show_none() -> None:
    with serving(LiveContext()) as port:
        assert prober(port)("127.0.0.1") is None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    assert prober(free)("127.0.0.1") is None


def test_one_that_takes_the_connection_and_says_nothing_shows_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert prober(silent.getsockname()[1], seconds=0.1)("127.0.0.1") is None

"""Responses with 200 that no API server sent: the caller gets an error, and nothing in them is believed."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.candidate import Candidate
from tests.cluster.fake_api import FakeApi, Script
from tests.cluster.reflected_pods import ReflectedPods
from webhook.cluster.client import Client
from webhook.cluster.errors import OutcomeUnknown
from webhook.cluster.indexer import Indexer
from webhook.cluster.resource import PODS, Resource
from webhook.cluster.transport import Request
from webhook.loop.resource_writer import ResourceWriter

POD = {"metadata": {"name": "a", "namespace": "default", "uid": "uid-a", "resourceVersion": "7"}}
OTHER = {"metadata": {"name": "b", "namespace": "default", "uid": "uid-b", "resourceVersion": "7"}}
STATUS = {"kind": "Status", "status": "Success"}
BINDING = Resource("", "v1", "pods/a/binding", "Binding")
NOT_OBJECTS: list[Any] = [{}, [], [POD], "ok", None, 7, STATUS, {"metadata": "?"}, {"metadata": {}}, OTHER]
NOT_LISTS: list[Any] = [
    *NOT_OBJECTS,
    POD,
    {"metadata": {"resourceVersion": "7"}},
    {"metadata": {"resourceVersion": "7"}, "items": {}},
    {"items": []},
    {"metadata": {"resourceVersion": "7"}, "items": ["a"]},
    {"metadata": {"resourceVersion": "7"}, "items": [POD, {"metadata": {}}]},
]
NOT_DELETIONS: list[Any] = [one for one in NOT_OBJECTS if one is not STATUS]
CALLS: dict[str, tuple[Callable[[Client], Any], list[Any], Any]] = {
    "get": (lambda client: client.get(PODS, "default", "a"), NOT_OBJECTS, POD),
    "list": (lambda client: client.list(PODS), NOT_LISTS, {"metadata": {}, "items": None}),
    "create": (lambda client: client.create(PODS, "default", POD), NOT_OBJECTS, POD),
    "create of a subresource": (
        lambda client: client.create(BINDING, "default", {"metadata": {"name": "a"}}),
        NOT_DELETIONS,
        STATUS,
    ),
    "update": (lambda client: client.update(PODS, "default", "a", POD), NOT_OBJECTS, POD),
    "patch": (lambda client: client.patch(PODS, "default", "a", {}), NOT_OBJECTS, POD),
    "apply": (lambda client: client.apply(PODS, "default", "a", {}), NOT_OBJECTS, POD),
    "delete": (lambda client: client.delete(PODS, "default", "a", uid="uid-a"), NOT_DELETIONS, STATUS),
    "delete with a grace period": (lambda client: client.delete(PODS, "default", "a", uid="u"), [OTHER], POD),
    "a document": (lambda client: client.get_path("/version"), [{}, [], "ok"], {"major": "1"}),
}


class Fixed:
    """A server that has one response for everything."""

    def __init__(self, response: Any) -> None:
        self.response = response

    def send(self, request: Request) -> Any:
        return self.response

    def stream(self, request: Request) -> Any:
        raise NotImplementedError


def fixed(response: Any, codes: list[int]) -> Client:
    return Client(Fixed(response), field_manager="test", on_response=lambda call, status: codes.append(status))


@pytest.mark.parametrize(("call", "response"), [(name, bad) for name, row in CALLS.items() for bad in row[1]])
def test_a_response_of_another_shape_is_an_error(call: str, response: Any) -> None:
    codes: list[int] = []
    with pytest.raises(OutcomeUnknown, match=r"the response is not .*; did an API server send it\?$"):
        CALLS[call][0](fixed(response, codes))
    assert codes == [0]


@pytest.mark.parametrize("call", CALLS)
def test_a_response_of_the_right_shape_is_returned(call: str) -> None:
    codes: list[int] = []
    assert CALLS[call][0](fixed(CALLS[call][2], codes)) == CALLS[call][2]
    assert codes == [200]


def test_a_create_without_a_name_may_get_an_object_without_one() -> None:
    review = {"kind": "SelfSubjectAccessReview", "metadata": {}, "status": {"allowed": True}}
    assert fixed(review, []).create(PODS, "default", {"metadata": {"generateName": "a-"}}) == review


@pytest.mark.parametrize("response", NOT_OBJECTS)
def test_a_lease_is_not_held_by_such_a_response(api: FakeApi, response: Any) -> None:
    first = Candidate(api, "first")
    assert first.elector.step()
    first.elector._client = fixed(response, [])
    first.clock.advance(9)
    assert not first.elector.step()
    first.clock.advance(1)
    assert not first.elector.is_leader, "the last renewal that is known to be stored is 10 s old"


@pytest.mark.parametrize("response", NOT_LISTS)
def test_such_a_list_empties_no_cache(response: Any, caplog: pytest.LogCaptureFixture) -> None:
    reflected = ReflectedPods()
    reflected.pod("a")
    reflected.reflector.step()
    reflected.reflector._version = None
    reflected.reflector._client = fixed(response, [])
    assert reflected.reflector.step() > 0
    assert (reflected.names(), reflected.changes, reflected.faults) == (["a"], ["+a"], [])
    assert "list pods: the response is not a list" in caplog.text or "is not a JSON object" in caplog.text


@pytest.mark.parametrize(
    "event",
    [
        {},
        [],
        [1, 2],
        None,
        "x",
        {"type": "MODIFIED"},
        {"type": "MODIFIED", "object": "x"},
        {"type": "MODIFIED", "object": {}},
        {"type": "DELETED", "object": {"metadata": {"namespace": "default"}}},
        {"type": "ERROR", "object": "x"},
        {"object": POD},
        {"type": 7, "object": POD},
    ],
    ids=str,
)
def test_what_is_no_event_changes_nothing_and_the_watch_begins_again(
    event: Any, caplog: pytest.LogCaptureFixture
) -> None:
    reflected = ReflectedPods()
    reflected.pod("a")
    reflected.api.streams = [Script([event])]
    assert reflected.reflector.step() == 1.0
    reflected.pod("b")
    reflected.reflector.step()
    assert (reflected.names(), reflected.faults) == (["a", "b"], [])
    (message,) = caplog.messages
    assert message.startswith("watch pods: the response is not a watch event but ")
    assert reflected.counted.count("list") == 1


@pytest.mark.parametrize("deleted", [{}, "ok", OTHER])
def test_an_object_is_read_again_after_such_a_response_to_a_write(deleted: Any) -> None:
    api = FakeApi()
    api.serve(PODS)
    stored = api.put(PODS, POD)
    store = Indexer(lambda: 0.0)
    store.replace([stored], "101")
    writer = ResourceWriter(Client(api, field_manager="test"), PODS, store)
    send = api.send
    api.send = lambda request: send(request) if request.method == "GET" else deleted  # type: ignore[method-assign]
    for write in (
        lambda: writer.delete(stored),
        lambda: writer.patch(stored, {"spec": {}}),
        lambda: writer.apply_spec(stored, {}),
        lambda: writer.create(stored),
    ):
        with pytest.raises(OutcomeUnknown):
            write()
        assert store.objects() == [stored]
    assert api.reads == [*api.reads[:1]] * 4

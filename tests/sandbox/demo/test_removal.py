"""What the demo deletes is gone when it says so: a server that needs a while, and one that never finishes."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.demo.manifest import Installation
from sandbox.demo.removal import Key, remove
from tests.cluster.fake_api import FakeApi, status_error
from webhook.cli.errors import TIMED_OUT, CommandError
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError
from webhook.cluster.resource import NAMESPACES, PODS, Resource
from webhook.cluster.transport import Request

ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
ACCOUNT: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ServiceAccount",
    "metadata": {"name": "loop", "namespace": "ours"},
}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ours"}}
KEYS = (Key(ACCOUNTS, "ours", "loop"), Key(NAMESPACES, None, "ours"))


@pytest.fixture
def api() -> FakeApi:
    api = FakeApi()
    api.serve(ACCOUNTS, NAMESPACES, PODS)
    api.put(NAMESPACES, NAMESPACE)
    api.put(ACCOUNTS, ACCOUNT)
    return api


@pytest.fixture
def client(api: FakeApi) -> Client:
    return Client(api, field_manager="demo")


def failing(*errors: Callable[[Request], ApiError], method: str) -> Callable[[Request], ApiError | None]:
    """Fails the first requests of a method, each with one of these."""
    left = list(errors)
    return lambda request: left.pop(0)(request) if left and request.method == method else None


def unavailable(request: Request) -> ApiError:
    return status_error(request, 503, "ServiceUnavailable", "etcd has no leader")


def test_an_installation_is_gone_when_it_has_been_removed(api: FakeApi, client: Client) -> None:
    installation = Installation(client)
    installation.apply([NAMESPACE, ACCOUNT])
    api.lingers = 3

    installation.remove()

    assert api.get(NAMESPACES, "", "ours") is api.get(ACCOUNTS, "ours", "loop") is None
    deletions = [write.resource for write in api.writes if write.verb == "delete"]
    assert deletions == ["serviceaccounts", "namespaces"]


def test_an_object_that_is_created_anew_under_the_same_name_stays(api: FakeApi, client: Client) -> None:
    def recreate(request: Request) -> None:
        if request.method == "DELETE":
            api.put(ACCOUNTS, {**ACCOUNT, "metadata": {**ACCOUNT["metadata"], "uid": "uid-of-another"}})

    api.after = recreate

    remove(client, KEYS[:1])

    left = api.get(ACCOUNTS, "ours", "loop")
    assert left is not None
    assert left["metadata"]["uid"] == "uid-of-another"


def test_absent_objects_and_kinds_are_fine(api: FakeApi, client: Client) -> None:
    remove(client, [Key(ACCOUNTS, "ours", "webhook"), Key(Resource("", "v1", "nodes", "Node", False), None, "node")])

    assert not api.writes


def test_pods_are_given_no_grace_period(api: FakeApi, client: Client) -> None:
    api.put(PODS, {"metadata": {"name": "hello", "namespace": "ours"}})

    remove(client, [Key(PODS, "ours", "hello")])

    (deletion,) = api.writes
    assert deletion.body["gracePeriodSeconds"] == 0


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_request_that_fails_is_repeated(method: str, api: FakeApi, client: Client) -> None:
    api.fail = failing(unavailable, unavailable, method=method)

    remove(client, KEYS)

    assert api.get(NAMESPACES, "", "ours") is api.get(ACCOUNTS, "ours", "loop") is None


def test_what_is_not_gone_in_time_is_named(api: FakeApi, client: Client) -> None:
    api.lingers = 1_000_000

    with pytest.raises(CommandError) as raised:
        remove(client, KEYS, within=0.2)

    assert str(raised.value) == (
        "serviceaccounts ours/loop and 1 more are still there after 0.2 s: "
        "it is being deleted, and its finalizers have not finished"
    )
    assert raised.value.exit_code == TIMED_OUT


def test_what_cannot_be_deleted_is_named_with_the_reason(api: FakeApi, client: Client) -> None:
    api.fail = lambda request: unavailable(request) if request.call.name == "ours" else None

    with pytest.raises(CommandError, match=r"^namespaces ours is still there after 0\.2 s: .*etcd has no leader"):
        remove(client, KEYS, within=0.2)

"""The client: what a verb becomes on the wire, and what an answer becomes in Python."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.fake_api import FakeApi, status_error
from webhook.cluster import errors
from webhook.cluster.client import Client, pages
from webhook.cluster.errors import ApiError, Call, error_from
from webhook.cluster.resource import DEPLOYMENTS, NAMESPACES, PODS, STAGE_POD_AUTOSCALERS, Resource


@pytest.fixture
def api() -> FakeApi:
    api = FakeApi()
    api.serve(PODS, STAGE_POD_AUTOSCALERS)
    return api


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "subresource", "path"),
    [
        (PODS, None, None, None, "/api/v1/pods"),
        (PODS, "ns", None, None, "/api/v1/namespaces/ns/pods"),
        (PODS, "ns", "p", "status", "/api/v1/namespaces/ns/pods/p/status"),
        (DEPLOYMENTS, "ns", "d", None, "/apis/apps/v1/namespaces/ns/deployments/d"),
        (NAMESPACES, None, "ns", None, "/api/v1/namespaces/ns"),
        (PODS, "ns", "a/b?c", None, "/api/v1/namespaces/ns/pods/a%2Fb%3Fc"),
    ],
)
def test_paths(resource: Resource, namespace: str | None, name: str | None, subresource: str | None, path: str) -> None:
    assert resource.path(namespace, name, subresource) == path


SPA = STAGE_POD_AUTOSCALERS
WRITES: list[tuple[Callable[[Client], Any], str, dict[str, str], str]] = [
    (lambda c: c.create(SPA, "default", {"metadata": {"name": "b"}}), "POST", {}, "application/json"),
    (lambda c: c.update(SPA, "default", "a", {"metadata": {}}), "PUT", {}, "application/json"),
    (lambda c: c.patch(SPA, "default", "a", {"spec": {"x": 1}}), "PATCH", {}, "application/merge-patch+json"),
    (lambda c: c.apply(SPA, "default", "a", {"spec": {}}), "PATCH", {"force": "true"}, "application/apply-patch+yaml"),
]


@pytest.mark.parametrize(("write", "method", "query", "content_type"), WRITES)
@pytest.mark.parametrize("dry_run", [False, True])
def test_every_write_names_its_field_manager_and_dry_run(
    api: FakeApi, write: Callable[[Client], Any], method: str, query: dict[str, str], content_type: str, dry_run: bool
) -> None:
    api.put(SPA, {"metadata": {"name": "a"}})
    write(Client(api, field_manager="loop", dry_run=dry_run))
    request = api.requests[-1]
    assert (request.method, request.content_type) == (method, content_type)
    assert request.query == {"fieldManager": "loop", **({"dryRun": "All"} if dry_run else {}), **query}


def test_a_delete_is_of_that_very_object(api: FakeApi) -> None:
    client = Client(api, field_manager="loop")
    stored = api.put(PODS, {"metadata": {"name": "a"}})
    with pytest.raises(errors.Conflict):
        client.delete(PODS, "default", "a", uid="another")
    version = stored["metadata"]["resourceVersion"]
    client.delete(PODS, "default", "a", uid="uid-a", resource_version=version, grace_period_seconds=0)
    assert api.writes[-1].body == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": "uid-a", "resourceVersion": version},
        "gracePeriodSeconds": 0,
    }
    assert "fieldManager" not in api.writes[-1].query


def test_a_fence_stands_before_every_write_and_before_no_read(api: FakeApi) -> None:
    asked: list[str] = []

    def fence(call: Call) -> None:
        asked.append(str(call))
        raise RuntimeError("lost")

    client = Client(api, field_manager="loop", before_write=fence)
    client.list(PODS)
    with pytest.raises(RuntimeError):
        client.patch(SPA, "default", "a", {}, "status")
    assert asked == ["patch stagepodautoscalers/status default/a"]
    assert api.writes == []


def test_pages_follow_the_continue_token(api: FakeApi) -> None:
    for name in "abc":
        api.put(PODS, {"metadata": {"name": name}})
    found = [len(page["items"]) for page in pages(Client(api, field_manager="t"), PODS, limit=2)]
    assert found == [2, 1]


@pytest.mark.parametrize("manager", ["", "x" * 129])
def test_a_field_manager_that_no_server_takes_is_refused(api: FakeApi, manager: str) -> None:
    with pytest.raises(ValueError, match="field manager"):
        Client(api, field_manager=manager)


def body(reason: str = "", message: str = "", **details: Any) -> bytes:
    return json.dumps({"kind": "Status", "reason": reason, "message": message, "details": details}).encode()


CALL = Call("patch", "pods", "ns", "p")


@pytest.mark.parametrize(
    ("status", "answer", "kind"),
    [
        (401, body(), errors.Unauthorized),
        (403, body(), errors.Forbidden),
        (404, body("NotFound"), errors.NotFound),
        (409, body("Conflict"), errors.Conflict),
        (409, body("AlreadyExists"), errors.AlreadyExists),
        (410, body("Expired"), errors.Gone),
        (422, body("Invalid"), errors.Invalid),
        (429, body(), errors.TooManyRequests),
        (500, body(), errors.Unavailable),
        (503, b"<html>", errors.Unavailable),
        (400, body(), ApiError),
    ],
)
def test_an_answer_becomes_the_error_that_says_what_to_do(status: int, answer: bytes, kind: type[ApiError]) -> None:
    problem = error_from(CALL, status, {}, answer)
    assert type(problem) is kind
    assert problem.status == status


@pytest.mark.parametrize(
    ("headers", "answer", "seconds"),
    [
        ({"Retry-After": "7"}, body(), 7.0),
        ({}, body(retryAfterSeconds=3), 3.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, body(), None),
        ({}, body(), None),
        ({"Retry-After": "0"}, body(), None),
        ({"Retry-After": "1e300"}, body(), 60.0),
        ({"Retry-After": "inf"}, body(), 60.0),
        ({}, body(retryAfterSeconds=86400), 60.0),
    ],
)
def test_the_servers_wish_is_read(headers: dict[str, str], answer: bytes, seconds: float | None) -> None:
    assert error_from(CALL, 429, headers, answer).retry_after == seconds


def test_an_error_names_verb_resource_and_object_in_one_line() -> None:
    problem = error_from(CALL, 403, {}, body("Forbidden", 'User "x" cannot patch resource "pods"'))
    assert str(problem) == 'patch pods ns/p: User "x" cannot patch resource "pods"'
    assert str(error_from(CALL, 502, {}, b"bad gateway")) == "patch pods ns/p: bad gateway"
    assert str(error_from(CALL, 502, {}, b"")) == "patch pods ns/p: HTTP 502"


def test_errors_of_the_fake_are_those_of_the_wire(api: FakeApi) -> None:
    Client(api, field_manager="t").list(PODS)
    assert type(status_error(api.requests[-1], 409, "AlreadyExists", "m")) is errors.AlreadyExists


def test_every_answer_is_counted(api: FakeApi) -> None:
    responses: list[tuple[str, int]] = []
    client = Client(api, field_manager="t", on_response=lambda call, status: responses.append((str(call), status)))
    client.list(PODS)
    with pytest.raises(errors.NotFound):
        client.get(PODS, "default", "x")
    client.create(SPA, "default", {"metadata": {"name": "a"}})
    client.watch(PODS, resource_version="1", server_seconds=1, silence_seconds=1)
    assert responses == [
        ("list pods", 200),
        ("get pods default/x", 404),
        ("create stagepodautoscalers default/a", 200),
        ("watch pods", 200),
    ]

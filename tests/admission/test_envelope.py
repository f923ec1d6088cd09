"""Whole calls: any bytes in, a review or one clear line out."""

import json
from typing import Any

import pytest

from tests.admission.reviews import UID, cache, request_of, ro, spa, stored_ro
from webhook.admission import EmptyLookup, Settings, examine, review

GOOD = request_of(spa({"stageMinScale": 1, "stageMaxScale": 3}))
ALLOWED = (
    b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":'
    b'{"uid":"0b1c9f6e-2f0e-4a57-8b52-5a2f1d6c7e01","allowed":true}}'
)


def called(body: bytes, path: str = "/validate") -> tuple[int, bytes]:
    return review(body, path, EmptyLookup(), Settings())


def with_request(**members: Any) -> bytes:
    return json.dumps({**GOOD, "request": {**GOOD["request"], **members}}).encode()


def nested(depth: int) -> bytes:
    marker = '"stageMinScale": 1'
    return json.dumps(GOOD).replace(marker, f'"deep": {"[" * depth}{"]" * depth}').encode()


def test_the_commonest_answer_byte_for_byte() -> None:
    answer = examine(json.dumps(GOOD).encode(), "/validate?timeout=3s", EmptyLookup(), Settings())
    assert (answer.status, answer.content_type, answer.body) == (200, "application/json", ALLOWED)
    assert answer.verdict is not None
    assert answer.verdict.allowed


@pytest.mark.parametrize(
    "path", ["/mutate", "/mutate?timeout=3s", "/validate", "/validate?", "/validate?timeout=3s&x=?"]
)
def test_the_two_paths_with_and_without_a_query(path: str) -> None:
    assert called(json.dumps(GOOD).encode(), path)[0] == 200


@pytest.mark.parametrize(
    "path", ["", "/", "/mutate/", "mutate", "/healthz", "/mutate%3Ftimeout=3s", "/VALIDATE", "*", "?"]
)
@pytest.mark.parametrize("body", [b"", json.dumps(GOOD).encode()])
def test_no_other_path(path: str, body: bytes) -> None:
    answer = examine(body, path, EmptyLookup(), Settings())
    assert (answer.status, answer.body) == (404, b"the paths here are /mutate and /validate\n")
    assert (answer.content_type, answer.verdict) == ("text/plain; charset=utf-8", None)


NOT_A_REVIEW = "kind and apiVersion must be AdmissionReview and admission.k8s.io/v1"
NO_UID = "request.uid: must be a string of 1 to 1024 characters"
NO_OPERATION = "request.operation: must be one of CREATE, UPDATE, DELETE, CONNECT"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"", "the body is empty; it must be an AdmissionReview"),
        (b"hello", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b'{"a": 1} {', "the body continues after its JSON value"),
        (b"\xff\xfe", "the body is not UTF-8"),
        (b'{"kind": "\xc3\x28"}', "the body is not UTF-8"),
        ("﻿{}".encode(), "the body is not JSON"),
        (b"NaN", "the body is not JSON"),
        (b'{"request": Infinity}', "the body is not JSON"),
        (b'{"request": -Infinity}', "the body is not JSON"),
        (b"1" * 5000, "the body is not JSON"),
        (b"[" * 10_000 + b"]" * 10_000, "the body is nested too deeply"),
        (b"[" * 10_000, "the body is nested too deeply"),
        (b'{"a":' * 10_000, "the body is nested too deeply"),
        (nested(10_000), "the body is nested too deeply"),
        (b"null", "the body must be an AdmissionReview, not null"),
        (b"[]", "the body must be an AdmissionReview, not a list"),
        (b'"review"', "the body must be an AdmissionReview, not a string"),
        (b"{}", NOT_A_REVIEW),
        (b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1"}', NOT_A_REVIEW),
        (b'{"kind": "Pod", "apiVersion": "admission.k8s.io/v1"}', NOT_A_REVIEW),
        (b'{"kind": ["AdmissionReview"], "apiVersion": {}}', NOT_A_REVIEW),
        (b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}', "request: must be an object, not null"),
        (
            b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": []}',
            "request: must be an object, not a list",
        ),
        (with_request(uid=None), NO_UID),
        (with_request(uid=""), NO_UID),
        (with_request(uid=5), NO_UID),
        (with_request(uid=["u"]), NO_UID),
        (with_request(uid="u" * 1025), NO_UID),
        (with_request(operation=None), NO_OPERATION),
        (with_request(operation=["CREATE"]), NO_OPERATION),
        (with_request(operation="create"), NO_OPERATION),
    ],
)
def test_what_is_no_review_gets_one_clear_line(body: bytes, line: str) -> None:
    assert called(body) == (400, f"{line}\n".encode())


def test_a_review_without_a_uid_member() -> None:
    body = json.loads(json.dumps(GOOD))
    del body["request"]["uid"]
    assert called(json.dumps(body).encode()) == (400, f"{NO_UID}\n".encode())


def test_of_a_key_that_stands_twice_the_last_one_counts() -> None:
    body = json.dumps(GOOD).replace('"stageMinScale": 1', '"stageMinScale": 9, "stageMinScale": 1').encode()
    assert called(body) == (200, ALLOWED)


@pytest.mark.parametrize("depth", range(850, 1000, 5))
def test_depths_about_the_limit_are_either_read_or_refused(depth: int) -> None:
    body = nested(depth)
    old = json.dumps(GOOD["request"]["object"]).replace('"stageMinScale": 1', f'"deep": {"[" * depth}{"]" * depth}')
    update = body.replace(b'"operation": "CREATE"', b'"operation": "UPDATE"').replace(
        b'"oldObject": null', f'"oldObject": {old}'.encode()
    )
    for each in (body, update):
        assert called(each)[0] in (200, 400)


def test_what_was_read_and_is_too_deep_to_be_judged_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_deep(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr("webhook.admission.judgement.denying_findings", too_deep)
    status, answer = called(nested(200))
    response = json.loads(answer)["response"]
    assert (status, response["uid"], response["allowed"]) == (200, GOOD["request"]["uid"], False)
    assert response["status"]["message"] == "the object is nested too deeply"


@pytest.mark.parametrize("where", ["judgement.denying_findings", "envelope.write_verdict"])
def test_a_recursion_without_end_in_what_is_not_deep_is_a_fault(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def for_ever(*arguments: object) -> None:
        for_ever(*arguments)

    monkeypatch.setattr(f"webhook.admission.{where}", for_ever)
    with pytest.raises(RecursionError):
        called(json.dumps(GOOD).encode())


def response(obj: Any, **members: Any) -> dict[str, Any]:
    status, answer = called(with_request(object=obj, **members))
    assert status == 200
    whole: dict[str, Any] = json.loads(answer)["response"]
    return whole


@pytest.mark.parametrize("obj", [None, [], "text", 5, True])
def test_an_object_that_is_none_is_denied(obj: Any) -> None:
    denied = response(obj)
    assert (denied["allowed"], denied["status"]["code"], denied["status"]["reason"]) == (False, 400, "BadRequest")
    assert denied["status"]["message"].startswith("object: must be an object, not ")


def test_a_number_of_ten_to_the_four_hundred_is_denied() -> None:
    for digits in ("1" + "0" * 400, "1e400", "-1e400"):
        body = json.dumps(GOOD).replace('"stageMinScale": 1', f'"stageMinScale": {digits}').encode()
        status, answer = called(body)
        denied = json.loads(answer)["response"]
        assert (status, denied["allowed"]) == (200, False)
        assert "Invalid value: a number beyond all ranges" in denied["status"]["message"]


@pytest.mark.parametrize("uid", ["ü-1", 'a"b\\c', "\x00\n", "\ud800", "u" * 1024])
def test_any_uid_comes_back_as_it_was(uid: str) -> None:
    assert response(GOOD["request"]["object"], uid=uid)["uid"] == uid


@pytest.mark.parametrize("user", [None, [], "alice", {"username": 5}, {}])
def test_a_writer_without_a_name_is_a_person(user: Any) -> None:
    bad = spa({"stageMinScale": 5, "stageMaxScale": 3})
    assert not response(bad, userInfo=user)["allowed"]


def test_a_huge_list_gets_a_short_answer() -> None:
    obj = ro({"targetRevisions": [{"revisionName": "Bad name" * 100, "percent": "x" * 100}] * 50_000})
    resource = {"group": "serving.knative.dev", "version": "v1", "resource": "rolloutorchestrators"}
    status, answer = called(with_request(object=obj, resource=resource))
    assert status == 200
    assert len(answer) < 20_000
    assert answer.isascii()


def test_the_same_input_gives_the_same_bytes() -> None:
    body = json.dumps(request_of(spa(labels={"serving.knative.dev/service": "hello"}))).encode()
    answers = {review(body, "/mutate", cache(stored_ro()), Settings()) for _ in range(3)}
    assert len(answers) == 1
    assert UID.encode() in answers.pop()[1]

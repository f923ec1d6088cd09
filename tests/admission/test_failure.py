"""What becomes of a write whose judgement raises, and which rule the log names."""

import json
from typing import Any

import pytest

from tests.admission.reviews import UID, entry, request_of, ro, spa
from tests.admission.test_knative_objects import HELD, review, revision, update
from tests.knative.routes import floating, route
from webhook.admission import EmptyLookup, Settings, Verdict, judge
from webhook.admission.failure import failed_response, failed_verdict, read_failed, rules_at, unanswered
from webhook.admission.settings import OnError
from webhook.server.metrics import outcome_of

RO_CREATE = json.dumps(request_of(ro({"targetRevisions": [entry("hello-00002", 100)]}))).encode()
SPA_CREATE = json.dumps(request_of(spa({"stageMinScale": 1}))).encode()
ROUTE_UPDATE = update(HELD, route([floating(100)]))
REVISION_CREATE = review(revision())
ELSEWHERE = json.dumps(request_of(spa({}), operation="DELETE")).encode()

UNCHECKED = (
    "{} is refused unchecked: Stagegate's webhook failed on it (KeyError). The fault is Stagegate's, not the object's: "
    f'report it with the line of the webhook\'s log that has uid "{UID}". '
    "The webhook's option --on-error=allow lets such writes pass meanwhile"
)
KEPT = (
    'Route "default/hello" keeps its traffic: Stagegate\'s webhook failed on it (KeyError). '
    "The fault is Stagegate's, not the Route's: report it with the line of the webhook's log that has uid \"u1\""
)


def verdict_on(body: bytes, path: str, on_error: OnError) -> Verdict:
    request = read_failed(body, path)
    assert request is not None
    return failed_verdict(request, KeyError("spec"), on_error)


@pytest.mark.parametrize(
    ("body", "path", "on_error", "denial"),
    [
        pytest.param(
            RO_CREATE, "/validate", "refuse", UNCHECKED.format('RolloutOrchestrator "default/hello"'), id="RO"
        ),
        pytest.param(SPA_CREATE, "/validate", "refuse", UNCHECKED.format('StagePodAutoscaler "default/hello-00002"')),
        pytest.param(RO_CREATE, "/validate", "allow", ""),
        pytest.param(RO_CREATE, "/mutate", "refuse", ""),
        pytest.param(RO_CREATE, "/mutate", "allow", ""),
        pytest.param(ELSEWHERE, "/validate", "refuse", "", id="what is not judged"),
        pytest.param(ROUTE_UPDATE, "/knative", "refuse", KEPT),
        pytest.param(ROUTE_UPDATE, "/knative", "allow", KEPT, id="a held Route stays, whatever the setting"),
        pytest.param(REVISION_CREATE, "/knative", "refuse", "", id="a Revision rolls out as by Knative alone"),
    ],
)
def test_a_write_that_is_not_judged(body: bytes, path: str, on_error: OnError, denial: str) -> None:
    response = json.loads(failed_response(verdict_on(body, path, on_error)).body)["response"]
    assert response["uid"] in (UID, "u1")
    assert "patch" not in response
    assert response["allowed"] is not bool(denial)
    status = response.get("status", {})
    assert (status.get("message", ""), status.get("code")) == (denial, 500 if denial else None)
    assert response["auditAnnotations"] == {"skipped": "the webhook failed: KeyError"}


@pytest.mark.parametrize(
    ("body", "path", "whom", "undone", "uid"),
    [
        (RO_CREATE, "/mutate", 'RolloutOrchestrator "default/hello"', "filled nothing in", UID),
        (RO_CREATE, "/validate", 'RolloutOrchestrator "default/hello"', "did not check it", UID),
        (REVISION_CREATE, "/knative", 'Revision "default/hello-00002"', "left it as it is", "u1"),
    ],
)
def test_a_write_that_passes_unchecked_gets_a_warning(body: bytes, path: str, whom: str, undone: str, uid: str) -> None:
    response = json.loads(failed_response(verdict_on(body, path, "allow")).body)["response"]
    fault = f"Stagegate's webhook failed on it (KeyError) and {undone}"
    assert response["warnings"] == [
        f'{whom}: {fault}; report it with the line of the webhook\'s log that has uid "{uid}"'
    ]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 100_000, json.dumps({"request": {}}).encode()])
@pytest.mark.parametrize("path", ["/validate", "/knative"])
def test_what_is_no_review_has_no_request(body: bytes, path: str) -> None:
    assert read_failed(body, path) is None


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ({"operation": "CREATE", "kind": {"kind": "RolloutOrchestrator"}}, "RolloutOrchestrator"),
        ({"operation": "DELETE", "kind": {"kind": "RolloutOrchestrator"}}, ""),
        ({"operation": "UPDATE", "kind": {"kind": "Route"}, "subResource": "status"}, ""),
        ({"operation": ["CREATE"], "kind": "Route", "namespace": 5, "userInfo": []}, ""),
        ({"operation": "CREATE", "kind": {"kind": {}}, "object": "hello"}, ""),
    ],
)
@pytest.mark.parametrize("path", ["/validate", "/knative"])
def test_a_review_that_is_not_read_as_others_are(request_: dict[str, Any], kind: str, path: str) -> None:
    request = read_failed(json.dumps({"request": {"uid": "u", **request_}}).encode(), path)
    assert request is not None
    assert (request.uid, request.kind, request.path) == ("u", kind, path[1:])
    assert json.loads(failed_response(failed_verdict(request, KeyError(), "refuse")).body)["response"]["uid"] == "u"


def test_without_a_uid_the_call_fails_and_counts_as_a_failed_review() -> None:
    answer = unanswered("validate")
    assert (answer.status, answer.body) == (500, b"the server failed on this review; its log says why\n")
    assert answer.verdict is not None
    assert outcome_of(answer.verdict) == "failed"


def test_long_names_and_texts_of_other_languages_are_one_short_line() -> None:
    body = json.dumps(request_of(spa({"stageMinScale": 1}, name="n\n\u00e4" * 200))).encode()
    (warning,) = json.loads(failed_response(verdict_on(body, "/mutate", "allow")).body)["response"]["warnings"]
    assert warning.isascii()
    assert warning.isprintable()
    assert len(warning) == 256


@pytest.mark.parametrize(
    ("broken", "one", "rules"),
    [
        ("webhook.admission.rules.target_revision.is_count", ro({"targetRevisions": [entry("a", 101)]}), "RO002,RO006"),
        ("webhook.admission.rules.rollout_orchestrator.is_date_time", ro({"targetFinishTime": "x"}), "RO001"),
        ("webhook.admission.judgement.bounds_of", spa({"stageMinScale": 1}), ""),
    ],
)
def test_the_rules_of_an_exception(monkeypatch: pytest.MonkeyPatch, broken: str, one: Any, rules: str) -> None:
    def fails(*_: object) -> Any:
        raise KeyError("spec")

    monkeypatch.setattr(broken, fails)
    with pytest.raises(KeyError) as raised:
        judge(request_of(one), "/validate", EmptyLookup(), Settings())
    assert rules_at(raised.value) == rules

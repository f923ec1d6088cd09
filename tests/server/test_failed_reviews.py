"""A review whose judgement raises, from the bytes of the call to the answer, the log line and the counts."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.admission.reviews import UID, entry, request_of, ro
from tests.admission.test_knative_objects import HELD, review, revision, update
from tests.knative.routes import floating, route
from webhook.admission import EmptyLookup, Response, Settings
from webhook.admission.settings import OnError
from webhook.cli.logs import JsonLine
from webhook.server.handler import AdmissionHandler
from webhook.server.knative_handler import KnativeHandler
from webhook.server.metrics import ServerMetrics

CREATE = json.dumps(request_of(ro({"targetRevisions": [entry("hello-00002", 100)]}))).encode()
ROUTE_UPDATE = update(HELD, route([floating(100)]))
REVISION_CREATE = review(revision())
LARGE = ["secret of the object"] * 1000


def raise_with_object(*_: object, **__: object) -> Any:
    raise KeyError(LARGE)


class Broken:
    """A webhook with a bug in a rule, and one in what decides about Knative's objects."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, on_error: OnError = "refuse") -> None:
        monkeypatch.setattr("webhook.admission.rules.target_revision._check_total", raise_with_object)
        monkeypatch.setattr("webhook.server.knative_handler.route_verdict", raise_with_object)
        monkeypatch.setattr("webhook.server.knative_handler.new_revision_of", raise_with_object)
        self.metrics = ServerMetrics()
        view: Any = None
        knative = KnativeHandler(view, self.metrics, lambda: 0.0, view, view)
        self.handler = AdmissionHandler(EmptyLookup(), Settings(on_error=on_error), self.metrics, knative=knative)

    def answer(self, path: str, body: bytes) -> dict[str, Any]:
        given = self.handler.answer(path, body)
        assert isinstance(given, Response)
        assert given.status == 200
        response: dict[str, Any] = json.loads(given.body)["response"]
        return response

    def count(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLine())
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize(
    ("path", "body", "on_error", "allowed", "fields"),
    [
        ("/validate", CREATE, "refuse", False, ("RolloutOrchestrator", "hello", "CREATE", UID, "RO001")),
        ("/validate", CREATE, "allow", True, ("RolloutOrchestrator", "hello", "CREATE", UID, "RO001")),
        ("/mutate", CREATE, "refuse", True, ("RolloutOrchestrator", "hello", "CREATE", UID, "RO001")),
        ("/knative", REVISION_CREATE, "refuse", True, ("Revision", "hello-00002", "CREATE", "u1", "none")),
        ("/knative", ROUTE_UPDATE, "allow", False, ("Route", "hello", "UPDATE", "u1", "none")),
    ],
)
def test_one_line_one_count_and_an_answer_with_the_uid(
    monkeypatch: pytest.MonkeyPatch,
    log: io.StringIO,
    path: str,
    body: bytes,
    on_error: OnError,
    allowed: bool,
    fields: tuple[str, str, str, str, str],
) -> None:
    broken = Broken(monkeypatch, on_error)
    response = broken.answer(path, body)
    kind, name, operation, uid, rule = fields
    assert (response["uid"], response["allowed"], "patch" in response) == (uid, allowed, False)

    (line,) = log.getvalue().splitlines()
    facts = json.loads(line)
    said = {key: facts[key] for key in ("path", "kind", "namespace", "name", "operation", "uid", "allowed", "level")}
    assert said == {
        "path": path,
        "kind": kind,
        "namespace": "default",
        "name": name,
        "operation": operation,
        "uid": uid,
        "allowed": allowed,
        "level": "error",
    }
    assert rule in facts["rule"]
    assert "in raise_with_object" in facts["traceback"]
    assert "in answer_failed" not in facts["traceback"]
    assert facts["error"].startswith("KeyError: ['secret of the object'")
    assert len(line) < 6000, "the message of the exception, which is the object, is cut"

    labels = {"path": path, "kind": kind, "operation": operation}
    assert broken.count("stagegate_admission_reviews_total", verdict="failed", **labels) == 1
    assert broken.count("stagegate_faults_total", loop="admission") == 1


def test_a_review_without_a_uid_is_a_failed_call_and_counts_as_a_failed_review(
    monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    broken = Broken(monkeypatch)
    monkeypatch.setattr("webhook.admission.envelope.read_review", raise_with_object)
    answer = broken.handler.review("/validate", b"no review")
    assert (answer.status, answer.body) == (500, b"the server failed on this review; its log says why\n")
    (line,) = log.getvalue().splitlines()
    assert {"path": "/validate", "bytes": 9, "level": "error"}.items() <= json.loads(line).items()
    assert "in raise_with_object" in json.loads(line)["traceback"]
    assert broken.count("stagegate_faults_total", loop="admission") == 1
    labels = {"path": "/validate", "kind": "other", "operation": "other"}
    assert broken.count("stagegate_admission_reviews_total", verdict="failed", **labels) == 1


@pytest.mark.parametrize("broken_part", ["metrics", "log"])
def test_an_answer_that_is_not_counted_or_logged_is_given_all_the_same(
    monkeypatch: pytest.MonkeyPatch, log: io.StringIO, broken_part: str
) -> None:
    metrics = ServerMetrics()
    handler = AdmissionHandler(EmptyLookup(), Settings(), metrics)
    refused = json.dumps(request_of(ro({"targetRevisions": [entry("hello-00002", 120)]}))).encode()
    if broken_part == "metrics":
        monkeypatch.setattr(metrics, "answered", raise_with_object)
    else:
        monkeypatch.setattr("webhook.server.handler._LOG.info", raise_with_object)
    answer = handler.review("/validate", refused)
    assert json.loads(answer.body)["response"]["status"]["code"] == 403
    (line,) = log.getvalue().splitlines()
    assert (
        json.loads(line)["message"]
        == "unexpected exception: an answer at /validate is not counted; the process continues"
    )
    assert metrics.registry.get_sample_value("stagegate_faults_total", {"loop": "metrics"}) == 1


def test_a_log_that_raises_takes_away_neither_the_answer_nor_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Broken(monkeypatch)
    monkeypatch.setattr("webhook.cluster.supervisor._LOG.error", raise_with_object)
    assert broken.answer("/validate", CREATE)["uid"] == UID
    assert broken.count("stagegate_faults_total", loop="admission") == 1

"""Reviews of Revisions and Routes: what the request is, and the object that is stored after the answer."""

import base64
import copy
import json
from typing import Any

import jsonpatch
import pytest

from tests.knative.routes import HOLD, floating, held_entries, hold, named, route
from webhook.admission.envelope import response_of
from webhook.admission.knative_objects import (
    KnativeSettings,
    allowed,
    new_revision_of,
    read_knative_request,
    revision_verdict,
    route_verdict,
)
from webhook.admission.request import MalformedReview
from webhook.admission.verdict import Verdict
from webhook.knative.pin import NewRevision

KNATIVE = "system:serviceaccount:knative-serving:controller"
LOOP = "system:serviceaccount:stagegate-system:stagegate-loop"
WEBHOOK = "system:serviceaccount:stagegate-system:stagegate-webhook"
SETTINGS = KnativeSettings()


def revision(**metadata: Any) -> dict[str, Any]:
    labels = {"serving.knative.dev/service": "hello", "serving.knative.dev/serviceUID": "uid-hello"}
    return {"metadata": {"name": "hello-00002", "namespace": "default", "labels": labels, **metadata}, "spec": {}}


def review(one: Any, plural: str = "revisions", operation: str = "CREATE", **request: Any) -> bytes:
    return json.dumps(
        {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "u1",
                "resource": {"group": "serving.knative.dev", "version": "v1", "resource": plural},
                "namespace": "default",
                "operation": operation,
                "userInfo": {"username": KNATIVE},
                "object": one,
                **request,
            },
        }
    ).encode()


def update(old: Any, new: Any, user: str = KNATIVE) -> bytes:
    return review(new, "routes", "UPDATE", oldObject=old, userInfo={"username": user})


def stored(one: Any, verdict: Verdict) -> Any:
    """The object after the answer, as an API server stores it."""
    response = json.loads(response_of(verdict).body)["response"]
    assert response["allowed"] is True
    if "patch" not in response:
        return one
    return jsonpatch.apply_patch(copy.deepcopy(one), json.loads(base64.b64decode(response["patch"])))


def test_a_new_revision_names_its_service() -> None:
    found = new_revision_of(read_knative_request(review(revision())), SETTINGS)
    assert found == NewRevision("default", "hello-00002", "hello", "uid-hello")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (review(revision(labels={})), "the Revision belongs to no Service"),
        (review(revision(labels=7)), "the Revision belongs to no Service"),
        (review(revision(name="")), "the Revision belongs to no Service"),
        (review(None), "the Revision belongs to no Service"),
        (review([]), "the Revision belongs to no Service"),
        (review(revision(), namespace=None), "the Revision belongs to no Service"),
        (review(revision(), userInfo={"username": "jane"}), f"the Revision is not created by {KNATIVE}"),
        (review(revision(), userInfo=None), f"the Revision is not created by {KNATIVE}"),
        (review(revision(), dryRun=True), "the request is a dry run"),
    ],
)
def test_a_revision_that_is_left_as_it_is(body: bytes, reason: str) -> None:
    assert new_revision_of(read_knative_request(body), SETTINGS) == reason


def test_the_user_that_creates_revisions_is_a_setting() -> None:
    other = review(revision(), userInfo={"username": "jane"})
    assert isinstance(new_revision_of(read_knative_request(other), KnativeSettings("jane")), NewRevision)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (review(revision(), operation="UPDATE"), "UPDATE of a Revision is not judged"),
        (review(revision(), operation="DELETE"), "DELETE is not judged"),
        (review(route(), "routes"), "CREATE of a Route is not judged"),
        (review(route(), "routes", "UPDATE", subResource="status"), "subresources are not judged"),
        (review({}, "services"), "only revisions and routes of serving.knative.dev/v1 are judged"),
        (review({}, "rolloutorchestrators"), "only revisions and routes of serving.knative.dev/v1 are judged"),
    ],
)
def test_everything_else_is_allowed_and_says_why(body: bytes, reason: str) -> None:
    request = read_knative_request(body)
    answer = json.loads(response_of(allowed(request)).body)["response"]
    assert answer == {"uid": "u1", "allowed": True, "auditAnnotations": {"skipped": reason}}


def test_what_is_no_review_is_refused() -> None:
    with pytest.raises(MalformedReview):
        read_knative_request(b"{}")


@pytest.mark.parametrize("annotations", [None, {}, {"autoscaling.knative.dev/min-scale": "4", "a/b": "c"}])
def test_a_revision_gets_the_annotations_of_its_birth(annotations: dict[str, str] | None) -> None:
    lowered = {"autoscaling.knative.dev/min-scale": "1", "autoscaling.knative.dev/stagegate-own": "{}"}
    before = revision() if annotations is None else revision(annotations=annotations)
    after = stored(before, revision_verdict(read_knative_request(review(before)), lowered))
    assert after == revision(annotations={**(annotations or {}), **lowered})


HELD = route(held_entries(a=75, b=25), annotation=hold())
BARE = {"metadata": {"name": "hello"}}


@pytest.mark.parametrize(
    ("old", "new", "after"),
    [
        (HELD, route([floating(100)]), HELD),
        (
            HELD,
            {**HELD, "spec": {"traffic": [named("z", 100)], "more": 1}},
            {**HELD, "spec": {**HELD["spec"], "more": 1}},
        ),
        (
            HELD,
            BARE,
            {"metadata": {"name": "hello", "annotations": {HOLD: hold()}}, "spec": HELD["spec"]},
        ),
        (HELD, HELD, HELD),
        (route(), route([named("z", 100)]), route([named("z", 100)])),
        (None, BARE, BARE),
        ("x", "y", "y"),
        (HELD, "y", "y"),
        (HELD, {"metadata": "x"}, {"metadata": "x"}),
    ],
    ids=[
        "Knative's traffic",
        "another member",
        "nothing but a name",
        "no change",
        "no hold",
        "no old object",
        "no objects",
        "no new object",
        "no metadata",
    ],
)
def test_a_held_route_keeps_its_hold_and_its_traffic(old: Any, new: Any, after: Any) -> None:
    assert stored(new, route_verdict(read_knative_request(update(old, new)), SETTINGS)) == after


@pytest.mark.parametrize("user", [LOOP, WEBHOOK])
def test_stagegate_itself_may_write_a_held_route(user: str) -> None:
    new = route([floating(100)])
    assert stored(new, route_verdict(read_knative_request(update(HELD, new, user)), SETTINGS)) == new


def test_the_accounts_that_may_are_a_setting() -> None:
    settings = KnativeSettings(own_accounts=frozenset({"jane"}))
    new = route([floating(100)])
    assert stored(new, route_verdict(read_knative_request(update(HELD, new, "jane")), settings)) == new
    assert stored(new, route_verdict(read_knative_request(update(HELD, new, LOOP)), settings)) == HELD

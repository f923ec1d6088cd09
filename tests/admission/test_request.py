"""The request of a review: whether it is judged, and if not, why."""

import pytest

from tests.admission.reviews import (
    Wire,
    cache,
    request_of,
    spa,
    stored_ro,
)
from webhook.admission import Settings, judge

BAD = spa({"stageMinScale": 5, "stageMaxScale": 3})
MISLABELLED = spa(labels={"serving.knative.dev/revision": "x"})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"operation": "DELETE", "object": None}, "DELETE is not judged"),
        ({"operation": "CONNECT", "object": None}, "CONNECT is not judged"),
        ({"subResource": "status"}, "subresources are not judged"),
        (
            {"resource": {"group": "", "version": "v1", "resource": "pods"}},
            "only stagepodautoscalers and rolloutorchestrators of serving.knative.dev/v1 are judged",
        ),
        (
            {"resource": {"group": "serving.knative.dev", "version": "v1", "resource": "services"}},
            "only stagepodautoscalers and rolloutorchestrators of serving.knative.dev/v1 are judged",
        ),
        (
            {"resource": {"group": "serving.knative.dev", "version": "v1beta1", "resource": "stagepodautoscalers"}},
            "only stagepodautoscalers and rolloutorchestrators of serving.knative.dev/v1 are judged",
        ),
        (
            {"resource": {"group": "example.com", "version": "v1", "resource": "stagepodautoscalers"}},
            "only stagepodautoscalers and rolloutorchestrators of serving.knative.dev/v1 are judged",
        ),
        ({"resource": None}, "only stagepodautoscalers and rolloutorchestrators of serving.knative.dev/v1 are judged"),
    ],
)
def test_what_is_not_judged_passes_and_says_why(change: Wire, reason: str) -> None:
    review = request_of(BAD)
    review["request"].update(change)
    verdict = judge(review, "/mutate", cache(stored_ro()), Settings())
    assert (verdict.allowed, verdict.skipped, verdict.defaults, verdict.findings) == (True, reason, (), ())


def test_the_namespace_is_the_request_s_or_else_the_object_s() -> None:
    review = request_of(MISLABELLED)
    assert judge(review, "/validate", cache(enforce="warn"), Settings()).allowed
    review["request"]["namespace"] = ""
    assert judge(review, "/validate", cache(enforce="warn"), Settings()).allowed
    review["request"]["namespace"] = "elsewhere"
    assert not judge(review, "/validate", cache(enforce="warn"), Settings()).allowed

"""Metadata of a wrong shape: the object, and the field that is named."""

from typing import Any

import pytest

from tests.admission.reviews import (
    LOOP,
    PERSON,
    Wire,
    request_of,
    spa,
    verdict_on,
)
from webhook.admission import EmptyLookup, Settings, judge

GOOD = spa({"stageMinScale": 1, "stageMaxScale": 3})
OVERRIDE = "stagegate.dev/override"


@pytest.mark.parametrize(
    ("obj", "problem"),
    [
        ({**GOOD, "metadata": None}, "metadata: must be an object, not null"),
        ({**GOOD, "metadata": []}, "metadata: must be an object, not a list"),
        (spa(labels=["team"]), "metadata.labels: must be an object, not a list"),
        (
            spa(labels={"serving.knative.dev/service": 5}),
            "metadata.labels.serving.knative.dev/service: must be a string, not a number",
        ),
        (spa(name=5), "metadata.name: must be a string, not a number"),
        (spa(namespace={}), "metadata.namespace: must be a string, not an object"),
        (spa(ownerReferences={}), "metadata.ownerReferences: must be a list, not an object"),
        (spa(ownerReferences=["hello"]), "metadata.ownerReferences[0]: must be an object, not a string"),
        (spa(ownerReferences=[{}] * 1001), "metadata.ownerReferences: must have at most 1000 entries, not 1001"),
        (
            spa(labels=dict.fromkeys(map(str, range(10_001)), "")),
            "metadata.labels: must have at most 10000 entries, not 10001",
        ),
        (
            spa(annotations=dict.fromkeys(map(str, range(10_001)))),
            "metadata.annotations: must have at most 10000 entries, not 10001",
        ),
        (spa(annotations="a"), "metadata.annotations: must be an object, not a string"),
        (spa(annotations={OVERRIDE: 1}), "metadata.annotations.stagegate.dev/override: must be a string, not a number"),
    ],
)
@pytest.mark.parametrize("user", [PERSON, LOOP])
def test_metadata_that_no_api_server_sends_is_refused_whoever_writes(obj: Wire, problem: str, user: str) -> None:
    review = request_of(GOOD, user=user)
    review["request"]["object"] = obj
    verdict = judge(review, "/mutate", EmptyLookup(), Settings(enforce="warn"))
    assert (verdict.allowed, verdict.malformed) == (False, problem)


@pytest.mark.parametrize(
    ("obj", "problem"),
    [
        (None, "object: must be an object, not null"),
        ([], "object: must be an object, not a list"),
        ("text", "object: must be an object, not a string"),
    ],
)
def test_an_object_that_is_none_is_refused(obj: Any, problem: str) -> None:
    review = request_of(GOOD)
    review["request"]["object"] = obj
    assert judge(review, "/mutate", EmptyLookup(), Settings()).malformed == problem


def test_an_old_object_that_is_none_is_refused() -> None:
    assert verdict_on(GOOD, old=[1]).malformed == "object: must be an object, not a list"


@pytest.mark.parametrize("key", ["labels", "annotations", "ownerReferences"])
def test_an_update_can_take_away_what_is_too_much_in_the_old_object(key: str) -> None:
    much: dict[str, Any] = {
        "labels": dict.fromkeys(map(str, range(10_001)), ""),
        "annotations": dict.fromkeys(map(str, range(10_001)), ""),
        "ownerReferences": [{}] * 1001,
    }
    old = spa({"stageMinScale": 1, "stageMaxScale": 3}, **{key: much[key]})
    assert verdict_on(GOOD, old=old).allowed

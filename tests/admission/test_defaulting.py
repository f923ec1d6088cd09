"""Defaulting: the object that is written, the rollouts that are known, the object that is stored."""

from typing import Any

import pytest

from tests.admission.reviews import (
    BOTH_LABELS,
    OWNER,
    SERVICE_LABEL_ONLY,
    Wire,
    cache,
    complete_spa,
    entry,
    patch_in,
    patched,
    response_to,
    ro,
    spa,
    stored_ro,
    verdict_on,
)

LATER = "the loop completes this object later"
BOUNDS = {"stageMaxScale": 10, "stageMinScale": 2}
OTHER_SERVICE = {"serving.knative.dev/service": "other"}
DEPLOYMENT = {**OWNER, "apiVersion": "apps/v1", "kind": "Deployment", "uid": "uid-of-deployment"}
MEMBER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "notes", "uid": "uid-of-notes"}


def stored(obj: Wire, *rollouts: Wire) -> Wire:
    return patched(obj, response_to(obj, lookup=cache(*rollouts)))


@pytest.mark.parametrize(
    ("lists", "spec"),
    [
        # The stage comes before the targets, the targets before the start.
        (
            {
                "initialRevisions": [entry("hello-00002", 100, minScale=1, maxScale=1)],
                "targetRevisions": [entry("hello-00002", 100, minScale=2, maxScale=2)],
                "stageTargetRevisions": [entry("hello-00002", 100, minScale=3, maxScale=3)],
            },
            {"stageMaxScale": 3, "stageMinScale": 3},
        ),
        (
            {
                "initialRevisions": [entry("hello-00002", 100, minScale=1, maxScale=1)],
                "targetRevisions": [entry("hello-00002", 100, minScale=2, maxScale=2)],
                "stageTargetRevisions": [entry("hello-00009", 100, minScale=3, maxScale=3)],
            },
            {"stageMaxScale": 2, "stageMinScale": 2},
        ),
        (
            {
                "initialRevisions": [entry("hello-00002", 100, minScale=1, maxScale=1)],
                "targetRevisions": [entry("hello-00009", 100, minScale=2, maxScale=2)],
            },
            {"stageMaxScale": 1, "stageMinScale": 1},
        ),
        # What the entry does not state stays absent, also where another list states it; a 0 that it states is a 0.
        (
            {
                "targetRevisions": [entry("hello-00002", 100, minScale=2, maxScale=2)],
                "stageTargetRevisions": [entry("hello-00002", 100)],
            },
            None,
        ),
        ({"targetRevisions": [entry("hello-00002", 100, minScale=2)]}, {"stageMinScale": 2}),
        ({"targetRevisions": [entry("hello-00002", 100, maxScale=0)]}, {"stageMaxScale": 0}),
        (
            {"targetRevisions": [entry("hello-00002", 100, minScale=0, maxScale=0)]},
            {"stageMaxScale": 0, "stageMinScale": 0},
        ),
        # Bounds that would not be valid are left out.
        ({"targetRevisions": [entry("hello-00002", 100, minScale=5, maxScale=3)]}, None),
        ({"targetRevisions": [entry("hello-00002", 100, minScale=-1, maxScale=3)]}, {"stageMaxScale": 3}),
    ],
)
def test_which_bounds_are_filled_in(lists: dict[str, Any], spec: Wire | None) -> None:
    assert stored(spa(labels=SERVICE_LABEL_ONLY), stored_ro(**lists)).get("spec") == spec


@pytest.mark.parametrize(
    ("spec", "after"),
    [
        ({}, BOUNDS),
        ({"stageMinScale": 0}, {"stageMinScale": 0, "stageMaxScale": 10}),
        ({"stageMinScale": 1, "stageMaxScale": 0}, {"stageMinScale": 1, "stageMaxScale": 0}),
        ({"stageMinScale": None, "stageMaxScale": 4}, {"stageMinScale": 2, "stageMaxScale": 4}),
        ({"stageMaxScale": 1}, {"stageMaxScale": 1}),
        ({"stageMinScale": 11}, {"stageMinScale": 11}),
        ({"other": 1}, {"other": 1, **BOUNDS}),
    ],
)
def test_stated_bounds_stay(spec: Wire, after: Wire) -> None:
    assert stored(spa(spec, labels=SERVICE_LABEL_ONLY), stored_ro())["spec"] == after


def test_a_minimum_that_does_not_fit_the_stated_maximum_is_left_out_with_a_warning() -> None:
    response = response_to(spa({"stageMaxScale": 1}, labels=SERVICE_LABEL_ONLY), lookup=cache(stored_ro()))
    assert response["allowed"]
    assert response["warnings"][0] == (
        "spec.stageMinScale: Required value: the rollout gives this revision 2, which does not fit "
        "spec.stageMaxScale (1) [SPA007]; until it is set, the revision's own bound holds"
    )


@pytest.mark.parametrize(
    ("metadata", "labels", "owners"),
    [
        ({"labels": {}}, BOTH_LABELS, [OWNER]),
        ({"labels": {"team": "search"}}, {"team": "search", **BOTH_LABELS}, [OWNER]),
        ({"labels": {"serving.knative.dev/service": None}}, BOTH_LABELS, [OWNER]),
        ({"ownerReferences": []}, BOTH_LABELS, [OWNER]),
        ({"ownerReferences": [MEMBER]}, BOTH_LABELS, [MEMBER, OWNER]),
        # Another controller stays the only one.
        ({"ownerReferences": [DEPLOYMENT]}, BOTH_LABELS, [DEPLOYMENT]),
        # A reference to one owner stands once, as it was written.
        ({"ownerReferences": [{**OWNER, "controller": False}]}, BOTH_LABELS, [{**OWNER, "controller": False}]),
    ],
)
def test_labels_and_owner_references_are_added_beside_the_stated_ones(
    metadata: Wire, labels: Wire, owners: list[Wire]
) -> None:
    after = stored(spa(**metadata), stored_ro())
    assert after["metadata"]["labels"] == labels
    assert after["metadata"]["ownerReferences"] == owners


def test_a_complete_object_needs_no_rollout_and_no_warning() -> None:
    response = response_to(complete_spa(2, 10), user="system:serviceaccount:knative-serving:controller")
    assert response == {"uid": response["uid"], "allowed": True}


def test_what_needs_a_name_waits_for_it() -> None:
    obj = spa(name=None, generateName="hello-", labels=SERVICE_LABEL_ONLY)
    response = response_to(obj, lookup=cache(stored_ro()))
    assert patched(obj, response) == spa(
        name=None, generateName="hello-", labels=SERVICE_LABEL_ONLY, ownerReferences=[OWNER]
    )
    assert response["warnings"] == [f"not everything was filled in: generateName gives no name yet; {LATER}"]


@pytest.mark.parametrize("spec", [None, {}, {"stageMinScale": 1}, {"stageMaxScale": 1}])
def test_a_revision_that_its_rollout_does_not_list_gets_no_bounds(spec: Wire | None) -> None:
    obj = spa(spec, name="hello-00007", labels=SERVICE_LABEL_ONLY)
    response = response_to(obj, lookup=cache(stored_ro()))
    assert patched(obj, response).get("spec") == spec
    assert response["warnings"][-1:] == [
        f'no bounds were filled in: RolloutOrchestrator "hello" does not list revision "hello-00007"; {LATER}'
    ]


def test_a_name_too_long_for_a_label_is_not_made_one() -> None:
    obj = spa(name="h" * 64, labels=SERVICE_LABEL_ONLY)
    assert stored(obj)["metadata"]["labels"] == SERVICE_LABEL_ONLY


def test_the_patch_is_made_of_additions_in_sorted_order() -> None:
    obj = spa({"stageMinScale": 1}, labels={"team": "search"}, ownerReferences=[MEMBER])
    assert patch_in(response_to(obj, lookup=cache(stored_ro()))) == [
        {"op": "add", "path": "/metadata/labels/serving.knative.dev~1revision", "value": "hello-00002"},
        {"op": "add", "path": "/metadata/labels/serving.knative.dev~1service", "value": "hello"},
        {"op": "add", "path": "/metadata/ownerReferences/-", "value": OWNER},
        {"op": "add", "path": "/spec/stageMaxScale", "value": 10},
    ]


def test_what_is_missing_altogether_is_added_whole() -> None:
    assert patch_in(response_to(spa(), lookup=cache(stored_ro()))) == [
        {"op": "add", "path": "/metadata/labels", "value": BOTH_LABELS},
        {"op": "add", "path": "/metadata/ownerReferences", "value": [OWNER]},
        {"op": "add", "path": "/spec", "value": BOUNDS},
    ]


def test_the_validating_call_never_patches() -> None:
    for obj in (spa(), ro({"targetRevisions": [entry("hello-00002", 100)]})):
        assert "patch" not in response_to(obj, path="/validate?timeout=3s", lookup=cache(stored_ro()))


def test_a_refused_object_gets_no_patch() -> None:
    response = response_to(spa({"stageMinScale": 5, "stageMaxScale": 3}), lookup=cache(stored_ro()))
    assert not response["allowed"]
    assert "patch" not in response


@pytest.mark.parametrize(
    ("obj", "after"),
    [
        (ro(), ro({"rolloutStrategy": "availability"}, labels=SERVICE_LABEL_ONLY)),
        (
            ro({"targetRevisions": []}, labels={"team": "search"}),
            ro(
                {"targetRevisions": [], "rolloutStrategy": "availability"},
                labels={"team": "search", **SERVICE_LABEL_ONLY},
            ),
        ),
        (
            ro({"rolloutStrategy": None}, labels=SERVICE_LABEL_ONLY),
            ro({"rolloutStrategy": "availability"}, labels=SERVICE_LABEL_ONLY),
        ),
        # What is set stays, a blank strategy and another service too.
        (
            ro({"rolloutStrategy": ""}, labels=SERVICE_LABEL_ONLY),
            ro({"rolloutStrategy": ""}, labels=SERVICE_LABEL_ONLY),
        ),
        (
            ro({"rolloutStrategy": "resourceutil"}, labels=OTHER_SERVICE),
            ro({"rolloutStrategy": "resourceutil"}, labels=OTHER_SERVICE),
        ),
        (
            ro(name=None, generateName="hello-"),
            ro({"rolloutStrategy": "availability"}, name=None, generateName="hello-"),
        ),
        (ro(name="h" * 64), ro({"rolloutStrategy": "availability"}, name="h" * 64)),
    ],
)
def test_a_rollout_is_its_own_service_and_rolls_out_by_availability(obj: Wire, after: Wire) -> None:
    assert patched(obj, response_to(obj)) == after
    assert verdict_on(obj).notices == ()

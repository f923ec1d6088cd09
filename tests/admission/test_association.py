"""The rollout that an SPA belongs to, as shown by its defaults."""

from typing import Any

import pytest

from tests.admission.reviews import (
    OWNER,
    SERVICE_LABEL_ONLY,
    Wire,
    cache,
    complete_spa,
    patched,
    response_to,
    spa,
    stored_ro,
)
from webhook.admission import EmptyLookup, Lookup, RolloutCache

REVISION_LABEL_ONLY = {"serving.knative.dev/revision": "hello-00002"}
LATER = "the loop completes this object later"


def stored(obj: Wire, *rollouts: Wire, **request: Any) -> Wire:
    return patched(obj, response_to(obj, lookup=cache(*rollouts), **request))


def test_a_service_label_is_enough() -> None:
    assert stored(spa(labels=SERVICE_LABEL_ONLY), stored_ro()) == complete_spa(2, 10)


def test_a_controller_owner_reference_is_enough() -> None:
    assert stored(spa(ownerReferences=[OWNER]), stored_ro()) == complete_spa(2, 10)


def test_a_revision_name_that_one_rollout_lists_is_enough() -> None:
    assert stored(spa(), stored_ro(), stored_ro("other", targetRevisions=[])) == complete_spa(2, 10)


def test_a_stated_label_decides_also_against_the_revision_name() -> None:
    obj = spa(labels={"serving.knative.dev/service": "other"})
    response = response_to(obj, lookup=cache(stored_ro()))
    assert patched(obj, response) == spa(labels={**REVISION_LABEL_ONLY, "serving.knative.dev/service": "other"})
    assert response["warnings"] == [
        f'nothing was filled in from a rollout: RolloutOrchestrator "other" does not exist yet; {LATER}'
    ]


@pytest.mark.parametrize(
    ("lookup", "obj", "warning"),
    [
        (
            RolloutCache(lambda: 0.0),
            spa(labels=SERVICE_LABEL_ONLY),
            f"nothing was filled in from a rollout: the view of the rollouts is not current; {LATER}",
        ),
        (
            cache(stored_ro(), age=60.1),
            spa(labels=SERVICE_LABEL_ONLY),
            f"nothing was filled in from a rollout: the view of the rollouts is not current; {LATER}",
        ),
        (
            cache(),
            spa(labels=SERVICE_LABEL_ONLY),
            f'nothing was filled in from a rollout: RolloutOrchestrator "hello" does not exist yet; {LATER}',
        ),
        (
            cache(),
            spa(ownerReferences=[OWNER]),
            f'nothing was filled in from a rollout: RolloutOrchestrator "hello" does not exist yet; {LATER}',
        ),
        (
            cache(),
            spa(),
            (
                'nothing was filled in from a rollout: no RolloutOrchestrator lists revision "hello-00002"; '
                "set the label serving.knative.dev/service"
            ),
        ),
        (
            cache(stored_ro(), stored_ro("other")),
            spa(),
            (
                'nothing was filled in from a rollout: more than one RolloutOrchestrator lists revision "hello-00002"; '
                "set the label serving.knative.dev/service"
            ),
        ),
        (
            cache(stored_ro()),
            spa(name=None, generateName="hello-"),
            f"nothing was filled in from a rollout: there is neither a name nor a service label yet; {LATER}",
        ),
    ],
)
def test_without_a_rollout_only_what_the_object_says_itself_is_filled_in(
    lookup: Lookup, obj: Wire, warning: str
) -> None:
    response = response_to(obj, lookup=lookup)
    after = patched(obj, response)
    named = REVISION_LABEL_ONLY if "name" in obj["metadata"] else {}
    assert after["metadata"].get("labels", {}) == {**obj["metadata"].get("labels", {}), **named}
    assert "spec" not in after
    assert after["metadata"].get("ownerReferences") == obj["metadata"].get("ownerReferences")
    assert response["warnings"] == [warning]


def test_without_a_cluster_nobody_misses_a_rollout() -> None:
    response = response_to(spa(labels=SERVICE_LABEL_ONLY), lookup=EmptyLookup())
    assert response["allowed"]
    assert "warnings" not in response


def test_a_cache_of_a_minute_is_still_good() -> None:
    obj = spa(labels=SERVICE_LABEL_ONLY)
    assert patched(obj, response_to(obj, lookup=cache(stored_ro(), age=60.0))) == complete_spa(2, 10)

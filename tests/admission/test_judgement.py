"""The decision: the write, the writer and the settings before; the verdict and its messages after."""

import pytest

from tests.admission.reviews import (
    PERSON,
    UID,
    Wire,
    cache,
    complete_spa,
    ids,
    lines,
    request_of,
    response_to,
    ro,
    spa,
    stored_ro,
    verdict_on,
)
from webhook.admission import EmptyLookup, MalformedReview, Settings, UnknownPath, judge

GOOD = spa({"stageMinScale": 1, "stageMaxScale": 3})
BAD = spa({"stageMinScale": 5, "stageMaxScale": 3})


def test_a_person_is_refused() -> None:
    for path in ("/mutate", "/validate"):
        verdict = verdict_on(BAD, path=path)
        assert (verdict.allowed, ids(verdict.denials), verdict.writer) == (False, ["SPA002"], "person")


@pytest.mark.parametrize("path", ["/mutate", "/validate"])
@pytest.mark.parametrize("settings", [Settings(), Settings(enforce="warn")])
def test_an_object_that_is_being_deleted_passes(path: str, settings: Settings) -> None:
    dying = spa({"stageMinScale": 5, "stageMaxScale": 3}, deletionTimestamp="2026-01-01T00:00:00Z")
    response = response_to(dying, old=GOOD, path=path, settings=settings, lookup=cache(stored_ro()))
    assert response == {"uid": UID, "allowed": True, "auditAnnotations": {"skipped": "the object is being deleted"}}


@pytest.mark.parametrize("path", ["/mutate", "/validate"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (BAD, {**BAD, "metadata": {**BAD["metadata"], "annotations": {"note": "1"}}}),
        (BAD, {**BAD, "status": {"desiredScale": 4}}),
        (spa({}), spa(labels={}, ownerReferences=[])),
        (complete_spa(5, 3), complete_spa(5, 3, annotations={"note": "1"})),
        (ro({"rolloutStrategy": "fast"}), ro({"rolloutStrategy": "fast"}, finalizers=["a/b"])),
    ],
)
def test_an_update_of_nothing_that_is_judged_passes_without_a_patch(old: Wire, new: Wire, path: str) -> None:
    response = response_to(new, old=old, path=path, lookup=cache(stored_ro()))
    assert response == {
        "uid": UID,
        "allowed": True,
        "auditAnnotations": {"skipped": "neither spec, labels nor owner references change"},
    }


def test_a_dry_run_answers_the_same() -> None:
    for obj in (GOOD, BAD, spa(labels={"serving.knative.dev/service": "hello"}), ro()):
        assert response_to(obj, dry_run=True, lookup=cache(stored_ro())) == response_to(obj, lookup=cache(stored_ro()))


def test_what_cannot_be_answered_is_raised() -> None:
    with pytest.raises(UnknownPath):
        judge(request_of(GOOD), "/", EmptyLookup(), Settings())
    with pytest.raises(MalformedReview):
        judge({}, "/mutate", EmptyLookup(), Settings())


def test_a_verdict_says_what_it_is_about() -> None:
    verdict = verdict_on(complete_spa(5, 3), path="/validate?timeout=3s", user=PERSON)
    assert (verdict.uid, verdict.path, verdict.operation) == (UID, "validate", "CREATE")
    assert (verdict.kind, verdict.namespace, verdict.name) == ("StagePodAutoscaler", "default", "hello-00002")
    assert len(lines(verdict, "denied")) == 1
    assert len(lines(verdict, "warned")) == 2

"""Who is refused what: the write, the writer and the settings; then allowed or not, and what is said."""

from typing import Any

import pytest

from tests.admission.reviews import (
    LOOP,
    PERSON,
    UID,
    UPSTREAM,
    Wire,
    cache,
    complete_spa,
    entry,
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
WORSE = spa({"stageMinScale": 6, "stageMaxScale": 3})
BAD_LABELLED = spa({"stageMinScale": 5, "stageMaxScale": 3}, labels={"team": "search"})
OVERRIDE = "stagegate.dev/override"


def test_a_person_is_refused() -> None:
    for path in ("/mutate", "/validate"):
        verdict = verdict_on(BAD, path=path)
        assert (verdict.allowed, ids(verdict.denials), verdict.writer) == (False, ["SPA002"], "person")


@pytest.mark.parametrize("user", [UPSTREAM, LOOP])
def test_a_controller_is_warned_where_a_person_is_refused(user: str) -> None:
    verdict = verdict_on(BAD, user=user)
    assert (verdict.allowed, verdict.ids_by_effect, verdict.writer) == (True, {"controller": ["SPA002"]}, "controller")


def test_who_the_controllers_are_is_a_setting() -> None:
    settings = Settings(controllers=frozenset({"system:serviceaccount:ci:deployer"}))
    assert verdict_on(BAD, user="system:serviceaccount:ci:deployer", settings=settings).allowed
    assert not verdict_on(BAD, user=UPSTREAM, settings=settings).allowed


@pytest.mark.parametrize(
    ("old", "new", "effects"),
    [
        # What was wrong before and stays as it was is no reason to refuse the rest of an update.
        (BAD, BAD_LABELLED, {"ratcheted": ["SPA002"]}),
        (GOOD, BAD, {"denied": ["SPA002"]}),
        (BAD, GOOD, {}),
        # Another wrong value is another finding.
        (BAD, WORSE, {"denied": ["SPA002"]}),
        (
            BAD,
            spa({"stageMinScale": 5, "stageMaxScale": 3}, labels={"serving.knative.dev/revision": "x"}),
            {"ratcheted": ["SPA002"], "denied": ["SPA003"]},
        ),
        (
            ro({"targetRevisions": [entry("a", 90)], "rolloutStrategy": "fast"}),
            ro({"targetRevisions": [entry("a", 90)], "rolloutStrategy": "faster"}),
            {"ratcheted": ["RO008"], "denied": ["RO009"]},
        ),
        # Where in its list an entry stands does not matter; how many of its kind there are does.
        (
            ro({"targetRevisions": [entry("Bad", 100)]}),
            ro({"targetRevisions": [entry("good", 0), entry("Bad", 100)]}),
            {"ratcheted": ["RO001"]},
        ),
        (
            ro({"targetRevisions": [entry("Bad", 100)]}),
            ro({"targetRevisions": [entry("Bad", 100), entry("Bad", 0)]}),
            {"ratcheted": ["RO001"], "denied": ["RO001"]},
        ),
        (
            ro({"targetRevisions": [entry("Bad", 100), entry("Bad", 0)]}),
            ro({"targetRevisions": [entry("Bad", 0), entry("Bad", 100)]}),
            {"ratcheted": ["RO001"]},
        ),
    ],
)
@pytest.mark.parametrize("path", ["/mutate", "/validate"])
def test_an_update_is_refused_only_for_what_is_new(
    old: Wire, new: Wire, effects: dict[str, list[str]], path: str
) -> None:
    verdict = verdict_on(new, old=old, path=path)
    assert verdict.ids_by_effect == effects
    assert verdict.allowed == ("denied" not in effects)


def test_an_update_without_its_old_object_has_nothing_to_hide_behind() -> None:
    assert not verdict_on(BAD, operation="UPDATE").allowed


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


@pytest.mark.parametrize(
    ("setting", "label", "allowed"),
    [
        ("deny", None, False),
        ("warn", None, True),
        ("deny", "warn", True),
        ("warn", "deny", False),
        ("deny", "nonsense", False),
        ("warn", "nonsense", True),
    ],
)
def test_the_mode_is_the_namespace_s_or_else_the_setting_s(setting: Any, label: str | None, allowed: bool) -> None:
    verdict = verdict_on(BAD, lookup=cache(enforce=label), settings=Settings(enforce=setting))
    assert verdict.allowed == allowed
    assert verdict.ids_by_effect == ({"unenforced": ["SPA002"]} if allowed else {"denied": ["SPA002"]})


def overriding(annotation: str) -> Wire:
    labels = {"serving.knative.dev/revision": "x"}
    return spa({"stageMinScale": 5, "stageMaxScale": 3}, labels=labels, annotations={OVERRIDE: annotation})


@pytest.mark.parametrize(
    ("annotation", "effects", "notices"),
    [
        ("SPA002,SPA003", {"overridden": ["SPA002", "SPA003"]}, ()),
        (" spa002 ,, SPA003 ", {"overridden": ["SPA002", "SPA003"]}, ()),
        ("SPA002", {"overridden": ["SPA002"], "denied": ["SPA003"]}, ()),
        ("", {"denied": ["SPA002", "SPA003"]}, ()),
        (
            "SPA002 SPA003",
            {"denied": ["SPA002", "SPA003"]},
            ('metadata.annotations[stagegate.dev/override]: "SPA002 SPA003" is no rule',),
        ),
    ],
)
def test_an_annotation_overrides_the_rules_it_names(
    annotation: str, effects: dict[str, list[str]], notices: tuple[str, ...]
) -> None:
    verdict = verdict_on(overriding(annotation), path="/validate")
    assert verdict.ids_by_effect == effects
    assert verdict.notices == notices


def test_overrides_can_be_forbidden() -> None:
    verdict = verdict_on(overriding("SPA002,SPA003"), path="/validate", settings=Settings(allow_override=False))
    assert verdict.ids_by_effect == {"denied": ["SPA002", "SPA003"]}
    assert verdict.notices == (
        "metadata.annotations[stagegate.dev/override]: ignored, since overrides are not allowed here",
    )


def test_an_override_is_seen_even_where_something_else_would_have_spared_the_finding() -> None:
    verdict = verdict_on(overriding("SPA002"), old=BAD, user=LOOP, settings=Settings(enforce="warn"))
    assert verdict.ids_by_effect == {"overridden": ["SPA002"], "controller": ["SPA003"]}


def test_a_dry_run_answers_the_same() -> None:
    for obj in (GOOD, BAD, spa(labels={"serving.knative.dev/service": "hello"}), ro()):
        assert response_to(obj, dry_run=True, lookup=cache(stored_ro())) == response_to(obj, lookup=cache(stored_ro()))


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
    assert (verdict.allowed, verdict.skipped, verdict.fills, verdict.findings) == (True, reason, (), ())


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


def test_what_cannot_be_answered_is_raised() -> None:
    with pytest.raises(UnknownPath):
        judge(request_of(GOOD), "/", EmptyLookup(), Settings())
    with pytest.raises(MalformedReview):
        judge({}, "/mutate", EmptyLookup(), Settings())


def test_the_namespace_is_the_request_s_or_else_the_object_s() -> None:
    review = request_of(BAD)
    assert judge(review, "/validate", cache(enforce="warn"), Settings()).allowed
    review["request"]["namespace"] = ""
    assert judge(review, "/validate", cache(enforce="warn"), Settings()).allowed
    review["request"]["namespace"] = "elsewhere"
    assert not judge(review, "/validate", cache(enforce="warn"), Settings()).allowed


def test_a_verdict_says_what_it_is_about() -> None:
    verdict = verdict_on(complete_spa(5, 3), path="/validate?timeout=3s", user=PERSON)
    assert (verdict.uid, verdict.path, verdict.operation) == (UID, "validate", "CREATE")
    assert (verdict.kind, verdict.namespace, verdict.name) == ("StagePodAutoscaler", "default", "hello-00002")
    assert len(lines(verdict, "denied")) == 1
    assert len(lines(verdict, "warned")) == 2

"""What becomes of findings: the writer, the object before, the override and the mode."""

from typing import Any

import pytest

from tests.admission.reviews import (
    LOOP,
    UPSTREAM,
    Wire,
    cache,
    entry,
    ro,
    spa,
    verdict_on,
)
from webhook.admission import Settings

GOOD = spa({"stageMinScale": 1, "stageMaxScale": 3})
BAD = spa({"stageMinScale": 5, "stageMaxScale": 3})
WORSE = spa({"stageMinScale": 6, "stageMaxScale": 3})
BAD_LABELLED = spa({"stageMinScale": 5, "stageMaxScale": 3}, labels={"team": "search"})
OVERRIDE = "stagegate.dev/override"


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

"""What becomes of findings: the writer, the object before, the override and the mode."""

import copy
from typing import Any

import pytest

from tests.admission.reviews import (
    LOOP,
    PERSON,
    UPSTREAM,
    Wire,
    cache,
    entry,
    response_to,
    ro,
    spa,
    verdict_on,
)
from webhook.admission import Enforcement, Settings

GOOD = spa({"stageMinScale": 1, "stageMaxScale": 3})
BAD = spa({"stageMinScale": 5, "stageMaxScale": 3})
WORSE = spa({"stageMinScale": 6, "stageMaxScale": 3})
MISLABELLED = spa(labels={"serving.knative.dev/revision": "x"})
BAD_LABELLED = spa({"stageMinScale": 5, "stageMaxScale": 3}, labels={"team": "search"})
OVERRIDE = "stagegate.dev/override"
ANNOTATION = f"metadata.annotations[{OVERRIDE}]"


@pytest.mark.parametrize("user", [UPSTREAM, LOOP])
def test_a_controller_is_warned_where_a_person_is_refused(user: str) -> None:
    for obj, finding in ((BAD, "SPA002"), (MISLABELLED, "SPA003")):
        verdict = verdict_on(obj, user=user)
        effects = {"controller": [finding]}
        assert (verdict.allowed, verdict.ids_by_effect, verdict.writer) == (True, effects, "controller")


def test_who_the_controllers_are_is_a_setting() -> None:
    settings = Settings(controllers=frozenset({"system:serviceaccount:ci:deployer"}))
    assert verdict_on(BAD, user="system:serviceaccount:ci:deployer", settings=settings).allowed
    assert not verdict_on(BAD, user=UPSTREAM, settings=settings).allowed


@pytest.mark.parametrize("mode", ["deny", "warn"])
@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        (spa({"stageMinScale": 1, "stageMaxScale": 3}), spa({"stageMinScale": True, "stageMaxScale": 3}), "SPA001"),
        (spa({"stageMinScale": 0}), spa({"stageMinScale": False}), "SPA001"),
        (
            ro({"targetRevisions": [entry("a", 100, minScale=1)]}),
            ro({"targetRevisions": [entry("a", 100, minScale=True)]}),
            "RO002",
        ),
        (
            ro({"targetRevisions": [entry("a", 100, latestRevision=True)]}),
            ro({"targetRevisions": [entry("a", 100, latestRevision=1)]}),
            "RO001",
        ),
    ],
)
def test_a_boolean_in_place_of_an_equal_number_is_a_change(
    old: Wire, new: Wire, finding: str, mode: Enforcement
) -> None:
    # Python takes true for 1 and false for 0. A schema does not, and would answer Invalid.
    verdict = verdict_on(new, old=old, settings=Settings(enforce=mode))
    assert (verdict.allowed, verdict.ids_by_effect) == (False, {"denied": [finding]})


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
            ro({"targetRevisions": [entry("a", 100, minScale=-1)]}),
            ro({"targetRevisions": [entry("b", 0), entry("a", 100, minScale=-1)]}),
            {"ratcheted": ["RO002"], "warned": ["RO011"]},
        ),
        (
            ro({"targetRevisions": [entry("a", 100, minScale=-1)]}),
            ro({"targetRevisions": [entry("a", 100, minScale=-1), entry("b", 0, minScale=-1)]}),
            {"ratcheted": ["RO002"], "denied": ["RO002"], "warned": ["RO011"]},
        ),
        (
            ro({"targetRevisions": [entry("a", 100, minScale=-1), entry("b", 0, minScale=-1)]}),
            ro({"targetRevisions": [entry("b", 0, minScale=-1), entry("a", 100, minScale=-1)]}),
            {"ratcheted": ["RO002"], "warned": ["RO011"]},
        ),
        # What a schema refuses it refuses again in a list that changes anywhere, and ignores in one that does not.
        (
            ro({"targetRevisions": [entry("Bad", 100)]}),
            ro({"targetRevisions": [entry("good", 0), entry("Bad", 100)]}),
            {"denied": ["RO001"], "warned": ["RO011"]},
        ),
        (
            ro({"targetRevisions": [entry("Bad", 100)]}),
            ro({"targetRevisions": [entry("Bad", 100)], "initialRevisions": [entry("good", 100)]}),
            {"ratcheted": ["RO001"]},
        ),
        (spa({"stageMinScale": -1}), spa({"stageMinScale": -1, "stageMaxScale": 3}), {"ratcheted": ["SPA001"]}),
        (spa({"stageMinScale": -1}), spa({"stageMinScale": -2}), {"denied": ["SPA001"]}),
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
        ("deny", "Warn", True),
        ("deny", "WARN", True),
        ("warn", "Deny", False),
        ("warn", "DENY", False),
        ("deny", "wARN", False),
        ("deny", "nonsense", False),
        ("warn", "nonsense", True),
    ],
)
def test_the_mode_is_the_namespace_s_or_else_the_setting_s(setting: Any, label: str | None, allowed: bool) -> None:
    verdict = verdict_on(MISLABELLED, lookup=cache(enforce=label), settings=Settings(enforce=setting))
    assert verdict.allowed == allowed
    assert verdict.ids_by_effect == ({"unenforced": ["SPA003"]} if allowed else {"denied": ["SPA003"]})


IN_SCHEMA = {
    "SPA001": spa({"stageMinScale": "5"}),
    "SPA002": BAD,
    "RO001": ro({"targetRevisions": [entry("Bad", 100)]}),
    "RO002": ro({"targetRevisions": [entry("a", 100, maxScale=2**31)]}),
    "RO004": ro({"stageTargetRevisions": [entry("a", 0, "sideways")]}),
    "RO009": ro({"rolloutStrategy": 5}),
}
"""An object for each rule of which the schema of the CRD refuses a part."""


@pytest.mark.parametrize("path", ["/mutate", "/validate"])
@pytest.mark.parametrize("rule", IN_SCHEMA)
def test_what_the_schema_refuses_is_denied_to_people_in_every_mode(rule: str, path: str) -> None:
    obj = copy.deepcopy(IN_SCHEMA[rule])
    obj["metadata"]["annotations"] = {OVERRIDE: rule}

    for setting, label in (("deny", None), ("warn", None), ("deny", "warn")):
        lookup = cache(enforce=label)
        settings = Settings(enforce=setting)  # type: ignore[arg-type]
        verdict = verdict_on(obj, path=path, lookup=lookup, settings=settings)
        assert rule in verdict.ids_by_effect["denied"]
        assert (
            f"{ANNOTATION}: {rule} cannot be overridden here: the schema of the CRD refuses it too" in verdict.notices
        )
        assert verdict_on(obj, path=path, lookup=lookup, settings=settings, user=LOOP).allowed


FAST = ro({"rolloutStrategy": "fast"})
UNKNOWN = (
    'namespace "default": the label stagegate.dev/enforce="{}" has an unknown value, so "{}" applies; use warn or deny'
)


@pytest.mark.parametrize(("obj", "id_"), [(FAST, "RO009"), (BAD, "SPA002")])
@pytest.mark.parametrize("word", ["wARN", "off", "dry-run", "false", ""])
def test_a_word_that_is_not_known_is_said_in_the_denial(word: str, obj: Wire, id_: str) -> None:
    response = response_to(obj, lookup=cache(enforce=word))
    _, finding, remark = response["status"]["message"].splitlines()
    assert f"[{id_}]" in finding
    assert remark == UNKNOWN.format(word, "deny")
    assert len(response["status"]["details"]["causes"]) == 1, "it is no finding"
    assert not [warning for warning in response.get("warnings", []) if "enforce" in warning]


def test_a_word_that_is_not_known_is_a_warning_where_nothing_is_denied() -> None:
    warning = UNKNOWN.format("off", "warn")
    verdict = verdict_on(FAST, path="/validate", lookup=cache(enforce="off"), settings=Settings(enforce="warn"))
    assert (verdict.notices, verdict.remarks) == ((warning,), ())


@pytest.mark.parametrize(("obj", "user"), [(GOOD, PERSON), (FAST, LOOP), (BAD, LOOP)])
def test_a_word_that_is_not_known_is_not_said_where_it_decides_nothing(obj: Wire, user: str) -> None:
    verdict = verdict_on(obj, user=user, lookup=cache(enforce="off"), path="/validate")
    assert (verdict.allowed, verdict.notices, verdict.remarks) == (True, (), ())


@pytest.mark.parametrize("word", ["deny", "Warn", None])
def test_a_word_that_is_known_is_not_said(word: str | None) -> None:
    verdict = verdict_on(FAST, lookup=cache(enforce=word), path="/validate")
    assert (verdict.notices, verdict.remarks) == ((), ())


def overriding(annotation: str) -> Wire:
    spec = {"targetRevisions": [entry("a", 90)], "rolloutStrategy": "fast"}
    return ro(spec, annotations={OVERRIDE: annotation})


@pytest.mark.parametrize(
    ("annotation", "effects", "notices"),
    [
        ("RO008,RO009", {"overridden": ["RO008", "RO009"]}, ()),
        (" ro008 ,, RO009 ", {"overridden": ["RO008", "RO009"]}, ()),
        ("RO008 RO009", {"overridden": ["RO008", "RO009"]}, ()),
        ("RO008\tRO009\r\n", {"overridden": ["RO008", "RO009"]}, ()),
        ("RO008", {"overridden": ["RO008"], "denied": ["RO009"]}, ()),
        ("", {"denied": ["RO008", "RO009"]}, ()),
        # A blank beyond ASCII separates nothing, as in the policies.
        (
            "RO008\u00a0RO009",
            {"denied": ["RO008", "RO009"]},
            (rf'{ANNOTATION}: "RO008\u00a0RO009" is not a rule; stagegate rules lists the ids',),
        ),
    ],
)
def test_an_annotation_overrides_the_rules_it_names(
    annotation: str, effects: dict[str, list[str]], notices: tuple[str, ...]
) -> None:
    verdict = verdict_on(overriding(annotation), path="/validate")
    assert verdict.ids_by_effect == effects
    assert verdict.notices == notices


def test_an_override_that_is_too_long_is_not_read() -> None:
    annotation = "RO008," * 683
    verdict = verdict_on(overriding(annotation), path="/validate")
    assert verdict.ids_by_effect == {"denied": ["RO008", "RO009"]}
    assert verdict.notices == (f"{ANNOTATION}: ignored, since it has more than 4096 characters",)


def test_overrides_can_be_forbidden() -> None:
    verdict = verdict_on(overriding("RO008,RO009"), path="/validate", settings=Settings(allow_override=False))
    assert verdict.ids_by_effect == {"denied": ["RO008", "RO009"]}
    assert verdict.notices == (f"{ANNOTATION}: ignored, since overrides are not allowed here",)


def test_an_override_is_seen_even_where_something_else_would_have_spared_the_finding() -> None:
    old = ro({"rolloutStrategy": "fast"})
    verdict = verdict_on(overriding("RO008"), old=old, user=LOOP, settings=Settings(enforce="warn"))
    assert verdict.ids_by_effect == {"overridden": ["RO008"], "controller": ["RO009"]}


@pytest.mark.parametrize("old", [None, spa({"stageMinScale": 1, "stageMaxScale": 3})])
def test_an_override_of_no_rule_is_said_before_it_is_needed(old: Wire | None) -> None:
    noted = spa({"stageMinScale": 1, "stageMaxScale": 3}, annotations={OVERRIDE: "SPA02"})
    verdict = verdict_on(noted, old=old, path="/validate")
    assert (verdict.allowed, verdict.skipped) == (True, "")
    assert verdict.notices == (
        'metadata.annotations[stagegate.dev/override]: "SPA02" is not a rule; stagegate rules lists the ids',
    )

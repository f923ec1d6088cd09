"""RO015 and RO016: who steers a rollout is filled in and checked, also where only annotations change."""

from typing import Any

import pytest

from tests.admission.reviews import (
    LOOP,
    PERSON,
    UPSTREAM,
    Wire,
    complete_spa,
    entry,
    ids,
    lines,
    patched,
    response_to,
    ro,
    verdict_on,
)
from webhook.admission import Settings

GOOD = {"targetRevisions": [entry("hello-00002", 100)], "rolloutStrategy": "availability"}
PAUSE, BY, UNTIL, GATE = (f"stagegate.dev/pause{end}" for end in ("", "-by", "-until", "-after-stage"))
ABORT, ABORT_BY, RETRY = "stagegate.dev/abort", "stagegate.dev/abort-by", "stagegate.dev/retry"


def annotated(annotations: dict[str, str] | None) -> Wire:
    return ro(GOOD, annotations=annotations, labels={"serving.knative.dev/service": "hello"})


@pytest.mark.parametrize(
    ("after", "before", "filled"),
    [
        pytest.param({PAUSE: "x"}, {}, {BY: PERSON}, id="a pause"),
        pytest.param({PAUSE: "x"}, None, {BY: PERSON}, id="a pause from the start"),
        pytest.param({ABORT: "a", RETRY: "a"}, {}, {ABORT_BY: PERSON, f"{RETRY}-by": PERSON}, id="both others"),
        pytest.param({PAUSE: "x", BY: PERSON}, {}, {}, id="with the name set"),
        pytest.param({PAUSE: "x", "other": "1"}, {PAUSE: "x"}, {}, id="another annotation beside an old pause"),
        pytest.param({PAUSE: "x"}, {PAUSE: "x", BY: "bob"}, {BY: PERSON}, id="the name is taken away"),
        pytest.param({PAUSE: "y"}, {PAUSE: "x"}, {BY: PERSON}, id="another reason"),
        pytest.param({}, {PAUSE: "x", BY: "bob"}, {}, id="resumed"),
        pytest.param({BY: "bob"}, {PAUSE: "x", BY: "bob"}, {}, id="resumed by hand"),
    ],
)
def test_the_name_of_who_steers_is_filled_in_where_it_is_absent(
    after: dict[str, str], before: dict[str, str] | None, filled: dict[str, str]
) -> None:
    old = annotated(before) if before is not None else None
    response = response_to(annotated(after), old=old, path="/mutate")
    assert response["allowed"]
    result = patched(annotated(after), response)
    assert result["metadata"]["annotations"] == {**after, **filled}
    again = response_to(result, old=old, path="/mutate")
    assert "patch" not in again, "a second pass changes nothing"
    assert response_to(result, old=old, path="/validate")["allowed"]


UPDATES = [
    pytest.param({PAUSE: "x", BY: "bob"}, {}, ["RO016"], id="another name"),
    pytest.param({PAUSE: "x", BY: "bob"}, None, ["RO016"], id="another name from the start"),
    pytest.param({PAUSE: "x", BY: "bob"}, {PAUSE: "x"}, ["RO016"], id="another name for an old pause"),
    pytest.param({PAUSE: "y", BY: "bob"}, {PAUSE: "x", BY: "bob"}, ["RO016"], id="another reason in bob's name"),
    pytest.param({PAUSE: "x", BY: "bob"}, {PAUSE: "x", BY: "bob"}, [], id="unchanged"),
    pytest.param({ABORT: "a", ABORT_BY: "bob"}, {PAUSE: "x", BY: "bob"}, ["RO016"], id="an abort in bob's name"),
    pytest.param({PAUSE: "x", BY: "bob", ABORT: "a"}, {PAUSE: "x", BY: "bob"}, [], id="beside bob's pause"),
    pytest.param({PAUSE: ""}, {}, ["RO015"], id="no reason"),
    pytest.param({PAUSE: "x", UNTIL: "30m"}, {PAUSE: "x"}, ["RO015"], id="an end that is no time"),
    pytest.param({PAUSE: "x", UNTIL: "30m"}, {PAUSE: "x", UNTIL: "30m"}, [], id="malformed before already"),
    pytest.param({GATE: "1"}, {}, ["RO015"], id="a gate without a pause"),
    pytest.param({GATE: "1"}, {PAUSE: "x", GATE: "1"}, [], id="what a resume by hand leaves"),
    pytest.param({ABORT: "everything!"}, {}, ["RO015"], id="targets that cannot be read"),
]
"""What an update writes, what was there (None for a creation), and what is found."""


@pytest.mark.parametrize(("after", "before", "found"), UPDATES)
@pytest.mark.parametrize("path", ["/mutate", "/validate"])
def test_what_is_refused(after: dict[str, str], before: dict[str, str] | None, found: list[str], path: str) -> None:
    verdict = verdict_on(annotated(after), old=annotated(before) if before is not None else None, path=path)
    assert ids(verdict.denials) == found
    assert verdict.allowed == (not found)
    assert not (verdict.defaults and found)


@pytest.mark.parametrize("enforce", ["deny", "warn"])
@pytest.mark.parametrize("spec", [GOOD, {**GOOD, "rolloutStrategy": "resourceutil"}], ids=["annotations", "spec too"])
def test_neither_an_override_nor_warn_lets_a_forged_name_pass(enforce: Any, spec: Wire) -> None:
    forged = ro(spec, annotations={PAUSE: "x", BY: "bob", "stagegate.dev/override": "RO015,RO016"})
    verdict = verdict_on(forged, old=annotated({}), settings=Settings(enforce=enforce))
    assert ids(verdict.denials) == ["RO016"]


def test_the_refusal_says_the_way_out() -> None:
    verdict = verdict_on(annotated({PAUSE: "x", BY: "bob"}), old=annotated({}))
    (line,) = lines(verdict, "denied")
    assert line == (
        f'metadata.annotations[{BY}]: Invalid value: "bob": must be the user name of the writer [RO016];'
        f" leave it out, as with kubectl annotate ... {BY}-, and it is filled in"
    )


@pytest.mark.parametrize("user", [LOOP, UPSTREAM])
def test_the_controllers_are_left_out(user: str) -> None:
    verdict = verdict_on(annotated({PAUSE: "x", BY: "bob"}), old=annotated({}), user=user)
    assert (verdict.allowed, verdict.ids_by_effect) == (True, {"controller": ["RO016"]})
    assert verdict_on(annotated({}), old=annotated({PAUSE: "x", BY: "bob"}), user=user).skipped


def test_an_object_that_is_being_deleted_passes() -> None:
    deleted = annotated({PAUSE: "", BY: "bob"})
    deleted["metadata"]["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    assert verdict_on(deleted, old=annotated({})).allowed


def test_on_an_spa_they_have_no_effect() -> None:
    verdict = verdict_on(complete_spa(annotations={PAUSE: "", BY: "bob"}), user=LOOP)
    assert set(ids(finding for finding, _ in verdict.findings)) == {"SPA009"}


def test_a_write_without_a_user_name_fills_in_nothing() -> None:
    response = response_to(annotated({PAUSE: "x"}), old=annotated({}), path="/mutate", user="")
    assert response["allowed"]
    assert "patch" not in response

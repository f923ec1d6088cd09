"""Causes that people made."""

import pytest

from tests.diagnosis import worlds
from tests.diagnosis.worlds import NOW, causes, snapshot
from webhook.cluster.resource import LEASES, ROLLOUT_ORCHESTRATORS
from webhook.diagnosis.causes import causes_of

PAUSED = {"Paused": {"status": "True", "reason": "Paused", "message": "paused by jane: looking"}}


def test_a_pause_comes_first_and_says_who_and_why() -> None:
    pause = {"stagegate.dev/pause": "looking at errors", "stagegate.dev/pause-by": "jane"}
    ro = worlds.ro(PAUSED, metadata__annotations=pause)
    assert causes({ROLLOUT_ORCHESTRATORS: [ro], LEASES: [worlds.lease(renewed=99)]})[0] == (
        "paused pauses: paused by jane: looking at errors"
    )
    (cause,) = causes_of(snapshot({ROLLOUT_ORCHESTRATORS: [ro]}))
    assert cause.way_out == "stagegate resume hello -n default"
    assert cause.since is not None
    assert (NOW - cause.since).total_seconds() == 40


def test_a_pause_without_a_name_says_so_and_when_it_ends() -> None:
    pause = {"stagegate.dev/pause": "lunch", "stagegate.dev/pause-until": "2026-03-01T13:00:00Z"}
    ro = worlds.ro(PAUSED, metadata__annotations=pause)
    (cause,) = causes_of(snapshot({ROLLOUT_ORCHESTRATORS: [ro]}))
    assert cause.says == "paused (by: not known): lunch"
    assert cause.next == "it resumes by itself at 2026-03-01T13:00:00Z"


def test_a_pause_that_is_not_in_force_is_none() -> None:
    later = {"stagegate.dev/pause": "gate", "stagegate.dev/pause-after-stage": "2"}
    assert causes({ROLLOUT_ORCHESTRATORS: [worlds.ro(metadata__annotations=later)]}) == []


def test_an_abort_informs_on_its_way_and_stops_at_its_end() -> None:
    going = {"status": "True", "reason": "Aborted", "message": "aborted by jane: errors"}
    assert causes({ROLLOUT_ORCHESTRATORS: [worlds.ro({"Aborted": going})]}) == [
        "aborted informs: aborted by jane: errors"
    ]
    back = {**going, "reason": "AbortComplete"}
    assert causes({ROLLOUT_ORCHESTRATORS: [worlds.ro({"Aborted": back})]}) == ["aborted stops: aborted by jane: errors"]


@pytest.mark.parametrize(
    ("conditions", "change"),
    [
        ({}, "in Git set spec.targetRevisions of hello to hello-00001=100, or to another revision"),
        (
            {"RouteHeld": "True"},
            "in Git change the template of Service hello: the revision of its next edit is rolled out",
        ),
    ],
    ids=["an RO that somebody wrote", "the rollout of a Service"],
)
def test_the_way_out_of_an_abort_is_that_of_its_own_message(conditions: dict[str, str], change: str) -> None:
    back = {"status": "True", "reason": "AbortComplete", "message": "aborted by jane: errors"}
    ro = worlds.ro({"Aborted": back, **conditions})
    (cause,) = causes_of(snapshot({ROLLOUT_ORCHESTRATORS: [ro]}))
    assert cause.way_out == f"{change}; or take the abort back: stagegate retry hello -n default"

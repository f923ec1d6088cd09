"""Whole rollouts, carried by the real loop: their stages, their peak, and how they end."""

import pytest

from tests.integration.place import REVISION_LABEL, ROS, SERVICE_LABEL, Place, entry
from tests.integration.service import Service
from tests.integration.user import User, Wire
from webhook.cli.demo.prediction import differences
from webhook.cli.demo.stack import Stack


def rollout_of(person: User, place: Place) -> Wire:
    return person.get(place.path(ROS, "hello")).body


def conditions(ro: Wire) -> dict[str, tuple[str, str | None]]:
    return {one["type"]: (one["status"], one.get("severity")) for one in ro["status"]["conditions"]}


@pytest.mark.parametrize(
    ("strategy", "peak"),
    [
        pytest.param("availability", 15, id="availability: five more, until they are up"),
        pytest.param("resourceutil", 10, id="resourceutil: never more than before"),
    ],
)
def test_a_whole_rollout(strategy: str, peak: int, running: Stack, person: User, place: Place) -> None:
    service = Service(running.client, person, place, demand=10)
    with service.observed() as observer:
        started = service.start(strategy, ratio=50)
        service.carry(observer, "the rollout is complete")
        outcome = observer.outcome()
        spas = observer.spas

    assert differences(service.predicted(started), outcome) == []
    assert (len(outcome.stages), outcome.peak) == (2, peak)
    assert outcome.bounds == {"hello-00001": (0, 1), "hello-00002": (2, 10)}
    assert outcome.scales == {"hello-00001": 0, "hello-00002": 10}

    ended = rollout_of(person, place)
    assert conditions(ended) == {
        "Ready": ("True", None),
        "StageReady": ("True", None),
        "LastStageReady": ("True", None),
        "StageScaleUpReady": ("True", "Info"),
        "StageScaleDownReady": ("True", "Info"),
    }
    assert ended["status"]["observedGeneration"] == ended["metadata"]["generation"]
    assert [(one["revisionName"], one["percent"]) for one in ended["status"]["stageRevisionStatus"]] == [
        ("hello-00002", 100)
    ]
    assert ended["spec"]["rolloutStrategy"] == strategy
    for name, spa in spas.items():
        assert spa["metadata"]["labels"] == {REVISION_LABEL: name, SERVICE_LABEL: "hello"}
        assert [owner["uid"] for owner in spa["metadata"]["ownerReferences"]] == [started["metadata"]["uid"]]


def test_stages_are_told_as_events(running: Stack, person: User, place: Place) -> None:
    service = Service(running.client, person, place, demand=2)
    with service.observed() as observer:
        service.start("availability", ratio=100)
        service.carry(observer, "the rollout is complete")

    service.carry(observer, "its end is told", lambda: service.events("RolloutComplete"))
    (event,) = service.events("RolloutComplete")
    assert (event["type"], event["involvedObject"]["name"]) == ("Normal", "hello")


def test_new_targets_while_a_rollout_is_on_its_way(running: Stack, person: User, place: Place) -> None:
    service = Service(running.client, person, place, demand=4)
    with service.observed() as observer:
        service.start("availability", ratio=25)
        service.carry(observer, "the second stage begins", lambda: len(observer.outcome().stages) >= 2)
        service.retarget("hello-00003")
        service.carry(observer, "the rollout is complete")
        outcome = observer.outcome()

    assert outcome.scales["hello-00003"] == 4
    assert {outcome.scales[name] for name in ("hello-00001", "hello-00002")} == {0}
    ended = rollout_of(person, place)
    assert [one["revisionName"] for one in ended["status"]["stageRevisionStatus"]] == ["hello-00003"]


def test_the_next_rollout_starts_where_the_last_one_ended(running: Stack, person: User, place: Place) -> None:
    service = Service(running.client, person, place, demand=2)
    with service.observed() as observer:
        service.start("availability", ratio=100)
        service.carry(observer, "the first rollout is complete")
        service.retarget("hello-00003")
        service.carry(observer, "the next one has begun", lambda: "hello-00003" in observer.spas)
        service.carry(observer, "the next rollout is complete")
        scales = observer.outcome().scales

    assert scales == {"hello-00001": 0, "hello-00002": 0, "hello-00003": 2}


def test_a_bound_that_a_person_sets_is_set_back(running: Stack, person: User, place: Place) -> None:
    service = Service(running.client, person, place, demand=2)
    path = place.path("serving.knative.dev/v1/stagepodautoscalers", "hello-00002")
    with service.observed() as observer:
        service.start("availability", ratio=100)
        service.carry(observer, "the rollout is complete")

        answer = person.patch(path, {"spec": {"stageMaxScale": 3}})
        assert answer.done
        assert any("[SPA008]" in warning for warning in answer.warnings), answer.warnings

        service.carry(
            observer,
            "it is set back",
            lambda: person.get(path).body["spec"] == {"stageMinScale": 2, "stageMaxScale": 10},
        )


def test_an_spa_written_by_hand_before_its_rollout_is_completed_later(
    running: Stack, person: User, place: Place
) -> None:
    service = Service(running.client, person, place, demand=2)
    path = place.path("serving.knative.dev/v1/stagepodautoscalers")
    with service.observed() as observer:
        assert person.create(path, place.spa("hello-00001")).done
        started = service.start("availability", ratio=100)
        service.carry(observer, "the rollout is complete")
        spa = person.get(f"{path}/hello-00001").body

    assert [owner["uid"] for owner in spa["metadata"]["ownerReferences"]] == [started["metadata"]["uid"]]


def test_an_spa_without_a_revision_is_removed(running: Stack, person: User, place: Place) -> None:
    service = Service(running.client, person, place, demand=2)
    path = place.path("serving.knative.dev/v1/stagepodautoscalers")
    with service.observed() as observer:
        service.start("availability", ratio=100)
        service.carry(observer, "the rollout is complete")
        assert person.create(path, place.spa("hello-00009")).done

        assert person.patch(place.path(ROS, "hello"), {"spec": {"targetRevisions": [entry("hello-00002", 100)]}}).done
        service.carry(observer, "it is gone", lambda: person.get(f"{path}/hello-00009").status == 404)

"""Whole rollouts, carried by the real loop: their stages, their peak, and how they end."""

import re
import urllib.request
from collections import Counter
from collections.abc import Callable

import pytest

from sandbox.demo.outcome import differences
from sandbox.demo.stack import Stack
from tests.integration.conftest import ROLLING
from tests.integration.place import EVENTS, REVISION_LABEL, ROS, SERVICE_LABEL, SPAS, Place, entry
from tests.integration.service import Service
from tests.integration.user import User, Wire
from tests.waiting import eventually


def conditions(ro: Wire) -> dict[str, tuple[str, str | None]]:
    return {one["type"]: (one["status"], one.get("severity")) for one in ro["status"]["conditions"]}


@pytest.mark.parametrize(
    ("strategy", "peak"),
    [
        pytest.param("availability", 15, id="availability: five more, until they are up"),
        pytest.param("resourceutil", 10, id="resourceutil: never more than before"),
    ],
)
def test_a_whole_rollout(strategy: str, peak: int, new_service: Callable[..., Service], person: User) -> None:
    service = new_service(demand=10)
    old, new = service.revision(1), service.revision(2)
    with service.observed() as observer:
        started = service.start(strategy, ratio=50)
        service.carry(observer, "the rollout is complete")
        outcome = observer.outcome()
        spas = observer.spas

    assert differences(service.predicted(started), outcome) == []
    assert (len(outcome.stages), outcome.peak) == (2, peak)
    assert outcome.bounds == {old: (0, 1), new: (2, 10)}
    assert outcome.scales == {old: 0, new: 10}

    ended = person.get(service.path).body
    assert conditions(ended) == {
        "Ready": ("True", None),
        "StageReady": ("True", None),
        "LastStageReady": ("True", None),
        "StageScaleUpReady": ("True", "Info"),
        "StageScaleDownReady": ("True", "Info"),
    }
    assert ended["status"]["observedGeneration"] == ended["metadata"]["generation"]
    assert [(one["revisionName"], one["percent"]) for one in ended["status"]["stageRevisionStatus"]] == [(new, 100)]
    assert ended["spec"]["rolloutStrategy"] == strategy
    for name, spa in spas.items():
        assert spa["metadata"]["labels"] == {REVISION_LABEL: name, SERVICE_LABEL: service.name}
        assert [owner["uid"] for owner in spa["metadata"]["ownerReferences"]] == [started["metadata"]["uid"]]


def test_a_tag_of_the_target_changes_nothing_about_the_stages(
    new_service: Callable[..., Service], person: User
) -> None:
    service = new_service(demand=4)
    with service.observed() as observer:
        started = service.start("availability", ratio=25, tag="candidate")
        service.carry(observer, "the rollout is complete")
        outcome = observer.outcome()

    assert len(started["spec"]["targetRevisions"]) == 2
    assert differences(service.predicted(started), outcome) == []
    assert len(outcome.stages) == 4
    assert outcome.bounds == {service.revision(1): (0, 1), service.revision(2): (2, 10)}
    ended = person.get(service.path).body
    assert ended["spec"]["targetRevisions"] == started["spec"]["targetRevisions"]


@pytest.mark.usefixtures("running")
def test_an_spa_of_a_rollout_whose_name_is_too_long_for_a_label_is_completed_without_it(person: User) -> None:
    place, name, revision = Place(ROLLING), "h" * 64, "long-00002"
    assert person.create(place.path(SPAS), place.object(SPAS, revision)).done
    rollout = place.rollout(name)
    rollout["spec"] = {"targetRevisions": [entry(revision, 100)]}
    assert person.create(place.path(ROS), rollout).done

    def stored() -> Wire:
        found: Wire = person.get(place.path(SPAS, revision)).body
        return found

    eventually(lambda: "spec" in stored(), "the loop completes the SPA")
    assert stored()["spec"] == {"stageMinScale": 2, "stageMaxScale": 10}
    assert stored()["metadata"]["labels"] == {REVISION_LABEL: revision}
    assert [owner["name"] for owner in stored()["metadata"]["ownerReferences"]] == [name]
    assert person.delete(place.path(ROS, name)).done


def test_the_end_is_reported_as_an_event(new_service: Callable[..., Service]) -> None:
    service = new_service(demand=2)
    with service.observed() as observer:
        service.start("availability", ratio=100)
        service.carry(observer, "the Event of its end", lambda: service.events("RolloutComplete"))

    (event,) = service.events("RolloutComplete")
    assert (event["type"], event["involvedObject"]["kind"]) == ("Normal", "RolloutOrchestrator")


@pytest.mark.parametrize("bounds", [{"maxScale": 10}, {"minScale": 0, "maxScale": 10}], ids=["none", "minScale 0"])
def test_a_revision_that_cannot_start_gets_no_traffic(
    bounds: Wire, new_service: Callable[..., Service], person: User
) -> None:
    service = new_service(demand=4, bounds=bounds)
    old, new = service.revision(1), service.revision(2)
    why = f"{new} runs no replica yet (PodAutoscaler: ImagePullBackOff: "
    with service.observed() as observer:
        service.fail(2)
        service.start("availability", ratio=50)
        service.carry(observer, "it says what it waits for", lambda: any(why in message for message in service.waits()))
        stored = person.get(service.path).body
        messages = {one["type"]: one.get("message", "") for one in stored["status"]["conditions"]}
        assert why in messages["StageScaleUpReady"]
        assert why in messages["Ready"]
        kept = {f"stage{key[0].upper()}{key[1:]}": bound for key, bound in bounds.items()}
        assert person.get(service.spa_path(1)).body["spec"] == kept, "the old revision is not lowered"
        assert len(observer.outcome().stages) == 1

        service.fail(2, fails=False)
        service.carry(observer, "the rollout is complete")
        outcome = observer.outcome()

    assert len(outcome.stages) == 2
    assert outcome.scales == {old: 0, new: 4}


def test_new_targets_while_a_rollout_is_on_its_way(new_service: Callable[..., Service], person: User) -> None:
    service = new_service(demand=4)
    with service.observed() as observer:
        service.start("availability", ratio=25)
        service.carry(observer, "the second stage begins", lambda: len(observer.outcome().stages) >= 2)
        service.retarget(3)
        service.carry(observer, "the new rollout begins", lambda: service.revision(3) in observer.spas)
        service.carry(observer, "the rollout is complete")
        scales = observer.outcome().scales

    assert scales == {service.revision(1): 0, service.revision(2): 0, service.revision(3): 4}
    ended = person.get(service.path).body
    assert [one["revisionName"] for one in ended["status"]["stageRevisionStatus"]] == [service.revision(3)]


def test_the_next_rollout_starts_where_the_last_one_ended(new_service: Callable[..., Service]) -> None:
    service = new_service(demand=2)
    with service.observed() as observer:
        service.start("availability", ratio=100)
        service.carry(observer, "the first rollout is complete")
        service.retarget(3)
        service.carry(observer, "the next one has begun", lambda: service.revision(3) in observer.spas)
        service.carry(observer, "the next rollout is complete")
        scales = observer.outcome().scales

    assert scales == {service.revision(1): 0, service.revision(2): 0, service.revision(3): 2}


def test_a_bound_that_a_person_sets_is_set_back(new_service: Callable[..., Service], person: User) -> None:
    service = new_service(demand=2)
    path = service.spa_path(2)
    with service.observed() as observer:
        service.start("availability", ratio=100)
        service.carry(observer, "the rollout is complete")

        answer = person.patch(path, {"spec": {"stageMaxScale": 3}})
        assert answer.done, answer.message
        assert any("[SPA008]" in warning for warning in answer.warnings), answer.warnings

        as_before = {"stageMinScale": 2, "stageMaxScale": 10}
        service.carry(observer, "it is set back", lambda: person.get(path).body["spec"] == as_before)


def test_who_states_a_bound_again_and_again_is_named_in_events(
    new_service: Callable[..., Service], person: User
) -> None:
    service = new_service(demand=2)
    path, name = service.spa_path(2), service.revision(2)
    as_before = {"stageMinScale": 2, "stageMaxScale": 10}

    def events(about: str) -> list[Wire]:
        items: list[Wire] = person.get(service.place.path(EVENTS)).body["items"]
        return [one for one in items if (one["reason"], one["involvedObject"]["name"]) == ("BoundsReverted", about)]

    with service.observed() as observer:
        service.start("availability", ratio=100)
        service.carry(observer, "the rollout is complete")
        # A sync that compares desired and live state applies whenever they differ.
        for _ in range(2):
            applied = service.place.object(SPAS, name, {"stageMaxScale": 3})
            assert person.apply(path, applied, "argocd-controller", force="true").done
            service.carry(observer, "it is set back", lambda: person.get(path).body["spec"] == as_before)
        service.carry(observer, "the Events", lambda: events(name) and events(service.name))

    for (event,), kind in ((events(name), "StagePodAutoscaler"), (events(service.name), "RolloutOrchestrator")):
        assert (event["type"], event["involvedObject"]["kind"]) == ("Warning", kind)
        assert event["message"].startswith(
            f"argocd-controller set the stage bounds of StagePodAutoscaler {name} to 2..3 again"
        )


def test_an_spa_that_was_there_before_its_rollout_is_completed_later(
    new_service: Callable[..., Service], person: User
) -> None:
    service = new_service(demand=2)
    alone = service.place.spa(service.revision(1), service=service.name)
    with service.observed() as observer:
        assert person.create(service.place.path(SPAS), alone).done
        started = service.start("availability", ratio=100)
        service.carry(observer, "the rollout is complete")
        completed = person.get(service.spa_path(1)).body["metadata"]

    assert [owner["uid"] for owner in completed["ownerReferences"]] == [started["metadata"]["uid"]]


def test_an_spa_without_a_revision_is_removed(new_service: Callable[..., Service], person: User) -> None:
    service = new_service(demand=2)
    with service.observed() as observer:
        service.start("availability", ratio=100)
        service.carry(observer, "the rollout is complete")

        without = service.place.spa(service.revision(9), service=service.name)
        assert person.create(service.place.path(SPAS), without).done
        service.retarget(3)

        service.carry(observer, "it is gone", lambda: person.get(service.spa_path(9)).status == 404)


def test_what_the_loop_writes_complete_causes_no_mutating_call(
    new_service: Callable[..., Service], running: Stack
) -> None:
    """A person's write of the RO is the only one that does; every change of a spec is checked once all the same."""
    service = new_service(demand=4)
    before = reviews(running)
    with service.observed() as observer:
        service.start("availability", ratio=25)
        service.carry(observer, "the rollout is complete")

    calls = reviews(running) - before
    assert calls["mutate"] == 1
    assert calls["validate"] > 4


def reviews(stack: Stack) -> Counter[str]:
    """The calls that the webhook has answered, by path."""
    with urllib.request.urlopen(f"{stack.pages_url}/metrics", timeout=60) as page:
        found = re.findall(
            r'^stagegate_admission_reviews_total\{.*path="/?(\w+)".*\} (\S+)$', page.read().decode(), re.M
        )
    counts: Counter[str] = Counter()
    for path, count in found:
        counts[path] += int(float(count))
    return counts

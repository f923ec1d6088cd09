"""Pods that hang in termination: what waits for them, and when they are removed by force."""

from tests.integration.place import Place
from tests.integration.service import Service
from tests.integration.user import User
from webhook.cli.demo.stack import Stack

REMOVED = "TerminatingPodRemoved"


def test_held_back_room_is_freed_at_once(running: Stack, person: User, place: Place) -> None:
    service = Service(running.client, person, place, demand=2)
    with service.observed() as observer:
        service.annotate("hello-00001", hang="true")
        service.start("resourceutil", ratio=50)

        # The pods' own time to end is 30 s; the first stage does not wait for it.
        service.carry(observer, "the first stage is over", lambda: len(observer.outcome().stages) == 2, within=20.0)

    (event,) = service.events(REMOVED)
    assert "hello-00002 waits for its room" in event["message"]


def test_a_pod_past_its_time_is_removed(running: Stack, person: User, place: Place) -> None:
    service = Service(running.client, person, place, demand=2)
    with service.observed() as observer:
        service.annotate("hello-00001", hang="true", grace_seconds="30")
        service.start("availability", ratio=100)
        service.carry(observer, "its pods hang", lambda: _ending(service) == 2)
        assert not observer.complete
        assert observer.snapshot("availability", 1).state == "scaling down"
        assert service.events(REMOVED) == []


def test_a_stage_goes_on_when_its_pods_were_removed(running: Stack, person: User, place: Place) -> None:
    service = Service(running.client, person, place, demand=2)
    service.make_pod_autoscaler("hello-00001")
    service.annotate("hello-00001", hang="true", grace_seconds="1")
    with service.observed() as observer:
        service.start("availability", ratio=100)
        service.carry(observer, "the rollout is complete")

    assert {"it is past its deletion time" in event["message"] for event in service.events(REMOVED)} == {True}
    assert _ending(service) == 0


def _ending(service: Service) -> int:
    return sum("deletionTimestamp" in pod["metadata"] for pod in service.pods())

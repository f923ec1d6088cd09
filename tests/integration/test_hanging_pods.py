"""Pods that hang in termination: what waits for them, and when they are removed by force."""

from collections.abc import Callable

from tests.integration.service import Service

REMOVED = "TerminatingPodRemoved"


def test_the_room_that_a_held_revision_waits_for_is_freed_at_once(new_service: Callable[..., Service]) -> None:
    service = new_service(demand=2)
    with service.observed(hang="true", grace_seconds="600") as observer:
        service.start("resourceutil", ratio=50)
        service.carry(observer, "the first stage is over", lambda: len(observer.outcome().stages) == 2)
        service.carry(observer, "the Event of its removal", lambda: service.events(REMOVED))

    (event,) = service.events(REMOVED)
    assert f"{service.revision(2)} waits for room" in event["message"]


def test_elsewhere_a_pod_is_given_its_time(new_service: Callable[..., Service]) -> None:
    service = new_service(demand=2)
    with service.observed(hang="true", grace_seconds="600") as observer:
        service.start("availability", ratio=50)
        service.carry(observer, "a pod hangs", lambda: service.ending_pods() == 1)
        service.carry(
            observer,
            "the loop knows of it",
            lambda: observer.spas[service.revision(1)]["status"]["replicasTerminating"],
        )

        assert observer.snapshot("availability", 2).state == "scaling down"
        assert len(observer.outcome().stages) == 1
        assert service.events(REMOVED) == []


def test_a_pod_past_its_time_is_removed_and_the_stage_goes_on(new_service: Callable[..., Service]) -> None:
    service = new_service(demand=2)
    with service.observed(hang="true", grace_seconds="1") as observer:
        service.start("availability", ratio=100)
        service.carry(observer, "the rollout is complete")
        service.carry(observer, "an Event of each removal", lambda: len(service.events(REMOVED)) == 2)

    assert all("it is past its deletion time" in event["message"] for event in service.events(REMOVED))
    assert service.ending_pods() == 0

"""Watches: what they send, when they expire, and the bookmarks that keep them alive."""

from collections.abc import Callable

import pytest

from tests.integration.conftest import HISTORY
from tests.integration.place import SPAS, Place
from tests.integration.user import User


def test_a_watch_sends_what_happens_after_a_version(person: User, place: Place) -> None:
    path = place.path(SPAS, "hello-00002")
    before = person.get(place.path(SPAS)).body["metadata"]["resourceVersion"]
    person.create(place.path(SPAS), place.spa("hello-00002", {"stageMinScale": 1}))
    person.patch(path, {"spec": {"stageMinScale": 2}})
    person.delete(path)

    with person.watch(place.path(SPAS), 30, resourceVersion=before) as events:
        received = [next(events) for _ in range(3)]

    assert [event["type"] for event in received] == ["ADDED", "MODIFIED", "DELETED"]
    assert [event["object"]["spec"]["stageMinScale"] for event in received] == [1, 2, 2]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in received]
    assert versions == sorted(set(versions))


def test_a_selector_makes_an_object_come_and_go(person: User, place: Place) -> None:
    path = place.path(SPAS, "hello-00002")
    before = person.get(place.path(SPAS)).body["metadata"]["resourceVersion"]
    person.create(place.path(SPAS), place.spa("hello-00002", {"stageMinScale": 1}))
    person.patch(path, {"metadata": {"labels": {"team": "a"}}})
    person.patch(path, {"metadata": {"labels": {"team": "b"}}})

    with person.watch(place.path(SPAS), 30, resourceVersion=before, labelSelector="team=a") as events:
        received = [next(events) for _ in range(2)]

    assert [event["type"] for event in received] == ["ADDED", "DELETED"]


def test_a_version_that_is_too_old_has_expired(person: User, place: Place) -> None:
    path = place.path(SPAS, "hello-00002")
    person.create(place.path(SPAS), place.spa("hello-00002"))
    for number in range(HISTORY + 1):
        person.patch(f"{path}/status", {"status": {"actualScale": number}})

    with person.watch(place.path(SPAS), 30, resourceVersion="1") as events:
        received = next(events)

    assert received["type"] == "ERROR"
    assert (received["object"]["code"], received["object"]["reason"]) == (410, "Expired")
    assert received["object"]["message"].startswith("too old resource version: 1 ")


def test_bookmarks_carry_the_version_on(person: User, place: Place, new_place: Callable[..., Place]) -> None:
    before = person.get(place.path(SPAS)).body["metadata"]["resourceVersion"]

    with person.watch(place.path(SPAS), 4, resourceVersion=before, allowWatchBookmarks="true") as events:
        # A change that this watch does not select.
        elsewhere = new_place()
        made = person.create(elsewhere.path(SPAS), elsewhere.spa("hello-00001")).body["metadata"]
        received = [event for event in events if event["type"] == "BOOKMARK"]

    bookmark = received[-1]["object"]
    assert int(bookmark["metadata"]["resourceVersion"]) >= int(made["resourceVersion"])
    assert (bookmark["kind"], bookmark["apiVersion"]) == ("StagePodAutoscaler", "serving.knative.dev/v1")


def test_a_watch_ends_when_it_was_asked_to(person: User, place: Place) -> None:
    before = person.get(place.path(SPAS)).body["metadata"]["resourceVersion"]

    with person.watch(place.path(SPAS), 1, resourceVersion=before) as events:
        assert list(events) == []


@pytest.mark.e2e
def test_pages_of_a_list_are_of_one_version(person: User, place: Place) -> None:
    for number in range(3):
        person.create(place.path(SPAS), place.spa(f"hello-{number}"))

    first = person.get(place.path(SPAS), limit="2").body
    person.delete(place.path(SPAS, "hello-2"))
    second = person.get(place.path(SPAS), limit="2", **{"continue": first["metadata"]["continue"]}).body

    assert [spa["metadata"]["name"] for spa in first["items"]] == ["hello-0", "hello-1"]
    assert [spa["metadata"]["name"] for spa in second["items"]] == ["hello-2"]
    assert first["metadata"]["remainingItemCount"] == 1
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert not second["metadata"].get("continue")

"""Lists in pages and watches over HTTP."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox import Sandbox
from tests.sandbox.wire import SPAS, Api, Place, config_map, spa


def versions(api: Api, place: Place, *names: str) -> list[str]:
    return [api.create(place.path(SPAS), spa(name)).body["metadata"]["resourceVersion"] for name in names]


def test_a_watch_begins_with_what_is_there_and_goes_on_with_what_changes(api: Api, place: Place) -> None:
    api.create(place.path(SPAS), spa("a", {}))
    with api.watch(place.path(SPAS)) as events:
        assert next(events)["type"] == "ADDED"
        changed = api.patch(place.path(SPAS, "a"), {"spec": {"stageMinScale": 1}}).body
        assert next(events) == {"type": "MODIFIED", "object": changed}
        api.delete(place.path(SPAS, "a"))
        gone = next(events)
        assert gone["type"] == "DELETED"
        assert gone["object"]["spec"] == {"stageMinScale": 1}
        assert int(gone["object"]["metadata"]["resourceVersion"]) > int(changed["metadata"]["resourceVersion"])


def test_a_watch_goes_on_from_a_version(api: Api, place: Place) -> None:
    first, second = versions(api, place, "a", "b")
    with api.watch(place.path(SPAS), resourceVersion=first) as events:
        assert next(events)["object"]["metadata"]["resourceVersion"] == second


def test_a_watch_sees_its_namespace_alone(api: Api, place: Place) -> None:
    with api.watch(place.path(SPAS)) as events:
        api.create(Place("default").path(SPAS), spa(f"other-{place.name}"))
        api.create(place.path(SPAS), spa("mine"))
        assert next(events)["object"]["metadata"]["name"] == "mine"
    api.delete(Place("default").path(SPAS, f"other-{place.name}"))


def test_what_stops_matching_a_selector_is_gone_for_its_watch(api: Api, place: Place) -> None:
    api.create(place.path(SPAS), spa("a", labels={"in": "yes"}))
    with api.watch(place.path(SPAS), labelSelector="in=yes") as events:
        assert next(events)["type"] == "ADDED"
        api.patch(place.path(SPAS, "a"), {"metadata": {"labels": {"in": "no"}}})
        gone = next(events)
        assert (gone["type"], gone["object"]["metadata"]["labels"]) == ("DELETED", {"in": "yes"})
        api.patch(place.path(SPAS, "a"), {"metadata": {"labels": {"in": "yes"}}})
        assert next(events)["type"] == "ADDED"


def test_a_watch_streams_no_list(api: Api, place: Place) -> None:
    refused = api.get(place.path(SPAS), watch="true", sendInitialEvents="true")
    assert refused.causes == [("sendInitialEvents", "Forbidden: the sandbox streams no lists; list, then watch")]


def test_a_watch_ends_when_its_time_is_up(api: Api, place: Place) -> None:
    with api.watch(place.path(SPAS), timeoutSeconds="1") as events:
        assert list(events) == []


def test_bookmarks_tell_how_far_a_silent_watch_has_come(tmp_path: Path) -> None:
    with Sandbox(tmp_path, knative=False, bookmark_seconds=0.05) as sandbox, Api(sandbox.kubeconfig) as api:
        place = Place("default")
        with api.watch(place.path(SPAS), allowWatchBookmarks="true", resourceVersion="1") as events:
            error = next(events)
            assert (error["type"], error["object"]["code"]) == ("ERROR", 410)
        with api.watch(place.path(SPAS), allowWatchBookmarks="true") as events:
            other = api.create(place.path("configmaps"), config_map("a")).body["metadata"]["resourceVersion"]
            seen = "0"
            deadline = time.monotonic() + 10
            while seen != other:
                assert time.monotonic() < deadline
                event = next(events)
                assert event["type"] == "BOOKMARK"
                seen = event["object"]["metadata"]["resourceVersion"]


def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    with Sandbox(tmp_path, knative=False) as sandbox, Api(sandbox.kubeconfig) as api:
        place = Place("default")
        first, *_ = versions(api, place, "a", "b", "c")
        page = api.get(place.path(SPAS), limit="1").body
        sandbox.forget_history()
        with api.watch(place.path(SPAS), resourceVersion=first) as events:
            status = next(events)["object"]
        assert (status["code"], status["reason"]) == (410, "Expired")
        assert status["message"].startswith(f"too old resource version: {first} (")
        api.create(place.path(SPAS), spa("d"))
        sandbox.forget_history()
        late = api.get(place.path(SPAS), limit="1", **{"continue": page["metadata"]["continue"]})
        assert (late.code, late.body["reason"]) == (410, "Expired")


def test_a_bounded_history_forgets_by_itself(tmp_path: Path) -> None:
    with Sandbox(tmp_path, knative=False, history=2) as sandbox, Api(sandbox.kubeconfig) as api:
        place = Place("default")
        first, _, third, _, _ = versions(api, place, *"abcde")
        with api.watch(place.path(SPAS), resourceVersion=first) as events:
            assert next(events)["type"] == "ERROR"
        with api.watch(place.path(SPAS), resourceVersion=third) as events:
            assert [next(events)["object"]["metadata"]["name"] for _ in range(2)] == ["d", "e"]


def test_pages_show_one_moment(api: Api, place: Place) -> None:
    versions(api, place, "a", "b", "c", "d")
    first = api.get(place.path(SPAS), limit="3").body
    assert first["metadata"]["remainingItemCount"] == 1
    api.delete(place.path(SPAS, "d"))
    api.create(place.path(SPAS), spa("e"))
    second = api.get(place.path(SPAS), limit="3", **{"continue": first["metadata"]["continue"]}).body
    assert [item["metadata"]["name"] for item in first["items"] + second["items"]] == ["a", "b", "c", "d"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_lists_of_built_in_kinds_leave_the_kind_of_their_items_out(api: Api, place: Place) -> None:
    api.create(place.path("configmaps"), config_map("a"))
    api.create(place.path(SPAS), spa("a"))
    assert "kind" not in api.get(place.path("configmaps")).body["items"][0]
    assert api.get(place.path(SPAS)).body["items"][0]["kind"] == "StagePodAutoscaler"


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("x=1", "a"),
        ("x==1", "a"),
        ("x!=1", "bc"),
        ("x", "ab"),
        ("!x", "c"),
        ("x in (1, 2),y", "b"),
        ("x notin (2)", "ac"),
        ("", "abc"),
    ],
)
def test_label_selectors(api: Api, place: Place, selector: str, names: str) -> None:
    for name, labels in (("a", {"x": "1"}), ("b", {"x": "2", "y": ""}), ("c", {})):
        api.create(place.path(SPAS), spa(name, labels=labels))
    found = api.get(place.path(SPAS), labelSelector=selector).body["items"]
    assert "".join(item["metadata"]["name"] for item in found) == names


def test_selectors_that_cannot_be_read(api: Api, place: Place) -> None:
    label = api.get(place.path(SPAS), labelSelector="a b")
    assert label.message == "unable to parse requirement: 'a b'"
    assert api.get(place.path(SPAS), fieldSelector="spec.x=1").message == "field label not supported: spec.x"


def test_many_watches_end_at_once_with_the_sandbox(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, knative=False).start()
    with Api(sandbox.kubeconfig) as api:
        place = Place("default")
        streams = [api.watch(place.path(SPAS)) for _ in range(40)]
        entered = [stream.__enter__() for stream in streams]
        api.create(place.path(SPAS), spa("a"))
        assert {next(events)["type"] for events in entered} == {"ADDED"}
        began = datetime.now(UTC)
        sandbox.stop()
        assert [list(events) for events in entered] == [[]] * 40
        assert (datetime.now(UTC) - began).total_seconds() < 5
        for stream in streams:
            stream.__exit__(None, None, None)

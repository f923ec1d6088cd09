"""The start and end lists, from a Knative Service, its Route and its Revisions."""

from typing import Any

import pytest

from tests.planning.rollouts import plain
from webhook.api import TargetRevision as Revision
from webhook.planning import (
    RevisionRecord,
    final_target_revisions,
    initial_target_revisions,
    newest_revision_name,
    revision_records,
)

OLD, NEW = "hello-00001", "hello-00002"
MIN, MAX = "autoscaling.knative.dev/min-scale", "autoscaling.knative.dev/max-scale"


def service(*traffic: dict[str, Any], **annotations: str) -> dict[str, Any]:
    named = {{"low": MIN, "high": MAX}[key]: value for key, value in annotations.items()}
    return {
        "metadata": {"name": "hello"},
        "spec": {"traffic": list(traffic), "template": {"metadata": {"annotations": named}}},
    }


def final(
    *traffic: dict[str, Any], records: dict[str, RevisionRecord] | None = None, **low_high: str
) -> list[Revision]:
    return final_target_revisions(service(*traffic, **low_high), 2, records or {})


def initial(*traffic: dict[str, Any]) -> list[Revision]:
    return initial_target_revisions(service(), 2, {"status": {"traffic": list(traffic)}}, {})


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("3", 3),
        ("+3", 3),
        ("0", 0),
        ("-1", -1),
        ("", None),
        (" 3", None),
        ("3.0", None),
        ("1_0", None),
        ("2147483648", None),
    ],
)
def test_a_record_holds_what_the_annotations_state_legibly(text: str, bound: int | None) -> None:
    records = revision_records([(OLD, {MIN: text}), (NEW, {MAX: text, "other": "5"})])
    assert records == {OLD: RevisionRecord(OLD, bound, None), NEW: RevisionRecord(NEW, None, bound)}


@pytest.mark.parametrize(
    ("name", "generation", "revision"),
    [
        ("hello", 2, "hello-00002"),
        ("hello", 123456, "hello-123456"),
        ("a" * 57, 1, "a" * 57 + "-00001"),
        ("a" * 58, 1, "a" * 25 + "dc2f2f2462a0d72358b2f99389458606-00001"),
    ],
)
def test_the_newest_revision_is_named_by_service_and_generation(name: str, generation: int, revision: str) -> None:
    assert newest_revision_name(name, generation) == revision
    assert len(revision) <= 63


def test_without_traffic_the_end_is_the_newest_revision() -> None:
    assert final(low="1", high="5") == [plain(NEW, latest_revision=True, min_scale=1, max_scale=5)]


def test_an_entry_of_the_service_keeps_what_routes_it() -> None:
    traffic = {"revisionName": OLD, "percent": 30, "tag": "blue", "url": "http://blue", "configurationName": "hello"}
    assert final(traffic, {"latestRevision": True}) == [
        plain(OLD, 30, latest_revision=False, tag="blue", url="http://blue", configuration_name="hello"),
        plain(NEW, 100, latest_revision=True),
    ]


@pytest.mark.parametrize(
    ("entry", "latest"), [({"revisionName": NEW}, True), ({"revisionName": OLD, "latestRevision": True}, False)]
)
def test_the_newest_revision_is_the_latest_whatever_the_entry_says(entry: dict[str, Any], latest: bool) -> None:
    assert final(entry)[0].latest_revision is latest


def test_bounds_come_from_the_record_and_else_from_the_template() -> None:
    traffic = ({"revisionName": OLD, "percent": 50}, {"percent": 50})
    records = {OLD: RevisionRecord(OLD, 7, None)}
    assert [(e.min_scale, e.max_scale) for e in final(*traffic, records=records, low="1", high="5")] == [
        (7, None),
        (1, 5),
    ]


@pytest.mark.parametrize(
    ("last", "names"),
    [
        ({"latestRevision": True, "percent": 0}, [NEW, OLD]),
        ({"latestRevision": True, "percent": 1}, [OLD, NEW]),
        ({"revisionName": NEW, "percent": 0}, [OLD, NEW]),
    ],
)
def test_a_latest_revision_listed_last_without_traffic_comes_first(last: dict[str, Any], names: list[str]) -> None:
    assert [entry.revision_name for entry in final({"revisionName": OLD, "percent": 100}, last)] == names


def test_the_start_is_what_the_route_serves_merged_and_sorted_by_name() -> None:
    traffic = (
        {"revisionName": NEW, "percent": 20, "tag": "new"},
        {"revisionName": OLD, "percent": 50, "tag": "a"},
        {"revisionName": OLD, "percent": 30, "tag": "b"},
    )
    assert initial(*traffic) == [
        plain(OLD, 80, latest_revision=False, tag="a"),
        plain(NEW, 20, latest_revision=True, tag="new"),
    ]


@pytest.mark.parametrize("route", [None, {}, {"status": {}}, {"status": {"traffic": []}}])
def test_the_start_is_empty_without_traffic(route: dict[str, Any] | None) -> None:
    assert initial_target_revisions(service(), 2, route, {}) == []

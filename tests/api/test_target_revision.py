"""An entry of an RO's lists: what is read, what is kept, what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.api import MalformedObject, TargetRevision
from webhook.api.target_revision import index_of, one_per_revision

REPLICAS = st.none() | st.integers(-(2**31), 2**31 - 1)
NAMES = st.text("abcdefgh-0123456789", max_size=12)
ENTRIES = st.builds(
    TargetRevision,
    revision_name=NAMES,
    percent=st.none() | st.integers(-(2**63), 2**63 - 1),
    latest_revision=st.none() | st.booleans(),
    configuration_name=NAMES,
    tag=NAMES,
    url=NAMES,
    direction=st.sampled_from(["", "up", "down", "stay", " Up", "sideways"]),
    target_replicas=REPLICAS,
    min_scale=REPLICAS,
    max_scale=REPLICAS,
    extra=st.dictionaries(st.sampled_from(["x", "y"]), st.integers()),
)


@given(ENTRIES)
def test_a_round_trip_gives_the_same_entry(entry: TargetRevision) -> None:
    assert TargetRevision.from_dict(entry.to_dict()) == entry


def test_unknown_members_survive_a_round_trip() -> None:
    data = {"revisionName": "hello-00001", "percent": 40, "weights": {"gpu": [1, 2]}}
    assert TargetRevision.from_dict(data).to_dict() == data


def test_what_a_view_gives_is_not_what_it_was_made_of() -> None:
    data: dict[str, Any] = {"revisionName": "hello-00001", "weights": {"gpu": [1]}}
    entry = TargetRevision.from_dict(data)
    data["weights"]["gpu"].append(2)
    entry.to_dict()["weights"]["gpu"].append(3)
    assert entry.to_dict()["weights"] == {"gpu": [1]}


@pytest.mark.parametrize("key", ["percent", "targetReplicas", "minScale", "maxScale"])
def test_an_absent_number_is_not_zero(key: str) -> None:
    assert key not in TargetRevision.from_dict({}).to_dict()
    assert key not in TargetRevision.from_dict({key: None}).to_dict()
    assert TargetRevision.from_dict({key: 0}).to_dict() == {key: 0}
    assert TargetRevision.from_dict({key: 0}) != TargetRevision.from_dict({})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"percent": "10"}, "spec.x[0].percent: must be a whole number, not a string"),
        ({"percent": True}, "spec.x[0].percent: must be a whole number, not a boolean"),
        ({"minScale": 1.5}, "spec.x[0].minScale: must be a whole number, not a number"),
        ({"maxScale": 2**31}, "spec.x[0].maxScale: must fit into 32 bits"),
        ({"percent": 2**63}, "spec.x[0].percent: must fit into 64 bits"),
        ({"revisionName": 7}, "spec.x[0].revisionName: must be a string, not a number"),
        ({"latestRevision": "yes"}, "spec.x[0].latestRevision: must be true or false, not a string"),
        ([], "spec.x[0]: must be an object, not a list"),
    ],
)
def test_a_member_of_the_wrong_form_is_named(data: Any, message: str) -> None:
    with pytest.raises(MalformedObject) as refusal:
        TargetRevision.from_dict(data, "spec.x[0]")
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("direction", "up", "down"),
    [
        ("", True, False),
        ("  ", True, False),
        ("up", True, False),
        (" UP\n", True, False),
        ("down", False, True),
        ("Down ", False, True),
        ("stay", False, False),
        ("sideways", False, False),
    ],
)
def test_direction_is_read_trimmed_and_in_any_case(direction: str, up: bool, down: bool) -> None:
    entry = TargetRevision(direction=direction)
    assert (entry.goes_up, entry.goes_down) == (up, down)


A_100, A_TAG = TargetRevision("a", percent=100, min_scale=2, max_scale=10), TargetRevision("a", percent=0, tag="next")
B_50 = TargetRevision("b", percent=50, direction="down")


@pytest.mark.parametrize(
    ("listed", "merged"),
    [
        ([], []),
        ([A_100, B_50], [A_100, B_50]),
        ([A_100, A_TAG], [TargetRevision("a", percent=100, min_scale=2, max_scale=10, tag="next")]),
        ([A_TAG, B_50, A_100], [TargetRevision("a", percent=100, min_scale=2, max_scale=10, tag="next"), B_50]),
        # The last entry that has a member gives it; 0 and false are values.
        (
            [
                TargetRevision("a", direction="down", target_replicas=5, latest_revision=True, min_scale=3),
                TargetRevision("a", direction="stay", target_replicas=0, latest_revision=False),
            ],
            [TargetRevision("a", direction="stay", target_replicas=0, latest_revision=False, min_scale=3)],
        ),
        ([TargetRevision("a", percent=60), TargetRevision("a", percent=30)], [TargetRevision("a", percent=90)]),
        ([TargetRevision("a", percent=0), TargetRevision("a")], [TargetRevision("a", percent=0)]),
        ([TargetRevision("a"), TargetRevision("a")], [TargetRevision("a")]),
        # A tag without a percent of its own comes from Knative's controller with one of 100.
        ([A_100, A_100], [A_100]),
        # An entry that stands alone stays as it is.
        ([TargetRevision("a", percent=140)], [TargetRevision("a", percent=140)]),
        (
            [TargetRevision("a", extra={"x": 1, "y": 1}), TargetRevision("a", extra={"y": 2})],
            [TargetRevision("a", extra={"x": 1, "y": 2})],
        ),
    ],
)
def test_entries_of_one_revision_are_one(listed: list[TargetRevision], merged: list[TargetRevision]) -> None:
    assert one_per_revision(listed) == merged
    assert one_per_revision(merged) == merged


def test_a_revision_is_found_by_its_first_entry() -> None:
    assert index_of("b", [A_100, B_50, B_50]) == 1
    with pytest.raises(ValueError, match="not in list"):
        index_of("c", [A_100, B_50])

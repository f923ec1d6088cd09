"""The pin of a Route for a new Revision: what was observed, the hold and the traffic after, or why there is none."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.knative.routes import HOLD, UID, floating, held_entries, hold, named, route, service
from webhook.knative.opt_in import Obstacle
from webhook.knative.pin import NewRevision, Observation, Pin, decide_pin
from webhook.knative.settings import HoldSettings

NEW = NewRevision("default", "b", "hello", UID)
ASKED = Observation(service())
TAGGED = named("a", 0) | {"tag": "old"}


def decided(
    route: dict[str, Any], observed: Observation = ASKED, new: NewRevision = NEW
) -> tuple[dict[str, Any], list[dict[str, Any]]] | str:
    """The hold and the traffic, or the reason."""
    found = decide_pin(new, observed, route)
    if isinstance(found, Obstacle):
        assert found.message
        return found.reason
    return json.loads(found.hold.to_annotation()), found.traffic


@pytest.mark.parametrize(
    ("before", "initial", "traffic"),
    [
        (route(), {"a": 100}, held_entries(a=100)),
        (route(status=[named("a", 60), named("x", 40)]), {"a": 60, "x": 40}, held_entries(a=60, x=40)),
        (
            route(held_entries(a=75, x=25), [named("a", 90), named("x", 10)], hold("x")),
            {"a": 75, "x": 25},
            held_entries(a=75, x=25),
        ),
        (
            route(held_entries(a=75, x=25, y=0), annotation=hold("y")),
            {"a": 75, "x": 25},
            held_entries(a=75, x=25, y=0),
        ),
        (
            route(held_entries(a=75, x=25), annotation=hold("b", {"a": 100})),
            {"a": 100},
            held_entries(a=75, x=25),
        ),
        (route(annotation=hold("x", phase="releasing")), {"a": 100}, held_entries(a=100)),
        (route(annotation=hold("x")), {"a": 100}, held_entries(a=100)),
        (
            route(held_entries(x=100), annotation=hold("x", since="uid-of-a-backup")),
            {"a": 100},
            held_entries(a=100),
        ),
        (route(held_entries(x=100), annotation="{}"), {"a": 100}, held_entries(a=100)),
    ],
    ids=[
        "at rest",
        "while Knative moves traffic",
        "edited again: the shares of the spec are newer than those of the status",
        "edited again: who has no share yet keeps its entry",
        "the same Revision again: its start stays",
        "while the last rollout is given back",
        "a hold whose traffic somebody took away",
        "a hold from a backup",
        "a hold that cannot be read",
    ],
)
def test_a_pin_repeats_the_present_traffic(
    before: dict[str, Any], initial: dict[str, int], traffic: list[dict[str, Any]]
) -> None:
    assert decided(before) == ({"phase": "held", "initial": initial, "new": "b", "since": UID}, traffic)


def test_without_the_repeated_entry_the_service_may_be_ready_before_its_rollout_is() -> None:
    observed = replace(ASKED, settings=HoldSettings(keeps_service_waiting=False))
    found = decide_pin(NEW, observed, route())
    assert isinstance(found, Pin)
    assert found.traffic == [named("a", 100), floating()]


SPLIT = service() | {"spec": {"traffic": [named("a", 50), {"latestRevision": True, "percent": 50}]}}


@pytest.mark.parametrize(
    ("observed", "before", "new", "reason"),
    [
        (Observation(None), route(), NEW, "ServiceUnknown"),
        (Observation(service(annotations={})), route(), NEW, "NotOptedIn"),
        (Observation(service(annotations={"stagegate.dev/progressive": "si"})), route(), NEW, "OptInUnreadable"),
        (Observation(SPLIT, by_default=True), route(), NEW, "TrafficIsSplit"),
        (Observation(service(uid="another")), route(), replace(NEW, service_uid="x"), "ServiceReplaced"),
        (Observation(service(deletionTimestamp="2026-01-01T00:00:00Z")), route(), NEW, "BeingDeleted"),
        (replace(ASKED, is_stored=True), route(), NEW, "RevisionExists"),
        (ASKED, {}, NEW, "NoTrafficYet"),
        (ASKED, route(ownerReferences=[]), NEW, "NoTrafficYet"),
        (ASKED, route(deletionTimestamp="2026-01-01T00:00:00Z"), NEW, "NoTrafficYet"),
        (ASKED, route(status=[]), NEW, "NoTrafficYet"),
        (ASKED, route(status=[named("a", 60)]), NEW, "NoTrafficYet"),
        (ASKED, route(), replace(NEW, name="a"), "RevisionExists"),
        (ASKED, route(status=[named("a", 100), TAGGED]), NEW, "TrafficHasTags"),
        (ASKED, route(spec=[floating(100), TAGGED]), NEW, "TrafficHasTags"),
        (replace(ASKED, settings=HoldSettings(holds_nothing_new=True)), route(), NEW, "HoldingNothingNew"),
    ],
)
def test_everything_else_is_left_to_knative(
    observed: Observation, before: dict[str, Any], new: NewRevision, reason: str
) -> None:
    assert decided(before, observed, new) == reason


@pytest.mark.parametrize(
    ("annotation", "label", "by_default", "is_pinned"),
    [
        (None, None, True, True),
        (None, "true", False, True),
        (None, "false", True, False),
        ("false", "true", True, False),
    ],
)
def test_the_opt_in_comes_from_the_service_its_namespace_or_the_cluster(
    annotation: str | None, label: str | None, by_default: bool, is_pinned: bool
) -> None:
    key = "stagegate.dev/progressive"
    observed = Observation(
        service(annotations={} if annotation is None else {key: annotation}),
        namespace_labels={} if label is None else {key: label},
        by_default=by_default,
    )
    assert isinstance(decide_pin(NEW, observed, route()), Pin) == is_pinned


def test_a_rollout_under_way_is_pinned_anew_although_nothing_new_is_held() -> None:
    observed = replace(ASKED, settings=HoldSettings(holds_nothing_new=True))
    assert isinstance(decide_pin(NEW, observed, route(held_entries(a=75, x=25), annotation=hold("x"))), Pin)


def test_the_patch_is_conditional_and_states_the_hold_and_the_traffic_alone() -> None:
    pin = decide_pin(NEW, ASKED, route())
    assert isinstance(pin, Pin)
    assert pin.patch(route()) == {
        "metadata": {"resourceVersion": "7", "annotations": {HOLD: hold("b")}},
        "spec": {"traffic": held_entries(a=100)},
    }


letters = st.sampled_from("acdefxyz")


@st.composite
def routes(draw: st.DrawFn) -> dict[str, Any]:
    """A Route in any state: its traffic in any split, at rest, held, being released, or of a backup."""
    cuts = sorted(draw(st.sets(st.integers(1, 99), max_size=3)))
    parts = [high - low for low, high in zip([0, *cuts], [*cuts, 100], strict=True)]
    names = draw(st.lists(letters, min_size=len(parts), max_size=len(parts), unique=True))
    status = dict(zip(names, parts, strict=True))
    if draw(st.booleans()):
        annotation = draw(st.sampled_from([None, "{}", hold("x", phase="releasing"), hold("x", since="other")]))
        return route(status=[named(name, percent) for name, percent in status.items()], annotation=annotation)
    idle = dict.fromkeys(draw(st.sets(letters)) - set(names), 0)
    lagging = draw(st.sampled_from([{"a": 100}, status]))
    return route(held_entries(**status, **idle), [named(name, percent) for name, percent in lagging.items()], hold("x"))


def present(before: dict[str, Any]) -> dict[str, int]:
    """The shares of a Route: those of its spec if it names revisions, else those of its status."""
    in_spec = {
        entry["revisionName"]: entry["percent"] for entry in before["spec"]["traffic"] if "revisionName" in entry
    }
    if in_spec:
        in_spec = {
            name: sum(each["percent"] for each in before["spec"]["traffic"] if each.get("revisionName") == name)
            for name in in_spec
        }
    return in_spec or {entry["revisionName"]: entry["percent"] for entry in before["status"]["traffic"]}


def after(before: dict[str, Any], pin: Pin) -> dict[str, Any]:
    patch = pin.patch(before)
    if patch is None:
        return before
    annotations = before["metadata"]["annotations"] | patch["metadata"]["annotations"]
    return {**before, "metadata": {**before["metadata"], "annotations": annotations}, "spec": patch["spec"]}


@given(routes())
def test_a_pin_moves_nothing_and_a_second_one_changes_nothing(before: dict[str, Any]) -> None:
    pin = decide_pin(NEW, ASKED, before)
    assert isinstance(pin, Pin)
    held = after(before, pin)
    assert {name: share for name, share in present(held).items() if share} == {
        name: share for name, share in present(before).items() if share
    }
    assert sum(entry["percent"] for entry in pin.traffic) == 100
    again = decide_pin(NEW, ASKED, held)
    assert isinstance(again, Pin)
    assert again.patch(held) is None


@given(routes())
def test_any_number_of_pins_leaves_the_traffic_of_the_first(before: dict[str, Any]) -> None:
    first = decide_pin(NEW, ASKED, before)
    assert isinstance(first, Pin)
    second = decide_pin(replace(NEW, name="forged"), ASKED, after(before, first))
    assert isinstance(second, Pin)
    assert second.traffic == first.traffic

"""Laws of the state machine of a Service, over invented worlds."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.knative.moments import NEW, OLD, OPTIONS
from tests.knative.services import after, by_name, entry, hold, lowered, named, pinned, revision, ro, route, service
from webhook.api import RolloutOrchestrator
from webhook.knative.annotations import OWN, annotations_of
from webhook.knative.hold import hold_of
from webhook.knative.service_decision import decide_service
from webhook.knative.service_seen import ServiceSeen
from webhook.knative.service_writes import PatchRoute
from webhook.knative.stage_traffic import Scale

ROUNDS = 8
FLOATING = [{"latestRevision": True, "percent": 100}]
TRAFFIC = (None, FLOATING, [named(OLD, 100)], [named(OLD, 40), named(NEW, 60)], [{**FLOATING[0], "tag": "new"}])

services = st.builds(
    service,
    st.sampled_from([{"stagegate.dev/progressive": "true"}, {"stagegate.dev/progressive": "false"}, {}]),
    st.sampled_from(TRAFFIC),
)
holds = st.sampled_from([None, hold(), hold("releasing"), hold(new="hello-00009"), hold(since="another"), "unreadable"])
shares = st.integers(0, 100).map(lambda percent: {OLD: percent, NEW: 100 - percent})


@st.composite
def routes(draw: st.DrawFn) -> dict[str, Any]:
    annotation, moved = draw(holds), draw(shares)
    entries = pinned(**{name: percent for name, percent in moved.items() if percent}) if annotation else None
    shown = moved if draw(st.booleans()) else draw(shares)
    return route(annotation, entries, shown, draw(st.sampled_from(["True", "Unknown", "False"])))


@st.composite
def revisions(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    names = draw(st.sampled_from([(OLD,), (NEW,), (OLD, NEW)]))
    made = []
    for name in names:
        more: dict[str, Any] = {"ready": draw(st.sampled_from(["True", "Unknown", "False"]))}
        more["state"] = draw(st.sampled_from(["active", "reserve", "pending"]))
        made.append(draw(st.sampled_from([revision(name, min_scale="4", **more), lowered(name, **more)])))
    return by_name(*made)


@st.composite
def rollouts(draw: st.DrawFn) -> RolloutOrchestrator | None:
    if draw(st.booleans()):
        return None
    stage = [entry(OLD, 75, direction="down", targetReplicas=3), entry(NEW, 25, direction="up", targetReplicas=1)]
    return ro(
        [entry(OLD, 100, minScale=4)],
        [entry(draw(st.sampled_from([OLD, NEW])), 100, minScale=4)],
        draw(st.sampled_from([[], stage])),
        draw(st.sampled_from(["True", "Unknown", "False"])),
    )


bound = st.none() | st.integers(0, 6)
worlds = st.builds(
    ServiceSeen,
    service=services,
    route=routes(),
    revisions=revisions(),
    ro=rollouts(),
    stage_bounds=st.dictionaries(st.sampled_from([OLD, NEW]), st.tuples(bound, bound)),
    scales=st.dictionaries(st.sampled_from([OLD, NEW]), st.builds(Scale, bound, bound)),
    namespace_labels=st.sampled_from([{}, {"stagegate.dev/progressive": "true"}]),
    missing_for=st.sampled_from([0.0, 31.0]),
    foreign=st.sampled_from(["", "", "upstream's controllers"]),
)


@given(worlds)
def test_decisions_come_to_an_end_while_nobody_reacts_to_them(world: ServiceSeen) -> None:
    for _ in range(ROUNDS):
        decision = decide_service(world, OPTIONS)
        if not decision.writes:
            return
        world = after(world, decision)
    raise AssertionError([str(write) for write in decide_service(world, OPTIONS).writes])


@given(worlds)
def test_the_loop_never_holds_a_route(world: ServiceSeen) -> None:
    """Only the call that creates a Revision does."""
    for write in decide_service(world, OPTIONS).writes:
        assert not (isinstance(write, PatchRoute) and write.hold is not None and write.hold.phase == "held")


@given(worlds)
def test_a_hold_goes_only_when_no_revision_has_bounds_of_a_stage(world: ServiceSeen) -> None:
    for write in decide_service(world, OPTIONS).writes:
        if isinstance(write, PatchRoute) and write.hold is None:
            assert hold_of(world.route) is not None
            assert not any(OWN in annotations_of(one) for one in world.revisions.values())

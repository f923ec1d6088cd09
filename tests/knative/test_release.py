"""The release of a held Service before its end: what asks for it, and what its target has before it gets traffic."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.knative.moments import GIVEN_BACK, NEW, OLD, RESTORED, THIRD, decide, failed, halfway, messages, rolling
from tests.knative.services import PREFIX, after, by_name, hold, lowered, named, pinned, revision, route, service, shown
from webhook.api import RolloutOrchestrator
from webhook.knative.stage_traffic import Scale


@pytest.mark.parametrize(
    "changes",
    [
        {"service": service({"stagegate.dev/progressive": "false"})},
        {"service": service({}), "namespace_labels": {}},
        {"service": service({}), "namespace_labels": {"stagegate.dev/progressive": "false"}},
        {"service": service({}, template={"rollout.knative.dev/progressive-rollout-enabled": "false"}),
         "namespace_labels": {"stagegate.dev/progressive": "true"}},
        {"ro": rolling(annotations={"stagegate.dev/release": "jane"})},
        {"service": service({"stagegate.dev/progressive": "true", "stagegate.dev/release": NEW})},
        {"refusal": "forbidden: exceeded quota", "refused_for": 60.0},
    ],
)  # fmt: skip
def test_a_release_first_lets_the_target_run_its_own_minimum(changes: dict[str, Any]) -> None:
    world = halfway(**changes)
    first = decide(world)
    assert shown(first) == [RESTORED]
    assert (first.carries_on, first.waiting) == (False, f"{NEW} to run 4 replicas (it runs 1)")
    assert [(event.type, event.reason) for event in first.events] == [("Normal", "ReleaseWaiting")]
    waiting = decide(after(world, first))
    assert shown(waiting) == []
    grown = decide(replace(after(world, first), scales={OLD: Scale(3, 3), NEW: Scale(4, 4)}))
    assert shown(grown) == [GIVEN_BACK]
    assert [event.reason for event in grown.events] == ["RolloutReleased"]


def test_without_an_ro_a_release_is_asked_for_on_the_service() -> None:
    """For an RO that cannot be written. The annotation stays there, and has no effect on a later rollout."""
    asked = service({"stagegate.dev/progressive": "true", "stagegate.dev/release": NEW})
    world = halfway(service=asked, ro=None)
    assert shown(decide(world)) == [RESTORED]
    later = halfway(service=asked, ro=None, route=route(hold(new=THIRD), pinned(hello_00001=75, hello_00002=25)))
    later = replace(later, revisions={**later.revisions, **by_name(lowered(THIRD))})
    assert shown(decide(later))[0].startswith("create RO")


@pytest.mark.parametrize(
    ("one", "writes"),
    [
        # Rolled back by hand: the old revision gets its pods and all of the traffic in one go.
        (
            service(traffic=[named(OLD, 100)]),
            [f"Revision {OLD}: min-scale=4, record removed", f"Route: releasing, traffic {OLD}=100"],
        ),
        (
            service(traffic=[named(OLD, 50), {"latestRevision": True, "percent": 50}]),
            [
                f"Revision {OLD}: min-scale=4, record removed",
                RESTORED,
                f"Route: releasing, traffic {OLD}=50 latest=50",
            ],
        ),
        (
            service(traffic=[{"latestRevision": True, "percent": 100, "tag": "new"}]),
            [RESTORED, GIVEN_BACK],
        ),
        (service(template={PREFIX + "class": "hpa.autoscaling.knative.dev"}), [RESTORED, GIVEN_BACK]),
    ],
)
def test_explicit_traffic_and_another_autoscaler_act_at_once(one: dict[str, Any], writes: list[str]) -> None:
    assert shown(decide(halfway(service=one))) == writes


def test_upstreams_controllers_take_over_at_once() -> None:
    decision = decide(halfway(foreign="serving-progressive-rollout controllers"))
    assert shown(decision) == [RESTORED, GIVEN_BACK]
    assert "serving-progressive-rollout controllers roll out the Services" in messages(decision)[0]


def test_where_namespaces_cannot_be_seen_their_labels_release_nothing() -> None:
    assert decide(halfway(service=service({}), namespace_labels=None)).carries_on


# Refusals


@pytest.mark.parametrize("ro", [None, rolling()])
def test_a_rollout_that_is_refused_for_a_minute_is_released_and_the_event_says_who_refused(
    ro: RolloutOrchestrator | None,
) -> None:
    refusal = 'create rolloutorchestrators default/hello: admission webhook "policy.example.com" denied the request: no'
    world = halfway(ro=ro, refusal=refusal, refused_for=59.0)
    assert decide(world).carries_on
    assert shown(decide(replace(world, refused_for=60.0))) == [RESTORED]
    grown = replace(world, refused_for=60.0, revisions=by_name(revision(NEW, min_scale="4")), scales={NEW: Scale(4, 4)})
    assert shown(decide(grown)) == [GIVEN_BACK]
    assert messages(decide(grown)) == [
        (
            f"Warning RolloutReleased: RolloutRefused: what the rollout writes has been refused for 60 s: {refusal};"
            f" Knative goes on by itself: {NEW} 100%"
        )
    ]


@pytest.mark.parametrize(
    ("annotations", "released"),
    [
        pytest.param({"pause": "x"}, False, id="a pause"),
        pytest.param({"pause": "x", "pause-until": "2030-01-01T12:00:01Z"}, False, id="a pause with an end"),
        pytest.param({"pause": "x", "pause-until": "2030-01-01T12:00:00Z"}, True, id="a pause that has ended"),
        pytest.param({"pause": "x", "pause-after-stage": "2"}, True, id="a pause that has not begun"),
        pytest.param({"abort": f"{NEW}=100"}, False, id="an abort"),
        pytest.param({"abort": f"{THIRD}=100"}, True, id="an abort of other targets"),
        pytest.param({"abort": f"{NEW}=100", "release": "jane"}, True, id="a person asks for the release"),
    ],
)
def test_what_is_refused_gives_no_traffic_to_a_revision_that_people_stopped(
    annotations: dict[str, str], released: bool
) -> None:
    steered = rolling(annotations={f"stagegate.dev/{key}": value for key, value in annotations.items()})
    world = halfway(ro=steered, refusal="forbidden: no", refused_for=60.0, now=datetime(2030, 1, 1, 12, tzinfo=UTC))
    assert decide(world).carries_on is not released


# Revisions that are not Ready


def test_an_old_revision_that_has_failed_does_not_keep_the_new_one_from_its_traffic() -> None:
    world = halfway(revisions=by_name(failed(OLD, min_scale="4"), lowered(NEW)))
    assert shown(decide(world)) == [RESTORED]
    grown = replace(after(world, decide(world)), scales={NEW: Scale(4, 4)})
    assert shown(decide(grown)) == [GIVEN_BACK]
    message = f"Revision {OLD}, which has traffic, is not Ready (ExitCode1: It failed)"
    assert messages(decide(grown)) == [
        f"Warning RolloutReleased: OldRevisionFailed: {message}; Knative goes on by itself: {NEW} 100%"
    ]
    neither = halfway(revisions=by_name(failed(OLD, min_scale="4"), failed(NEW)))
    assert decide(neither).phase == "held"


def test_an_old_revision_that_was_deleted_does_not_keep_the_new_one_from_its_traffic() -> None:
    world = halfway(revisions=by_name(lowered(NEW)))
    assert shown(decide(world)) == [RESTORED]
    grown = replace(after(world, decide(world)), scales={NEW: Scale(4, 4)})
    assert shown(decide(grown)) == [GIVEN_BACK]
    assert messages(decide(grown)) == [
        (
            f"Warning RolloutReleased: OldRevisionFailed: Revision {OLD}, which has traffic, does not exist;"
            f" Knative goes on by itself: {NEW} 100%"
        )
    ]
    neither = halfway(revisions=by_name(lowered(NEW, ready="Unknown")))
    assert decide(neither).phase == "held"


@pytest.mark.parametrize(
    ("scale", "waiting"),
    [
        # Knative has not read the own minimum: with a replica of the stage the revision would be Ready.
        (Scale(1, 0, minimum=1), f"{NEW} to have its own bounds"),
        (Scale(1, 1, minimum=1, is_initialized=True), f"{NEW} to have its own bounds"),
        # It has run the minimum of the stage, so that it is about to be Ready.
        (Scale(4, 1, minimum=4, is_initialized=True), f"{NEW} to run 4 replicas (it runs 1)"),
        (Scale(4, 4, minimum=4, is_initialized=True), ""),
        # It is Ready with its own minimum and no earlier; or never.
        (Scale(4, 1, minimum=4), ""),
        (Scale(4, 0, minimum=4), ""),
        (Scale(1, 0, minimum=4, is_initialized=True), ""),
        # It has no PodAutoscaler yet.
        (None, ""),
    ],
)
@pytest.mark.parametrize("ready", ["Unknown", "False"])
def test_a_new_revision_that_is_not_ready_has_its_own_bounds_before_traffic_may_float_to_it(
    scale: Scale | None, waiting: str, ready: str
) -> None:
    world = halfway(
        service=service({"stagegate.dev/progressive": "false"}),
        route=route(hold(), pinned(hello_00001=100)),
        revisions=by_name(revision(OLD, min_scale="4"), lowered(NEW, ready=ready)),
        scales={OLD: Scale(4, 4), NEW: Scale(1, 0, minimum=1)},
    )
    first = decide(world)
    assert (shown(first), first.waiting) == ([RESTORED], f"{NEW} to have its own bounds")
    scales = {OLD: Scale(4, 4)} | ({NEW: scale} if scale is not None else {})
    then = decide(replace(after(world, first), scales=scales))
    assert (shown(then), then.waiting) == ([] if waiting else [GIVEN_BACK], waiting)
    assert waiting or f"Knative goes on by itself: {OLD} 100%" in messages(then)[0]


def test_a_new_revision_that_traffic_does_not_float_to_is_not_waited_for() -> None:
    named_old = service(traffic=[named(OLD, 100)])
    world = halfway(service=named_old, revisions=by_name(revision(OLD, min_scale="4"), lowered(NEW, ready="Unknown")))
    assert shown(decide(world)) == [f"Route: releasing, traffic {OLD}=100"]

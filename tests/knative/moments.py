"""Moments in the rollout of a Service: what is seen of it then, and what is decided."""

from dataclasses import replace
from typing import Any

from tests.knative.services import by_name, entry, hold, lowered, pinned, revision, ro, route, service
from webhook.api import RolloutOrchestrator
from webhook.knative.service_decision import ServiceDecision, decide_service
from webhook.knative.service_seen import ServiceOptions, ServiceSeen
from webhook.knative.stage_traffic import Scale

OLD, NEW, THIRD = "hello-00001", "hello-00002", "hello-00003"
OPTIONS = ServiceOptions()


def seen(**changes: Any) -> ServiceSeen:
    """A Service at the first moment of a rollout: the Route is pinned, the new Revision is there, lowered."""
    world = ServiceSeen(
        service=service(),
        route=route(hold(), pinned(hello_00001=100)),
        revisions=by_name(revision(OLD, min_scale="4"), lowered(NEW, ready="Unknown")),
    )
    return replace(world, **changes)


def rolling(stage: list[dict[str, Any]] | None = None, **changes: Any) -> RolloutOrchestrator:
    """The RO in its first stage."""
    first = [
        entry(OLD, 75, direction="down", targetReplicas=3, minScale=4),
        entry(NEW, 25, direction="up", targetReplicas=1, minScale=4),
    ]
    return ro(
        [entry(OLD, 100, minScale=4)], [entry(NEW, 100, minScale=4)], first if stage is None else stage, **changes
    )


def halfway(**changes: Any) -> ServiceSeen:
    """The first stage is reached: both Revisions have their shares and the bounds of the stage."""
    world = seen(
        ro=rolling(),
        route=route(hold(), pinned(hello_00001=75, hello_00002=25)),
        revisions=by_name(lowered(OLD, to="3"), lowered(NEW)),
        scales={OLD: Scale(3, 3), NEW: Scale(1, 1)},
        stage_bounds={OLD: (3, 3), NEW: (1, None)},
    )
    return replace(world, **changes)


def done(**changes: Any) -> ServiceSeen:
    """The last stage is reached, and the Route is still pinned."""
    last = ro([entry(OLD, 100, minScale=4)], [entry(NEW, 100, minScale=4)], [entry(NEW, 100)], ready="True")
    world = seen(
        ro=last,
        route=route(hold(), pinned(hello_00002=100, hello_00001=0)),
        revisions=by_name(lowered(OLD, to="0"), revision(NEW, min_scale="4")),
    )
    return replace(world, **changes)


def releasing(*revisions: dict[str, Any], **changes: Any) -> ServiceSeen:
    """The Route has been given back, and these Revisions are left to restore."""
    return done(route=route(hold("releasing"), shown={NEW: 100}), revisions=by_name(*revisions), **changes)


def failed(name: str, **more: Any) -> dict[str, Any]:
    """A Revision that is not Ready, and the reason that Knative gives."""
    one = revision(name, **more)
    one["status"]["conditions"] = [{"type": "Ready", "status": "False", "reason": "ExitCode1", "message": "It failed."}]
    return one


RESTORED = f"Revision {NEW}: min-scale=4, record removed"
GIVEN_BACK = "Route: releasing, traffic latest=100"


def decide(world: ServiceSeen, options: ServiceOptions = OPTIONS) -> ServiceDecision:
    return decide_service(world, options)


def messages(decision: ServiceDecision) -> list[str]:
    return [f"{event.type} {event.reason}: {event.message}" for event in decision.events]

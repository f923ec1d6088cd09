"""What a release that takes long waits for, in words: from the Route, and what the loop said last."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webhook.cli.arguments import ObjectName
    from webhook.cluster.client import Client


def awaited(client: "Client", name: "ObjectName") -> str:
    """What the release of a Service waits for, and the way out, in one line. Raises ApiError."""
    from webhook.cluster.errors import Forbidden
    from webhook.cluster.resource import ROUTES
    from webhook.knative.hold import RELEASING, readable_hold_of

    hold = readable_hold_of(client.get(ROUTES, *name))
    if hold is not None and hold.phase == RELEASING:
        return (
            "Knative has its traffic again, bounds follow once no Route leads to the old Revision; run this once more"
        )
    try:
        said = _said_last(client, name)
    except Forbidden as problem:
        return f"what it waits for is not known: forbidden: {problem}; look at the pods, and check that the loop runs"
    if not said:
        namespace = name.namespace
        return (
            f"it waits for the loop, which has not answered; check that the loop runs and watches namespace {namespace}"
        )
    return f"it waits for {said}; look at the pods, or name a revision in spec.traffic of the Service to end it at once"


def _said_last(client: "Client", name: "ObjectName") -> str:
    """What the loop waits for by its newest Event about the Service; empty if there is none. Raises ApiError."""
    from webhook.cluster.resource import EVENTS
    from webhook.diagnosis.snapshot import event_time
    from webhook.knative.service_decision import RELEASE_WAITING, WAITS_FOR

    selector = f"involvedObject.kind=Service,involvedObject.name={name.name},reason={RELEASE_WAITING}"
    events = client.list(EVENTS, name.namespace, field_selector=selector).get("items") or []
    messages = [str(event.get("message") or "") for event in sorted(events, key=lambda one: str(event_time(one) or ""))]
    return messages[-1].rpartition(WAITS_FOR)[2] if messages else ""

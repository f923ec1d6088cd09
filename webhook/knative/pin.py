"""The pin: the write that holds the Route of a Service for a Revision which is about to be created."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from webhook.api.wire import Wire, are_equal
from webhook.knative.annotations import HOLD, annotations_of, is_being_deleted
from webhook.knative.hold import HELD, Hold, hold_in_force, service_uid_of
from webhook.knative.opt_in import TAGGED_TRAFFIC, Obstacle, is_opted_in, obstacle
from webhook.knative.settings import HoldSettings
from webhook.knative.traffic import held_traffic, shares

NOT_OPTED_IN: Final = "NotOptedIn"
HOLDING_NOTHING_NEW: Final = "HoldingNothingNew"
SERVICE_UNKNOWN: Final = "ServiceUnknown"
SERVICE_REPLACED: Final = "ServiceReplaced"
REVISION_EXISTS: Final = "RevisionExists"
NO_TRAFFIC: Final = "NoTrafficYet"
BEING_DELETED: Final = "BeingDeleted"

_WHOLE: Final = 100


@dataclass(frozen=True, slots=True)
class NewRevision:
    """A Revision before it is stored. ``service_uid`` is that of its Service, empty if it does not say."""

    namespace: str
    name: str
    service: str
    service_uid: str = ""


@dataclass(frozen=True, slots=True)
class Pin:
    """The hold that a Route is to have, and ``spec.traffic`` with the shares that it has now."""

    hold: Hold
    traffic: list[Wire]

    def patch(self, route: Mapping[str, Any]) -> Wire | None:
        """The merge patch of a Route on the wire, on condition of its version; None if it is pinned already."""
        annotation = self.hold.to_annotation()
        if annotations_of(route).get(HOLD) == annotation and are_equal(_entries(route, "spec"), self.traffic):
            return None
        return {
            "metadata": {
                "resourceVersion": route["metadata"]["resourceVersion"],
                "annotations": {HOLD: annotation},
            },
            "spec": {"traffic": self.traffic},
        }


@dataclass(frozen=True, slots=True)
class Observation:
    """What a pin is decided on, beside the Route; objects on the wire.

    ``is_stored``: a Revision of that name exists. ``by_default``: Services that say nothing are opted in.
    """

    service: Wire | None
    is_stored: bool = False
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    by_default: bool = False
    settings: HoldSettings = field(default_factory=HoldSettings)


def decide_pin(new: NewRevision, observed: Observation, route: Mapping[str, Any]) -> Pin | Obstacle:
    """The pin for a new Revision, or why there is none; it repeats the present shares and moves nothing.

    ``route`` is on the wire, empty for none. The shares are those of its status; if it is held already, those of its
    spec, which the status may not show yet.
    """
    service = observed.service
    if service is None:
        return Obstacle(SERVICE_UNKNOWN, f"there is no Service {new.service!r}")
    found = _unasked(service, observed) or _unfit(new, service, observed.is_stored)
    if found is not None:
        return found
    if not route or service_uid_of(route) != _uid_of(service) or is_being_deleted(route):
        return Obstacle(NO_TRAFFIC, "the Service has no Route yet")
    hold = hold_in_force(route)
    held = hold if hold is not None and hold.phase == HELD else None
    if held is None and observed.settings.holds_nothing_new:
        return Obstacle(HOLDING_NOTHING_NEW, "the cluster is set to hold nothing new")
    return _pin(new, route, held, _uid_of(service), observed.settings)


def _unasked(service: Wire, observed: Observation) -> Obstacle | None:
    """Why edits of this Service do not roll out in stages."""
    found = obstacle(service, observed.namespace_labels, observed.by_default)
    if found is None and not is_opted_in(service, observed.namespace_labels, observed.by_default):
        return Obstacle(NOT_OPTED_IN, "the Service does not ask for stages")
    return found


def _unfit(new: NewRevision, service: Wire, is_stored: bool) -> Obstacle | None:
    """Why this Revision is not the next one of its Service."""
    if new.service_uid not in ("", _uid_of(service)):
        return Obstacle(SERVICE_REPLACED, "the Revision belongs to another Service of the same name")
    if is_being_deleted(service):
        return Obstacle(BEING_DELETED, "the Service is being deleted")
    if is_stored:
        return Obstacle(REVISION_EXISTS, "a Revision of this name exists already")
    return None


def _pin(
    new: NewRevision, route: Mapping[str, Any], held: Hold | None, uid: str, settings: HoldSettings
) -> Pin | Obstacle:
    in_spec, in_status = _entries(route, "spec"), _entries(route, "status")
    current = shares(in_spec) if held else {}
    if current:
        at_zero = [entry["revisionName"] for entry in in_spec if entry.get("revisionName")]
    else:
        held, at_zero, current = None, [], shares(in_status)
        if any(entry.get("tag") for entry in (*in_spec, *in_status)):
            return Obstacle(TAGGED_TRAFFIC, "not rolled out in stages: the Route has tags, which stages would move")
    if sum(current.values()) != _WHOLE:
        return Obstacle(NO_TRAFFIC, "the Route sends no traffic to any revision yet")
    if new.name in current:
        return Obstacle(REVISION_EXISTS, "the Revision has traffic already")
    initial = held.initial if held and held.new == new.name else current
    traffic = held_traffic(current, at_zero, new.service, redundant=settings.keeps_service_waiting)
    return Pin(Hold(HELD, initial, new.name, uid), traffic)


def _uid_of(service: Wire) -> str:
    return str(service["metadata"].get("uid") or "")


def _entries(route: Mapping[str, Any], part: str) -> list[Wire]:
    """The entries of ``spec.traffic`` or ``status.traffic``."""
    holder = route.get(part)
    traffic = holder.get("traffic") if isinstance(holder, Mapping) else None
    return [entry for entry in traffic if isinstance(entry, dict)] if isinstance(traffic, list) else []

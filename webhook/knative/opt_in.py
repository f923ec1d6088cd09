"""Opt-in: which Services roll out in stages, and why one that asks for it cannot."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from webhook.knative.annotations import (
    CLASS,
    ENABLED,
    KPA,
    PROGRESSIVE,
    annotations_of,
    template_annotations_of,
)
from webhook.planning.config import parse_boolean

SPLIT_TRAFFIC: Final = "TrafficIsSplit"
TAGGED_TRAFFIC: Final = "TrafficHasTags"
NAMED_REVISION: Final = "TrafficNamesRevision"
OTHER_AUTOSCALER: Final = "OtherAutoscaler"
OPTED_OUT: Final = "OptedOut"
UNREADABLE_OPT_IN: Final = "OptInUnreadable"
OBSTACLES: Final = (
    SPLIT_TRAFFIC,
    TAGGED_TRAFFIC,
    NAMED_REVISION,
    OTHER_AUTOSCALER,
    OPTED_OUT,
    UNREADABLE_OPT_IN,
)


class Obstacle(NamedTuple):
    """Why a Service that is opted in is not held: reason and message of an Event."""

    reason: str
    message: str


def is_opted_in(service: Mapping[str, Any], namespace_labels: Mapping[str, str], default: bool) -> bool:
    """True if edits of a Service on the wire are to roll out in stages.

    Its annotation decides, else the label of its namespace, else the default of the cluster. A value that is neither
    true nor false opts in to nothing; ``obstacle`` says so.
    """
    for value in (annotations_of(service).get(PROGRESSIVE), namespace_labels.get(PROGRESSIVE)):
        if value is not None:
            return parse_boolean(value) is True
    return default


def obstacle(service: Mapping[str, Any], namespace_labels: Mapping[str, str], default: bool) -> Obstacle | None:
    """Why the edits of a Service that asks for stages are not held, None if they are or if it does not ask."""
    asked = annotations_of(service).get(PROGRESSIVE, namespace_labels.get(PROGRESSIVE))
    if asked is not None and parse_boolean(asked) is None:
        return Obstacle(UNREADABLE_OPT_IN, f'{PROGRESSIVE}: {asked!r} must be "true" or "false"; it counts as false')
    if not is_opted_in(service, namespace_labels, default):
        return None
    for annotations in (annotations_of(service), template_annotations_of(service)):
        if parse_boolean(annotations.get(ENABLED, "")) is False:
            return Obstacle(OPTED_OUT, f'not rolled out in stages: {ENABLED} is "false"')
    autoscaler = template_annotations_of(service).get(CLASS, KPA)
    if autoscaler != KPA:
        return Obstacle(
            OTHER_AUTOSCALER, f"not rolled out in stages: {CLASS} is {autoscaler}; only {KPA} has the bounds"
        )
    return _traffic_obstacle(service)


def _traffic_obstacle(service: Mapping[str, Any]) -> Obstacle | None:
    spec = service.get("spec")
    traffic = spec.get("traffic") if isinstance(spec, Mapping) else None
    entries = [entry for entry in traffic if isinstance(entry, Mapping)] if isinstance(traffic, list) else []
    if any(entry.get("tag") for entry in entries):
        return Obstacle(TAGGED_TRAFFIC, "not rolled out in stages: spec.traffic has tags, which stages would move")
    if len(entries) > 1:
        return Obstacle(SPLIT_TRAFFIC, "not rolled out in stages: spec.traffic splits the traffic by itself")
    if entries and (entries[0].get("revisionName") or entries[0].get("latestRevision") is False):
        return Obstacle(NAMED_REVISION, "not rolled out in stages: spec.traffic names a revision")
    return None

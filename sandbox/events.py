"""Events, stored once in the core form and served in two groups."""

from typing import Final

from sandbox.objects import Object
from sandbox.resources import Resource

_NAMES: Final = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
"""Member of a core Event to the same member in ``events.k8s.io``."""

_BACK: Final = {new: old for old, new in _NAMES.items()}
_GROUP: Final = "events.k8s.io"


def stored_form(value: Object, view: Resource) -> Object:
    """An object as it was sent, in the form in which it is stored."""
    if view.group != _GROUP:
        return value
    return {_BACK.get(name, name): member for name, member in value.items()} | {"apiVersion": "v1"}


def view_of(value: Object, view: Resource) -> Object:
    """A stored object as the resource that was asked for shows it."""
    if view.group != _GROUP:
        return value
    return {_NAMES.get(name, name): member for name, member in value.items()} | {"apiVersion": view.api_version}

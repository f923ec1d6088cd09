"""What a response must be before anybody acts on it.

A proxy, a login page or another server can respond with 200 in place of the API server. Taken for a list, that would
remove every object from a cache; taken for a renewed lease, it would let two processes write.
"""

from collections.abc import Mapping
from typing import Any

from webhook.api.wire import Wire, kind_of
from webhook.cluster.errors import Call, OutcomeUnknown


def document_in(call: Call, response: Any) -> Wire:
    """Any JSON object but the empty one. Raises OutcomeUnknown."""
    if not isinstance(response, dict) or not response:
        raise _unusable(call, "a JSON object", response)
    return response


def object_in(call: Call, response: Any) -> Wire:
    """The object that the call names. Raises OutcomeUnknown."""
    found = document_in(call, response)
    if call.name is not None and _name_of(found) != call.name:
        raise _unusable(call, f"an object named {call.name}", response)
    return found


def object_or_status_in(call: Call, response: Any) -> Wire:
    """The object, or a Status as after a deletion or a binding. Raises OutcomeUnknown."""
    found = document_in(call, response)
    return found if found.get("kind") == "Status" else object_in(call, response)


def list_in(call: Call, response: Any) -> Wire:
    """A page of a list, each of whose items has a name. Raises OutcomeUnknown."""
    found = document_in(call, response)
    items = found.get("items", "")
    # A server written in Go may send null for no items.
    if not isinstance(found.get("metadata"), dict) or not isinstance(items, list | None):
        raise _unusable(call, "a list", response)
    for one in items or ():
        if not _name_of(one):
            raise _unusable(call, "a list of objects with names", one)
    return found


def event_in(call: Call, event: Any) -> tuple[str, Wire]:
    """Type and object of a watch event. Raises OutcomeUnknown."""
    kind, one = (event.get("type"), event.get("object")) if isinstance(event, dict) else (None, None)
    has_name = kind in ("BOOKMARK", "ERROR") or bool(_name_of(one))
    if not isinstance(kind, str) or not isinstance(one, dict) or not has_name:
        raise _unusable(call, "a watch event", event)
    return kind, one


def _name_of(one: Any) -> str:
    metadata = one.get("metadata") if isinstance(one, Mapping) else None
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) else ""


def _unusable(call: Call, wanted: str, found: Any) -> OutcomeUnknown:
    # The content may be secret.
    kind = found.get("kind") if isinstance(found, Mapping) else None
    described = f"{kind_of(found)} of kind {kind[:63]!r}" if isinstance(kind, str) else kind_of(found)
    described = "an empty object" if found == {} else described
    return OutcomeUnknown(call, f"the response is not {wanted} but {described}; did an API server send it?")

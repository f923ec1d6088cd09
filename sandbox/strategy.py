"""What a server does to metadata, status and generation before it stores an object."""

import uuid
from typing import Final

from sandbox.failures import bad_request
from sandbox.kinds import initial_state
from sandbox.objects import Object, generated_name, metadata, same, with_metadata
from sandbox.resources import Resource

_OWNED_BY_SERVER: Final = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


def place_in(value: Object, resource: Resource, namespace: str) -> Object:
    """The object in the namespace of the request. Raises ApiError 400 if it says another."""
    stated = metadata(value).get("namespace") or ""
    if not resource.namespaced:
        return with_metadata(value, namespace=None)
    if stated and stated != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    return with_metadata(value, namespace=namespace)


def begin(value: Object, now: str) -> Object:
    """What a new object gets after the mutating webhooks: name, uid and time of creation."""
    meta = metadata(value)
    name = meta.get("name") or (generated_name(meta["generateName"]) if meta.get("generateName") else None)
    removed = dict.fromkeys(("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"))
    return with_metadata(value, **removed, name=name, uid=str(uuid.uuid4()), creationTimestamp=now)


def prepare_create(value: Object, resource: Resource) -> Object:
    """The object as it is first stored: no status of its own making, generation 1."""
    value = with_metadata(value, generation=1 if resource.generation else None)
    if resource.status:
        value = {name: member for name, member in value.items() if name != "status"}
    return initial_state(value, resource)


def prepare_update(value: Object, live: Object, resource: Resource, subresource: str) -> Object:
    """The new object with everything this write cannot touch taken from the live one."""
    if subresource == "status":
        return _status_update(value, live, resource)
    if resource.status:
        value = {name: member for name, member in value.items() if name != "status"}
        if "status" in live:
            value["status"] = live["status"]
    kept = {name: metadata(live).get(name) for name in _OWNED_BY_SERVER}
    if metadata(value).get("uid"):
        kept.pop("uid")
    value = with_metadata(value, **kept, generation=metadata(live).get("generation"))
    if resource.generation and _spec_differs(value, live, resource):
        value = with_metadata(value, generation=int(metadata(live).get("generation") or 0) + 1)
    return value


def _status_update(value: Object, live: Object, resource: Resource) -> Object:
    result = {name: member for name, member in live.items() if name != "status"}
    if "status" in value:
        result["status"] = value["status"]
    kept: Object = {"managedFields": metadata(value).get("managedFields")}
    if not resource.custom:
        kept |= {name: metadata(value).get(name) for name in ("labels", "annotations", "finalizers")}
    return with_metadata(result, **kept, resourceVersion=metadata(value).get("resourceVersion"))


def _spec_differs(value: Object, live: Object, resource: Resource) -> bool:
    beside = {"metadata", "status"} if resource.status or not resource.custom else {"metadata"}
    return not same(
        {name: member for name, member in value.items() if name not in beside},
        {name: member for name, member in live.items() if name not in beside},
    )

"""A dump: the output of ``kubectl get -o yaml`` or ``-o json``, read as a world."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import yaml

from webhook.api import wire
from webhook.api.wire import Wire
from webhook.cluster.resource import Resource
from webhook.diagnosis.world import RESOURCES, Unread, World, world_of
from webhook.value_bounds import OutOfBounds, ValueBounds

MAX_CHARACTERS: Final = 128 * 1024 * 1024

_BY_KIND: Final = {(one.group, one.kind): one for one in RESOURCES}
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"
_TIMES: Final = ("metadata.creationTimestamp", "spec.renewTime", "lastTimestamp", "eventTime")


class UnreadableDump(ValueError):
    """The text is not a dump; the message says why, in one line."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Times stay texts, as in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_dump(text: str) -> World:
    """The world of a dump: one object, a List, or several documents; kinds that are not needed are left out.

    A kind of which the dump has no object counts as not read, since it may not have been asked for. The time is the
    latest in the dump. Raises UnreadableDump.
    """
    if len(text) > MAX_CHARACTERS:
        raise UnreadableDump(f"the dump has {len(text)} characters; {MAX_CHARACTERS} are the most")
    try:
        _check_bounds(text)
        documents = list(yaml.load_all(text, Loader=_Loader))
    except OutOfBounds as problem:
        raise UnreadableDump(f"the dump {problem}; {problem.way_out}") from problem
    except yaml.YAMLError as problem:
        raise UnreadableDump(f"not YAML: {' '.join(str(problem).split())}") from problem
    found = [pair for document in documents for pair in _objects(document)]
    kinds = {resource for resource, _ in found}
    unread = [Unread(one, "not in the dump", f"the dump has no {one.kind}") for one in RESOURCES if one not in kinds]
    return world_of(found, _latest(one for _, one in found), unread)


def _check_bounds(text: str) -> None:
    """Raise OutOfBounds before the loader, which is recursive and follows aliases, sees the text."""
    bounds = ValueBounds()
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.DocumentStartEvent):
            bounds.begin_document()
        elif isinstance(event, yaml.CollectionStartEvent):
            bounds.begin(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            bounds.end()
        elif isinstance(event, yaml.AliasEvent):
            bounds.alias(event.anchor or "")
        elif isinstance(event, yaml.ScalarEvent):
            bounds.scalar(event.anchor)


def _objects(document: Any) -> Iterator[tuple[Resource, Wire]]:
    if document is None:
        return
    if not isinstance(document, dict):
        raise UnreadableDump(f"not a dump: a document is {wire.kind_of(document)}, not an object")
    items = document.get("items")
    kind = str(document.get("kind") or "")
    if isinstance(items, list) and kind.endswith("List"):
        # The items of a List have a kind each; those of a PodList may have none.
        of = {"apiVersion": document.get("apiVersion"), "kind": kind.removesuffix("List")}
        for one in items:
            if isinstance(one, dict):
                yield from _objects({**of, **one} if of["kind"] else one)
        return
    group = str(document.get("apiVersion") or "").rpartition("/")[0]
    resource = _BY_KIND.get((group, kind))
    if resource is not None and isinstance(document.get("metadata"), dict):
        yield resource, document


def _latest(objects: Iterator[Wire]) -> datetime:
    """The latest time that an object states; the dump was not made before."""
    latest = datetime.min.replace(tzinfo=UTC)
    for one in objects:
        for text in _times(one):
            time = wire.parse_time(text)
            if time is not None and time > latest:
                latest = time
    return latest


def _times(one: Mapping[str, Any]) -> Iterator[str]:
    for path in _TIMES:
        value: Any = one
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, str):
            yield value
    status = one.get("status")
    conditions = status.get("conditions") if isinstance(status, Mapping) else None
    for condition in conditions if isinstance(conditions, list) else ():
        if isinstance(condition, Mapping) and isinstance(condition.get("lastTransitionTime"), str):
            yield condition["lastTransitionTime"]

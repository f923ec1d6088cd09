"""A dump: the output of ``kubectl get -o yaml`` or ``-o json``, read as a world."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import yaml

from webhook.api import wire
from webhook.api.wire import Wire
from webhook.cluster.resource import Resource
from webhook.diagnosis.world import RESOURCES, Unread, World, world_of

MAX_CHARACTERS: Final = 128 * 1024 * 1024

_DEEPEST: Final = 100
_MOST_REPEATED: Final = 1_000_000
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
        _check_size(text)
        documents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as problem:
        raise UnreadableDump(f"not YAML: {' '.join(str(problem).split())}") from problem
    found = [pair for document in documents for pair in _objects(document)]
    kinds = {resource for resource, _ in found}
    unread = [Unread(one, "not in the dump", f"the dump has no {one.kind}") for one in RESOURCES if one not in kinds]
    return world_of(found, _latest(one for _, one in found), unread)


@dataclass(slots=True)
class _Open:
    """An object or a list that has not ended: how many values it has so far, and how deep they are nested."""

    anchor: str | None
    values: int = 1
    height: int = 1

    def take(self, values: int, height: int) -> None:
        self.values += values
        self.height = max(self.height, height + 1)


def _check_size(text: str) -> None:
    """Raise UnreadableDump for what would not end, or would end the process.

    That is nesting at which libyaml's loader is too recursive, also by aliases, and aliases that stand for too much.
    """
    anchors: dict[str, tuple[int, int] | None] = {}
    # The first stands for the text itself.
    within = [_Open(None)]
    repeated = 0
    for event in yaml.parse(text, Loader=_Loader):
        values, height = 1, 0
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.DocumentStartEvent):
            anchors.clear()
        elif isinstance(event, yaml.CollectionStartEvent):
            within.append(_Open(anchor))
            _check_height(len(within) - 1)
            if anchor is not None:
                anchors[anchor] = None
            continue
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = within.pop()
            anchor, values, height = ended.anchor, ended.values, ended.height
        elif isinstance(event, yaml.AliasEvent):
            # One that is not defined is the loader's to refuse.
            found = anchors.get(event.anchor or "", (1, 0))
            if found is None:
                raise UnreadableDump(f"not a dump: the anchor {str(event.anchor)[:80]} contains itself")
            anchor, (values, height) = None, found
            repeated += values
            if repeated > _MOST_REPEATED:
                raise UnreadableDump(f"not a dump: its aliases stand for more than {_MOST_REPEATED} values")
            _check_height(len(within) - 1 + height)
        elif not isinstance(event, yaml.ScalarEvent):
            continue
        if anchor is not None:
            anchors[anchor] = values, height
        within[-1].take(values, height)


def _check_height(height: int) -> None:
    if height > _DEEPEST:
        raise UnreadableDump(f"not a dump: objects are nested more than {_DEEPEST} deep")


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

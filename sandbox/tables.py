"""Tables: what ``kubectl get`` asks for and prints."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sandbox.objects import Object, metadata, name_of, parse_time
from sandbox.reading import WatchEvent
from sandbox.resources import Column, Resource

ACCEPT: Final = re.compile(r"as=Table;v=v1;g=meta\.k8s\.io")
_STEP: Final = re.compile(
    r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|\[\?\(@\.(?P<key>\w+)\s*==\s*['\"](?P<wanted>.*?)['\"]\)\]"
)


def table(resource: Resource, values: Sequence[Object], version: str, now: datetime) -> Object:
    """A ``meta.k8s.io/v1`` Table of these objects."""
    columns = (Column("Name", "string", ".metadata.name"), *resource.columns)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [
            {"name": c.name, "type": c.type, "format": "", "description": "", "priority": c.priority} for c in columns
        ],
        "rows": [_row(columns, value, now) for value in values],
    }


def table_events(resource: Resource, events: Iterator[WatchEvent | None], now: datetime) -> Iterator[WatchEvent | None]:
    """The events of a watch with Tables of one row; the columns come with the first."""
    later: Object = {}
    for event in events:
        if event is None or event[0] == "ERROR":
            yield event
            continue
        version = metadata(event[1])["resourceVersion"]
        yield event[0], table(resource, [event[1]], version, now) | later
        later = {"columnDefinitions": None}


def _row(columns: Sequence[Column], value: Object, now: datetime) -> Object:
    shown = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata(value)}
    if not name_of(value):  # a bookmark
        return {"cells": [], "object": shown}
    return {"cells": [_cell(value, column, now) for column in columns], "object": shown}


def _cell(value: Object, column: Column, now: datetime) -> Any:
    """What a printer column shows of an object; None if there is nothing."""
    first = next(iter(_found(value, column.path)), None)
    if first is None or column.type in ("integer", "number", "boolean"):
        return first
    if column.type == "date":
        moment = parse_time(first)
        return "<unknown>" if moment is None else _age((now - moment).total_seconds())
    return first if isinstance(first, str) else json.dumps(first, separators=(",", ":"))


def _found(value: Any, path: str) -> list[Any]:
    """What a JSONPath of a printer column leads to: names, indexes and ``[?(@.a=="b")]``."""
    found = [value]
    for step in _STEP.finditer(path):
        if step["name"]:
            found = [item[step["name"]] for item in found if isinstance(item, dict) and step["name"] in item]
        elif step["index"]:
            found = [part for item in found for part in item[int(step["index"]) :][:1]]
        else:
            found = [part for item in found for part in item if part.get(step["key"]) == step["wanted"]]
    return found


def _age(seconds: float) -> str:
    """A span of time in whole units, much as kubectl shows ages: ``5s``, ``3m``, ``2d``."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"

"""Tables: the columns that kubectl prints."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sandbox.objects import Object, metadata, name_of, parse_time
from sandbox.resources import Column, Resource

_STEP: Final = re.compile(
    r"\.(?P<name>(?:\\.|[^.\[\\])+)|\[(?P<index>\d+)\]"
    r"|\[\?\(@\.(?P<key>[^=!]+?)\s*==\s*(?P<quote>['\"])(?P<wanted>.*?)(?P=quote)\)\]"
)


def table(resource: Resource, values: Sequence[Object], meta: Object, include: str, now: datetime) -> Object:
    """A ``meta.k8s.io/v1`` Table of these objects."""
    rows = []
    for value in values:
        cells = [cell(value, column, now) for column in resource.columns]
        row: Object = {"cells": [name_of(value), *cells]}
        if include == "Metadata":
            row["object"] = {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata(value),
            }
        else:
            row["object"] = value if include == "Object" else None
        rows.append(row)
    named = Column("Name", "string", "", 0, "", "name")
    definitions = [
        {"name": c.name, "type": c.type, "format": c.format, "description": c.description, "priority": c.priority}
        for c in (named, *resource.columns)
    ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": definitions,
        "rows": rows,
    }


def cell(value: Object, column: Column, now: datetime) -> Any:
    """What a printer column shows of an object; None if there is nothing."""
    found = find(value, column.path)
    if not found:
        return None
    first = found[0]
    if column.type == "date":
        moment = parse_time(first)
        return "<unknown>" if moment is None else duration((now - moment).total_seconds())
    if column.type == "integer":
        return int(first) if isinstance(first, int | float) and not isinstance(first, bool) else None
    if column.type == "number":
        return first if isinstance(first, int | float) and not isinstance(first, bool) else None
    if column.type == "boolean":
        return first if isinstance(first, bool) else None
    if isinstance(first, str) or first is None:
        return first
    if len(found) > 1:
        return " ".join(map(_text, found))
    return _text(first)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def find(value: Any, path: str) -> list[Any]:
    """What a JSONPath of a printer column leads to: names, indexes and ``[?(@.a=="b")]``."""
    found = [value]
    position = 0
    if not path.startswith((".", "[")):
        path = f".{path}"
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            return []
        found = [part for item in found for part in _step(item, match)]
        position = match.end()
    return found


def _step(item: Any, match: re.Match[str]) -> list[Any]:
    if match["name"] is not None:
        name = match["name"].replace("\\", "")
        return [item[name]] if isinstance(item, dict) and name in item else []
    if not isinstance(item, list):
        return []
    if match["index"] is not None:
        return item[int(match["index"]) :][:1]
    return [entry for entry in item if find(entry, match["key"]) == [match["wanted"]]]


def duration(seconds: float) -> str:
    """A span of time as kubectl shows ages: ``5s``, ``3m20s``, ``2d``."""
    whole = max(int(seconds), 0)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 2:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    return f"{hours}h" if days < 2 else f"{days}d"

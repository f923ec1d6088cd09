"""The form in which objects are answered: as they are, or as a Table."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from sandbox.failures import ApiError
from sandbox.objects import Object, metadata
from sandbox.reading import WatchEvent
from sandbox.resources import Resource
from sandbox.table import table


class Shape(Protocol):
    """A way to show objects."""

    def one(self, value: Object) -> Object:
        """One object."""
        ...

    def many(self, values: list[Object], meta: Object) -> Object:
        """A list with its own metadata."""
        ...

    def events(self, stream: Iterator[WatchEvent | None]) -> Iterator[Object | None]:
        """The lines of a watch."""
        ...


class Whole:
    """Objects as they are."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource

    def one(self, value: Object) -> Object:
        return value

    def many(self, values: list[Object], meta: Object) -> Object:
        resource = self._resource
        if resource.custom:
            meta = {"continue": ""} | meta
        else:
            values = [{k: v for k, v in value.items() if k not in ("kind", "apiVersion")} for value in values]
        return {"kind": resource.list_name, "apiVersion": resource.api_version, "metadata": meta, "items": values}

    def events(self, stream: Iterator[WatchEvent | None]) -> Iterator[Object | None]:
        for event in stream:
            yield None if event is None else {"type": event[0], "object": event[1]}


class Tabular:
    """Table, as ``kubectl get`` asks for it."""

    def __init__(self, resource: Resource, include: str, clock: Callable[[], datetime]) -> None:
        self._resource = resource
        self._include = include
        self._clock = clock

    def one(self, value: Object) -> Object:
        return self._table([value], {"resourceVersion": metadata(value).get("resourceVersion", "")})

    def many(self, values: list[Object], meta: Object) -> Object:
        return self._table(values, meta)

    def events(self, stream: Iterator[WatchEvent | None]) -> Iterator[Object | None]:
        first = True
        for event in stream:
            if event is None or event[0] == "ERROR":
                yield None if event is None else {"type": event[0], "object": event[1]}
                continue
            type_, value = event
            shown = self.one(value)
            if not first:
                shown["columnDefinitions"] = None
            first = False
            yield {"type": type_, "object": shown}

    def _table(self, values: list[Object], meta: Object) -> Object:
        return table(self._resource, values, meta, self._include, self._clock())


def shape_of(accept: str, query: Mapping[str, str], resource: Resource, clock: Callable[[], datetime]) -> Shape:
    """The first form in an Accept header that is known here. Raises ApiError 406 if there is none."""
    for choice in accept.split(",") if accept else ["*/*"]:
        media, *parameters = (part.strip() for part in choice.split(";"))
        stated: dict[str, Any] = dict(p.partition("=")[::2] for p in parameters)
        if media not in ("application/json", "*/*", "application/*"):
            continue
        form = stated.get("as")
        if form == "Table" and stated.get("v") == "v1":
            return Tabular(resource, query.get("includeObject") or "Metadata", clock)
        if form is None:
            return Whole(resource)
    accepted = "application/json"
    raise ApiError(406, "NotAcceptable", f"only the following media types are accepted: {accepted}")
